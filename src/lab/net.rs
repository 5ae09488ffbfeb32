//! A network in memory: ports by address, ordered streams with latency drawn from a seed, and handles to cut a
//! link, hold it (a black hole until healed: as with TCP, nothing is lost while both ends wait) or refuse calls.
//! Not a model of packets: octets are never lost or reordered inside a stream.

use super::chance::{Chance, mix};
use crate::world::{BoxFuture, BoxListener, BoxStream, Listener, Net};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Octets one direction of a stream holds before its writer waits.
const CAPACITY: usize = 256 * 1024;

/// How streams behave; applies to octets written from now on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// The least latency one way.
    pub latency_min: Duration,
    /// The greatest latency one way.
    pub latency_max: Duration,
    /// The most octets one read returns, drawn from 1 to this; 0 = as many as there are.
    pub chunk_max: usize,
}

/// The network. Clones are the same network.
#[derive(Clone)]
pub struct SimNet(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    weather: Weather,
    ports: BTreeMap<SocketAddr, Port>,
    names: BTreeMap<String, Vec<IpAddr>>,
    refused: BTreeSet<SocketAddr>,
    held: BTreeSet<SocketAddr>,
    links: Vec<Link>,
    next_port: u16,
}

#[derive(Clone)]
struct Port {
    calls: Arc<Mutex<VecDeque<(BoxStream, SocketAddr)>>>,
    rang: Arc<Notify>,
}

/// One open stream, seen from outside.
#[derive(Clone)]
pub struct Link {
    /// The caller's address.
    pub from: SocketAddr,
    /// The port called.
    pub to: SocketAddr,
    wires: [Weak<Mutex<Wire>>; 2],
}

/// One direction of a stream.
#[derive(Default)]
struct Wire {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// Octets of the first chunk already read.
    read: usize,
    octets: usize,
    last_due: Option<Instant>,
    writer_gone: bool,
    reader_gone: bool,
    reset: bool,
    held: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere fails its test by itself; the data are plain queues, valid at every step.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Link {
    /// Both ends see a reset; what was under way is lost.
    pub fn cut(&self) {
        self.each(|wire| wire.reset = true);
    }
    /// Nothing arrives any more, and nobody is told.
    pub fn hold(&self) {
        self.each(|wire| wire.held = true);
    }
    /// What was held arrives.
    pub fn heal(&self) {
        self.each(|wire| wire.held = false);
    }
    /// True while both ends live and the link is not cut.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wires.iter().all(|wire| {
            wire.upgrade().is_some_and(|wire| {
                let wire = lock(&wire);
                !wire.reset && !wire.writer_gone && !wire.reader_gone
            })
        })
    }
    fn each(&self, change: impl Fn(&mut Wire)) {
        for wire in self.wires.iter().filter_map(Weak::upgrade) {
            let mut wire = lock(&wire);
            change(&mut wire);
            wire.wake();
        }
    }
}

impl SimNet {
    /// An empty network; latencies and chunks are drawn from the seed.
    #[must_use]
    pub fn new(seed: u64) -> SimNet {
        SimNet(Arc::new(Mutex::new(State {
            chance: Chance::new(mix(seed ^ 0x006E_6574)),
            weather: Weather::default(),
            ports: BTreeMap::new(),
            names: BTreeMap::new(),
            refused: BTreeSet::new(),
            held: BTreeSet::new(),
            links: Vec::new(),
            next_port: 40_000,
        })))
    }

    /// Changes latency and chunking of all streams.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.0).weather = weather;
    }

    /// Gives a name addresses.
    pub fn name(&self, host: &str, addresses: &[IpAddr]) {
        lock(&self.0).names.insert(host.into(), addresses.into());
    }

    /// Calls to this address are refused from now on, although somebody may listen.
    pub fn refuse(&self, to: SocketAddr) {
        lock(&self.0).refused.insert(to);
    }

    /// The streams to this address and calls to it hang until `heal`.
    pub fn hold(&self, to: SocketAddr) {
        lock(&self.0).held.insert(to);
        self.links_to(to).iter().for_each(Link::hold);
    }

    /// Ends `refuse` and `hold`. Calls that hung stay lost, as callers time out.
    pub fn heal(&self, to: SocketAddr) {
        let mut state = lock(&self.0);
        state.refused.remove(&to);
        state.held.remove(&to);
        drop(state);
        self.links_to(to).iter().for_each(Link::heal);
    }

    /// Cuts the streams to this address and returns how many.
    pub fn cut(&self, to: SocketAddr) -> usize {
        let links = self.links_to(to);
        links.iter().for_each(Link::cut);
        links.len()
    }

    /// The open streams, in the order they were made.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut state = lock(&self.0);
        state.links.retain(Link::is_open);
        state.links.clone()
    }

    /// The open streams to one address.
    #[must_use]
    pub fn links_to(&self, to: SocketAddr) -> Vec<Link> {
        self.links().into_iter().filter(|link| link.to == to).collect()
    }

    fn latency(&self) -> Duration {
        let mut state = lock(&self.0);
        let Weather { latency_min, latency_max, .. } = state.weather;
        Duration::from_micros(state.chance.between(latency_min.as_micros() as u64, latency_max.as_micros() as u64))
    }

    fn chunk(&self, wanted: usize) -> usize {
        let mut state = lock(&self.0);
        match state.weather.chunk_max {
            0 => wanted,
            most => wanted.min(state.chance.between(1, most as u64) as usize),
        }
    }

    async fn call(&self, to: SocketAddr) -> io::Result<BoxStream> {
        tokio::time::sleep(self.latency()).await;
        if lock(&self.0).held.contains(&to) {
            std::future::pending::<()>().await;
        }
        let mut state = lock(&self.0);
        let port = state.ports.get(&to).filter(|_| !state.refused.contains(&to)).cloned();
        let port = port.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        state.next_port = state.next_port.checked_add(1).unwrap_or(20_000);
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), state.next_port);
        let (there, back) = (Arc::new(Mutex::new(Wire::default())), Arc::new(Mutex::new(Wire::default())));
        state.links.push(Link { from, to, wires: [Arc::downgrade(&there), Arc::downgrade(&back)] });
        drop(state);
        let near = End { net: self.clone(), read: back.clone(), write: there.clone(), timer: None };
        let far = End { net: self.clone(), read: there, write: back, timer: None };
        lock(&port.calls).push_back((Box::new(far), from));
        port.rang.notify_one();
        Ok(Box::new(near))
    }
}

