//! `relais demo`: a newcomer types one command and watches a real bulk send go over HTTP, to disk, over SMPP to two
//! simulated carriers, and its receipts come back to a signed webhook. Everything is real but the carriers.

use crate::app::{Gateway, gateway::Ended, keys};
use crate::base::{Secret, Span};
use crate::config::{self, MapSecrets};
use crate::engine::post::{Call, Post};
use crate::engine::reader::Calls;
use crate::lab::sink::{Sink, SinkHandle, SinkOptions};
use crate::lab::smsc::{Options, Smsc, SmscHandle};
use crate::lab::{Keep, Personality, RecordOptions, TokenRule, Workload, record::Recorder};
use crate::message::Status;
use crate::message::outcome::Tally;
use crate::pipeline::webhook::{Rules, Target, check_url};
use crate::telemetry::{Metrics, log};
use crate::world::{World, tls};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The demo's configuration, with words in capitals to be filled in.
const CONFIG: &str = include_str!("../../config/demo.toml");

/// How the demo is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Demo {
    /// Messages to send.
    #[arg(long, default_value_t = 100_000)]
    pub messages: u64,
    /// Messages of one HTTP request.
    #[arg(long, default_value_t = 10_000)]
    pub bulk: u64,
    /// Where the gateway keeps its journal; a temporary directory without it.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Where the HTTP interface listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Stay up after the send, for looking around with curl.
    #[arg(long)]
    pub stay: bool,
}

/// The far side: two carriers and a webhook, on a thread of their own.
struct Peers {
    north: SmscHandle,
    south: SmscHandle,
    sink: SinkHandle,
}

/// Runs the demo; the exit status is 0 only when every count adds up.
pub async fn run(world: World, demo: Demo) -> anyhow::Result<u8> {
    let _ = log::start(tracing::Level::WARN, log::Form::Text, world.clock.clone());
    let webhook_secret = keys::webhook_secret(&world);
    let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, keep: Keep::Tokens, ..RecordOptions::default() }));
    let peers = far_side(&world, &record, &webhook_secret).await?;
    let dir = Directory::new(&world, demo.dir.clone())?;
    let pepper = Secret::new("a pepper for the demo alone");
    let key = keys::make(&world, "demo", &pepper);
    let text = CONFIG
        .replace("DATA_DIR", &dir.path.display().to_string())
        .replace("HTTP_LISTEN", &demo.listen.to_string())
        .replace("KEY_HASH", &key.hash)
        .replace("NORTH_PORT", &peers.north.local_addr().port().to_string())
        .replace("SOUTH_PORT", &peers.south.local_addr().port().to_string())
        .replace("SINK_PORT", &peers.sink.local_addr().port().to_string());
    let secrets = MapSecrets::default()
        .with_env("DEMO_PEPPER", pepper.expose())
        .with_env("DEMO_CARRIER", "demopass")
        .with_env("DEMO_WEBHOOK", &webhook_secret);
    let config = config::load(&text, &secrets).map_err(|mistakes| anyhow::anyhow!(config::report("config/demo.toml", &mistakes)))?;
    let started = Gateway::start(world.clone(), config, Metrics::new(), Calls::Threads).await;
    let gateway = started.with_context(|| format!("the gateway does not start at {} (another address: --listen)", demo.listen))?;
    say(&format!("gateway on http://{}, its journal in {}", gateway.http, dir.path.display()));
    say(&format!("carriers on {} and {}, webhook on {}\n", peers.north.local_addr(), peers.south.local_addr(), peers.sink.local_addr()));

    let began = world.mono();
    let batches = post(&world, &gateway, &demo, &key.shown, &peers, &record).await?;
    let tally = follow(&world, &gateway, &demo, &batches, &peers, &record).await?;
    let took = world.mono().since(began);
    let sums_up = table(&demo, tally, &peers, &record, took);
    say(&format!("\nLook around (the key is for this run alone):\n  KEY={}", key.shown));
    let batch = batches.first().context("no bulk was sent")?;
    for path in [format!("/v1/batches/{batch}"), format!("/v1/messages?batch={batch}&limit=3"), "/v1/carriers".into()] {
        say(&format!("  curl -H \"Authorization: Bearer $KEY\" 'http://{}{path}'", gateway.http));
    }
    say(&format!("  curl http://{0}/metrics     curl http://{0}/openapi.json", gateway.http));
    if demo.stay {
        say("\nStaying up; Ctrl-C ends it.");
        let _ = tokio::signal::ctrl_c().await;
    }
    let ended = gateway.stop().await;
    drop(dir);
    Ok(if sums_up && ended == Ended::Clean { 0 } else { 1 })
}

