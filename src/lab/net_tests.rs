//! The simulated network, tried alone.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

async fn pair(net: &SimNet) -> (BoxStream, BoxStream) {
    let mut listener = net.listen(at(0)).await.expect("free");
    let near = net.dial(listener.local_addr()).await.expect("listening");
    (near, listener.accept().await.expect("called").0)
}

#[tokio::test(start_paused = true)]
async fn octets_arrive_whole_in_order_and_after_the_latency() {
    let net = SimNet::new(9);
    let ms = Duration::from_millis;
    net.set_weather(Weather { latency_min: ms(20), latency_max: ms(80), chunk_max: 7 });
    let (mut near, mut far) = pair(&net).await;
    let began = Instant::now();
    let sent: Vec<u8> = (0..200u8).collect();
    for part in sent.chunks(11) {
        near.write_all(part).await.expect("open");
    }
    drop(near);
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.expect("open");
    assert_eq!(got, sent);
    assert!(began.elapsed() >= ms(20) && began.elapsed() <= ms(81), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_a_reset_at_both_ends_also_while_waiting() {
    let net = SimNet::new(1);
    let (mut near, mut far) = pair(&net).await;
    let waiting = tokio::spawn(async move { near.read_u8().await.map_err(|e| e.kind()) });
    tokio::task::yield_now().await;
    assert_eq!(net.links().len(), 1);
    net.links()[0].cut();
    assert_eq!(waiting.await.expect("no panic"), Err(io::ErrorKind::ConnectionReset));
    assert_eq!(far.write_u8(1).await.map_err(|e| e.kind()), Err(io::ErrorKind::ConnectionReset));
    assert!(net.links().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_held_link_is_silent_until_healed_and_then_loses_nothing() {
    let net = SimNet::new(1);
    let (mut near, mut far) = pair(&net).await;
    let to = net.links()[0].to;
    net.hold(to);
    near.write_all(b"hello").await.expect("held, not cut");
    let mut got = [0; 5];
    assert!(tokio::time::timeout(Duration::from_secs(60), far.read_exact(&mut got)).await.is_err());
    net.heal(to);
    far.read_exact(&mut got).await.expect("healed");
    assert_eq!(&got, b"hello");
}

#[tokio::test(start_paused = true)]
async fn calls_are_refused_where_nobody_listens_or_is_told_to_refuse() {
    let net = SimNet::new(1);
    let refused = |outcome: io::Result<BoxStream>| outcome.err().map(|e| e.kind()) == Some(io::ErrorKind::ConnectionRefused);
    assert!(refused(net.dial(at(1)).await));
    let listener = net.listen(at(1)).await.expect("free");
    net.refuse(at(1));
    assert!(refused(net.dial(at(1)).await));
    net.heal(at(1));
    assert!(net.dial(at(1)).await.is_ok());
    drop(listener);
    assert!(refused(net.dial(at(1)).await));
}

#[tokio::test(start_paused = true)]
async fn a_full_stream_makes_its_writer_wait() {
    let net = SimNet::new(1);
    let (mut near, mut far) = pair(&net).await;
    let writing = tokio::spawn(async move { near.write_all(&vec![7; CAPACITY + 1]).await });
    tokio::task::yield_now().await;
    assert!(!writing.is_finished());
    let mut got = vec![0; CAPACITY + 1];
    far.read_exact(&mut got).await.expect("open");
    writing.await.expect("no panic").expect("open");
}

#[tokio::test]
async fn names_resolve_as_told_and_literals_as_themselves() {
    let net = SimNet::new(1);
    net.name("smsc.example", &[IpAddr::from([10, 1, 1, 1]), IpAddr::from([10, 1, 1, 2])]);
    assert_eq!(net.resolve("smsc.example", 2775).await.expect("named").len(), 2);
    assert_eq!(net.resolve("::1", 5).await.expect("literal")[0].to_string(), "[::1]:5");
    assert!(net.resolve("other.example", 1).await.is_err());
}