impl Net for SimNet {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.call(to))
    }
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        Box::pin(async move {
            let mut state = lock(&self.0);
            let mut at = at;
            if at.port() == 0 {
                state.next_port = state.next_port.checked_add(1).unwrap_or(20_000);
                at.set_port(state.next_port);
            }
            if state.ports.contains_key(&at) {
                return Err(io::Error::from(io::ErrorKind::AddrInUse));
            }
            let port = Port { calls: Arc::default(), rang: Arc::default() };
            state.ports.insert(at, port.clone());
            Ok(Box::new(SimPort { net: self.clone(), at, port }) as BoxListener)
        })
    }
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            if let Ok(literal) = host.parse::<IpAddr>() {
                return Ok(vec![SocketAddr::new(literal, port)]);
            }
            let state = lock(&self.0);
            match state.names.get(host) {
                Some(addresses) => Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect()),
                None if host == "localhost" => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)]),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        })
    }
}

struct SimPort {
    net: SimNet,
    at: SocketAddr,
    port: Port,
}

impl Listener for SimPort {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>> {
        Box::pin(async move {
            loop {
                if let Some(call) = lock(&self.port.calls).pop_front() {
                    return Ok(call);
                }
                self.port.rang.notified().await;
            }
        })
    }
    fn local_addr(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for SimPort {
    fn drop(&mut self) {
        lock(&self.net.0).ports.remove(&self.at);
    }
}

/// One end of a stream.
struct End {
    net: SimNet,
    read: Arc<Mutex<Wire>>,
    write: Arc<Mutex<Wire>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Drawn before the wire is locked: the network's lock always comes first.
        let wanted = self.net.chunk(buffer.remaining());
        let shared = self.read.clone();
        loop {
            let mut wire = lock(&shared);
            if wire.reset {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            }
            let due = match wire.chunks.front() {
                _ if wire.held => None,
                Some((due, _)) if *due <= Instant::now() => {
                    wire.give(buffer, wanted);
                    return Poll::Ready(Ok(()));
                }
                Some((due, _)) => Some(*due),
                None if wire.writer_gone => return Poll::Ready(Ok(())),
                None => None,
            };
            // Also while octets are under way: a cut must be seen before they are due.
            wire.reader = Some(cx.waker().clone());
            drop(wire);
            let Some(due) = due else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

impl Wire {
    /// Moves what is due into the reader's buffer, at most `wanted` octets.
    fn give(&mut self, buffer: &mut ReadBuf<'_>, wanted: usize) {
        let (now, mut left) = (Instant::now(), wanted);
        while let Some((due, chunk)) = self.chunks.front()
            && *due <= now
            && left > 0
        {
            let count = left.min(chunk.len() - self.read);
            buffer.put_slice(&chunk[self.read..self.read + count]);
            (self.read, self.octets, left) = (self.read + count, self.octets - count, left - count);
            if self.read == chunk.len() {
                self.chunks.pop_front();
                self.read = 0;
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let latency = self.net.latency();
        let mut wire = lock(&self.write);
        if wire.reset {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        if wire.reader_gone || wire.writer_gone {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let room = CAPACITY - wire.octets;
        if room == 0 {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(octets.len());
        // Streams are ordered: a later write never overtakes an earlier one.
        let due = (Instant::now() + latency).max(wire.last_due.unwrap_or_else(Instant::now));
        wire.last_due = Some(due);
        wire.octets += count;
        wire.chunks.push_back((due, octets[..count].to_vec()));
        if let Some(reader) = wire.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.write);
        wire.writer_gone = true;
        wire.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut wire = lock(&self.write);
        wire.writer_gone = true;
        wire.wake();
        drop(wire);
        let mut wire = lock(&self.read);
        wire.reader_gone = true;
        wire.wake();
    }
}

#[cfg(test)]
mod tests {
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
}