async fn far_side(world: &World, record: &Arc<Recorder>, secret: &str) -> anyhow::Result<Peers> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (inner, record, secret) = (world.clone(), record.clone(), secret.to_owned());
    let finished = world.start.start(
        "peers",
        Box::new(move || {
            Box::pin(async move {
                let _ = tell.send(listen(&inner, &record, secret).await);
                std::future::pending::<()>().await;
            })
        }),
    );
    tokio::spawn(finished);
    Ok(told.await.context("the far side did not start")??)
}

async fn listen(world: &World, record: &Arc<Recorder>, secret: String) -> std::io::Result<Peers> {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let habits = |json: &str| -> Personality { serde_json::from_str(json).expect("the demo's habits are right") };
    let options = || Options { record: record.clone(), ..Options::default() };
    // The northern carrier writes ids in two bases; both refuse a little and deliver nearly all.
    let north = habits(
        r#"{"seed":1,"check":"fast","response_ms":[1,5],"receipt_ms":[20,400],"response_id":"hex","receipt_id":"decimal:10",
            "states":{"delivered":0.97,"undeliverable":0.03}}"#,
    );
    let south = habits(r#"{"seed":2,"check":"fast","response_ms":[1,5],"receipt_ms":[20,400],"states":{"delivered":0.98,"expired":0.02}}"#);
    let sink = SinkOptions { secret: Some(secret), ..SinkOptions::default() };
    Ok(Peers {
        north: Smsc::listen(world, any, north, options()).await?,
        south: Smsc::listen(world, any, south, options()).await?,
        sink: Sink::listen(world, any, sink).await?,
    })
}

/// Posts the whole file, bulk after bulk; the bulks' ids.
async fn post(world: &World, gateway: &Gateway, demo: &Demo, key: &str, peers: &Peers, record: &Recorder) -> anyhow::Result<Vec<String>> {
    let workload = Workload { message: ", your order is on its way to you. Its code is ".into(), ..Workload::new(world.mono().0) };
    let target = target(gateway.http, "/v1/batches")?;
    let mut client = Post::new(world.clone(), tls::Client::new(None)?, None);
    let mut ids = Vec::new();
    for (number, range) in Workload::chunks(demo.messages, demo.bulk).enumerate() {
        let mut body = Vec::new();
        workload.json(range, &mut body);
        let headers = [
            ("authorization", format!("Bearer {key}")),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", format!("demo-{number}")),
        ];
        let call =
            Call { method: hyper::Method::POST, target: &target, headers: &headers, body: Bytes::from(body), timeout: Span::secs(120) };
        let reply = client.call(&call).await?;
        let text = String::from_utf8_lossy(&reply.body);
        if reply.status != 202 {
            bail!("bulk {number} was answered with {}: {text}", reply.status);
        }
        let id = text.split("\"batch\":\"").nth(1).and_then(|rest| rest.split('"').next()).context("an answer without a batch id")?;
        ids.push(id.to_owned());
        progress(gateway, demo, peers, record).await;
    }
    Ok(ids)
}

