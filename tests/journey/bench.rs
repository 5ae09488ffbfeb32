//! An engine with one carrier, and messages put straight into the journal stage.

use relais::base::BatchId;
use relais::config::{self, Config, MapSecrets};
use relais::engine::reader::Calls;
use relais::engine::{Engine, Refused, Running, WhenFull};
use relais::message::outcome::Tally;
use relais::message::{Class, Composed, DoubtPolicy, Encoding, Reference, Status};
use relais::pipeline::journal::{Acceptance, Drafts, Start};
use relais::storage::{BatchRow, Journal};
use relais::telemetry::Metrics;
use relais::world::World;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A configuration with one carrier at `smsc`; `carrier` and `rest` are added to its sections.
pub(crate) fn config(smsc: SocketAddr, carrier: &str, rest: &str) -> Config {
    let text = format!(
        "[secrets]\npepper = \"0123456789abcdef\"\n[[accounts]]\nname = \"shop\"\n[[accounts.keys]]\nid = \"k\"\nhash = \"{}\"\n\
         [[carriers]]\nname = \"one\"\nhost = \"{}\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\nwindow = 100\n\
         reconnect_min = \"100ms\"\nreconnect_max = \"1s\"\nambiguity_hold = \"1s\"\n{carrier}\n\
         [[routes]]\nprefix = \"\"\ncarrier = \"one\"\n{rest}\n",
        "00".repeat(32),
        smsc.ip(),
        smsc.port(),
    );
    config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("test", &mistakes)))
}

pub(crate) async fn engine(world: &World, config: Config, journal: Box<dyn Journal>, calls: Calls) -> Running {
    let read = |path: &std::path::Path| std::fs::read(path);
    relais::engine::start(world.clone(), Arc::new(config), journal, Metrics::new(), calls, relais::engine::Files::plain(&read))
        .await
        .expect("it starts")
}

/// What messages of a bulk are like.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub parts: u32,
    pub doubt: DoubtPolicy,
}

/// Puts a bulk of `count` messages into the journal; its id, when it is durable. Tokens in the texts are `#n#`.
pub(crate) async fn bulk(engine: &Engine, count: u32, kind: Kind) -> BatchId {
    try_bulk(engine, count, kind).await.expect("it is taken")
}

/// The same, which may be refused.
pub(crate) async fn try_bulk(engine: &Engine, count: u32, kind: Kind) -> Result<BatchId, Refused> {
    let batch = BatchId(engine.ids.take(engine.world.now()));
    let mut drafts = Drafts::new("shop", Some(batch), &["one".to_owned()], 500);
    for n in 0..count {
        let mut text = format!("#{n}# ").into_bytes();
        text.resize(if kind.parts == 1 { 60 } else { 150 * kind.parts as usize }, b'x');
        let ends: Vec<u32> = (1..=kind.parts).map(|part| text.len() as u32 * part / kind.parts).collect();
        let message = Composed {
            to: relais::base::Msisdn::from_u64(33_600_000_000 + u64::from(n)).expect("a number"),
            from: "SHOP",
            client_ref: &format!("r{n}"),
            encoding: Encoding::Gsm7,
            octets: &text,
            ends: &ends,
            reference: Reference::Narrow,
            class: Class::Transactional,
            doubt: kind.doubt,
            lifetime: relais::base::Span::secs(86_400),
            line: n,
            extras: relais::message::Extras::default(),
        };
        drafts.push(&message, 0, Start::NOW);
    }
    let row = BatchRow { id: batch, account: "shop".into(), at: engine.world.now(), received: count, accepted: count, detail: vec![] };
    let acceptance = Acceptance { frames: drafts.take(), seal: Some(row), ..Acceptance::default() };
    let taken = engine.take(acceptance, WhenFull::Wait).await?;
    engine.durable(taken).await?;
    Ok(batch)
}

/// Waits until every message of a bulk is final; where they stand.
pub(crate) async fn settled(engine: &Engine, batch: BatchId, limit: Duration) -> Tally {
    let end = engine.world.mono() + relais::base::Span(limit.as_micros() as u64);
    loop {
        let tally = engine.tally(batch).await.expect("readable");
        let open: u32 = Status::ALL.iter().filter(|status| !status.is_final()).map(|status| tally.of(*status)).sum();
        if open == 0 && tally.total() > 0 {
            return tally;
        }
        assert!(engine.world.mono() < end, "not settled in time: {tally:?}, {:?}", engine.carriers().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stops an engine as a SIGTERM does.
pub(crate) async fn stop(running: Running) {
    running.engine.drain();
    running.engine.stop_shards();
    let (mut writer, mut rest) = (None, Vec::new());
    for (name, part) in running.parts {
        if name == "journal" { writer = Some(part) } else { rest.push(part) }
    }
    for part in rest {
        part.await.expect("a part ends without panic");
    }
    running.engine.stop_writer();
    writer.expect("there is a writer").await.expect("the writer ends without panic");
}
