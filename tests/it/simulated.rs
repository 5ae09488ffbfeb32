//! The same interface in the simulated world: one thread, a clock that jumps, a network from a seed.

use relais::app::gateway::{Ended, Gateway, Opened};
use relais::base::Span;
use relais::config::{self, KeyHash, MapSecrets};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::record::Recorder;
use relais::lab::{Options, RecordOptions, SimWorld, Smsc, TokenRule};
use relais::storage::memory::Memory;
use relais::telemetry::Metrics;
use relais::world::World;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A gateway of that world, with its carrier at 10.0.0.1.
async fn gateway(world: &World) -> Gateway {
    let pepper = relais::base::Secret::new("0123456789abcdef");
    let text = format!(
        "[secrets]\npepper = \"0123456789abcdef\"\n[http]\nlisten = \"127.0.0.1:8080\"\n[[accounts]]\nname = \"shop\"\n[[accounts.keys]]\n\
         id = \"k\"\nhash = \"{}\"\n[[carriers]]\nname = \"one\"\nhost = \"10.0.0.1\"\nport = 2775\nsystem_id = \"s\"\npassword = \"p\"\n\
         [[routes]]\nprefix = \"\"\ncarrier = \"one\"\n",
        KeyHash::of(&pepper, b"secret").to_hex()
    );
    let config = config::load(&text, &MapSecrets::default()).expect("right");
    let opened = Opened { journal: Box::new(Memory::new()), checkpoint: None };
    Gateway::on(world.clone(), config, opened, Metrics::new(), Calls::Direct).await.expect("it starts")
}

/// A bulk over HTTP to its last submit; the answer, what the carrier saw, and when that was.
fn life(seed: u64) -> (String, u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let world = SimWorld::new(seed).world();
        let habits: Personality =
            serde_json::from_str(&format!(r#"{{"seed":{seed},"response_ms":[1,50],"receipt_ms":[100,3000]}}"#)).expect("habits");
        let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
        let options = Options { record: record.clone(), ..Options::default() };
        let smsc = Smsc::listen(&world, "10.0.0.1:2775".parse().expect("an address"), habits, options).await.expect("it listens");
        let gateway = gateway(&world).await;
        let rows: String = (0..500).map(|n| format!("+336{n:08},SHOP,#{n}#\n")).collect();
        let body = format!("to,from,text\n{rows}");
        let head = format!(
            "POST /v1/batches HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer k.secret\r\ncontent-type: text/csv\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = world.net.dial(gateway.http).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.write_all(body.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        while record.unique() < 500 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let ended = world.mono().0;
        gateway.stop().await;
        smsc.stop().await;
        // The date is hyper's own, from the real clock.
        let answer = answer.lines().filter(|line| !line.starts_with("date:")).collect();
        (answer, record.unique(), ended)
    })
}

#[test]
fn a_bulk_over_http_is_the_same_life_from_the_same_seed() {
    let first = life(7);
    assert_eq!(first.1, 500);
    assert_eq!(life(7), first);
    assert_ne!(life(8).2, first.2);
}

#[test]
fn a_stop_does_not_wait_for_a_client_that_keeps_an_idle_connection_open() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let world = SimWorld::new(3).world();
        let at = "10.0.0.1:2775".parse().expect("an address");
        let smsc = Smsc::listen(&world, at, Personality::default(), Options::default()).await.expect("it listens");
        let gateway = gateway(&world).await;
        let mut stream = world.net.dial(gateway.http).await.expect("it listens");
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("written");
        let mut answer = [0; 1_024];
        let count = stream.read(&mut answer).await.expect("an answer");
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
        let began = world.mono();
        assert_eq!(gateway.stop().await, Ended::Clean);
        // By the simulated clock; the answers it lingers for get two seconds.
        assert!(world.mono().since(began) < Span::secs(1), "{:?}", world.mono().since(began));
        drop(stream);
        smsc.stop().await;
    });
}