/// Follows the bulks until every message is final and told to the webhook.
async fn follow(
    world: &World,
    gateway: &Gateway,
    demo: &Demo,
    batches: &[String],
    peers: &Peers,
    record: &Recorder,
) -> anyhow::Result<Tally> {
    let limit = world.mono() + Span::secs(600);
    loop {
        let mut sum = Tally::default();
        for batch in batches {
            let id = batch.parse().map_err(|()| anyhow::anyhow!("{batch} is no batch id"))?;
            sum.add(&gateway.engine.tally(id).await?);
        }
        let open: u32 = Status::ALL.iter().filter(|status| !status.is_final()).map(|status| sum.of(*status)).sum();
        let told = peers.sink.counts().finals;
        progress(gateway, demo, peers, record).await;
        if open == 0 && told >= u64::from(sum.total()) {
            return Ok(sum);
        }
        if world.mono() > limit {
            bail!("after ten minutes {open} messages are still open and {told} have been told");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn progress(gateway: &Gateway, demo: &Demo, peers: &Peers, record: &Recorder) {
    let views = gateway.engine.carriers().await;
    let submitted: u64 = views.iter().map(|view| view.counts.written).sum();
    let delivered: u64 = views.iter().map(|view| view.counts.receipts).sum();
    let accepted: u64 = views.iter().map(|view| view.counts.loaded).sum();
    let told = peers.sink.counts().finals;
    let end = if std::io::stderr().is_terminal() { '\r' } else { '\n' };
    let _ = write!(
        std::io::stderr(),
        "accepted {accepted:>7}   submitted {submitted:>7}   receipts {delivered:>7}   told {told:>7}   of {} (carriers saw {}){end}",
        demo.messages,
        record.unique(),
    );
}

/// The sums at the end; whether they add up.
fn table(demo: &Demo, tally: Tally, peers: &Peers, record: &Recorder, took: Span) -> bool {
    let sink = peers.sink.counts();
    say(&format!(
        "\n\n{} messages in {:.2} s, from the first request to the last webhook: {:.0} a second\n",
        demo.messages,
        took.as_secs_f64(),
        demo.messages as f64 / took.as_secs_f64()
    ));
    say("  outcome                  messages");
    for status in Status::ALL.into_iter().filter(|status| tally.of(*status) > 0) {
        say(&format!("    {:<22} {:>8}", status.word(), tally.of(status)));
    }
    say(&format!("    {:<22} {:>8}", "sum", tally.total()));
    let seen = record.unique();
    let rows: [(&str, u64, u64); 5] = [
        ("accepted = asked", u64::from(tally.total()), demo.messages),
        ("seen by the carriers, each once", seen, demo.messages),
        ("seen twice", record.repeated(), 0),
        ("told final to the webhook", sink.finals, demo.messages),
        ("webhook signatures that were wrong", sink.bad_signatures, 0),
    ];
    say("\n  check                                      found   expected");
    for (what, found, expected) in rows {
        let mark = if found == expected { "" } else { "   <- does not add up" };
        say(&format!("    {what:<36} {found:>9}  {expected:>9}{mark}"));
    }
    rows.iter().all(|(_, found, expected)| found == expected)
}

fn target(at: SocketAddr, path: &str) -> anyhow::Result<Target> {
    let rules = Rules { allow_loopback: true, allow_private: true, allow_http: true, ports: vec![at.port()] };
    check_url(&format!("http://{at}{path}"), &rules).map_err(|fault| anyhow::anyhow!("{at}: {fault}"))
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// The data directory; a temporary one is removed at the end.
struct Directory {
    path: PathBuf,
    is_temporary: bool,
}

impl Directory {
    fn new(world: &World, given: Option<PathBuf>) -> anyhow::Result<Directory> {
        use crate::world::Entropy64 as _;
        let is_temporary = given.is_none();
        let path = given.unwrap_or_else(|| std::env::temp_dir().join(format!("relais-demo-{:08x}", world.entropy.next_u64() as u32)));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Directory { path, is_temporary })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
