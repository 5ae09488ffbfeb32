//! The far side as a program: a simulated SMSC, a webhook sink, or both, on real sockets. One JSON line of
//! counters a second (or as often as asked) goes to standard output, and a last one when the program is told to stop. Examples:
//!
//! ```text
//! peers smsc --listen 127.0.0.1:2775 --personality slow.toml -p throttle_per_s=500 --record submits.ndjson
//! peers sink --listen 127.0.0.1:9009 --secret whsec_… --mode 503
//! peers all --smsc-listen 127.0.0.1:0 --sink-listen 127.0.0.1:0 --port-file ports
//! ```

use anyhow::{Context, anyhow, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use relais::lab::personality::Personality;
use relais::lab::record::{Keep, LogText, RecordOptions, Recorder, TokenRule};
use relais::lab::sink::KeepEvents;
use relais::lab::{Options, Sink, SinkHandle, SinkMode, SinkOptions, Smsc, SmscHandle};
use relais::world::{World, tls};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Simulated peers for a gateway: an SMSC and a webhook sink.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A simulated SMSC.
    Smsc {
        /// Where it listens; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:2775")]
        listen: SocketAddr,
        #[command(flatten)]
        smsc: SmscArguments,
        #[command(flatten)]
        common: Common,
    },
    /// A webhook sink.
    Sink {
        /// Where it listens; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:9009")]
        listen: SocketAddr,
        #[command(flatten)]
        sink: SinkArguments,
        #[command(flatten)]
        common: Common,
    },
    /// Both.
    All {
        /// Where the SMSC listens.
        #[arg(long, default_value = "127.0.0.1:2775")]
        smsc_listen: SocketAddr,
        /// Where the sink listens.
        #[arg(long, default_value = "127.0.0.1:9009")]
        sink_listen: SocketAddr,
        #[command(flatten)]
        smsc: SmscArguments,
        #[command(flatten)]
        sink: SinkArguments,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// The bound ports are written here, one a line: the SMSC's, then the sink's.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Milliseconds between two lines of counters.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    every: u64,
    /// Threads; one serves more than 100,000 messages a second.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Args)]
struct SmscArguments {
    /// The habits of the SMSC, in TOML or JSON. Without it: the perfect carrier.
    #[arg(long, value_name = "FILE")]
    personality: Option<PathBuf>,
    /// One habit, over the file's: `response_ms=[5,50]`, `statuses=[{"status":"0x58","rate":0.01}]`, `dialect=tlv_only`.
    #[arg(short = 'p', long = "habit", value_name = "NAME=VALUE")]
    habits: Vec<String>,
    /// A JSON line of each submit_sm goes to this file.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The lines hold all octets of the text too.
    #[arg(long, requires = "record")]
    record_octets: bool,
    /// What tells messages apart: `hashes` (between two #), `first:N` or `none`.
    #[arg(long, default_value = "hashes")]
    token: String,
    /// What is kept in memory.
    #[arg(long, value_enum, default_value_t = KeepArgument::Tokens)]
    keep: KeepArgument,
    /// A certificate chain in PEM: TLS from the first octet.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeepArgument {
    /// Counters.
    Counts,
    /// And the tokens seen.
    Tokens,
}

#[derive(Args)]
struct SinkArguments {
    /// The webhook's secret, `whsec_…`; without it signatures are not looked at.
    #[arg(long)]
    secret: Option<String>,
    /// `ok`, a status, `hang`, `drip:MS`, `close` or `redirect:URL`.
    #[arg(long, default_value = "ok")]
    mode: SinkMode,
    /// The first so many requests are answered 500.
    #[arg(long, default_value_t = 0)]
    fail_first: u64,
    /// A JSON line of each event goes to this file.
    #[arg(long, value_name = "FILE")]
    sink_record: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (What::Smsc { common, .. } | What::Sink { common, .. } | What::All { common, .. }) = &arguments.what;
    let runtime = match common.threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    runtime.context("the runtime does not start")?.block_on(run(arguments.what))
}

async fn run(what: What) -> anyhow::Result<()> {
    let world = World::real();
    let (smsc, sink, common) = match what {
        What::Smsc { listen, smsc, common } => (Some(start_smsc(&world, listen, smsc).await?), None, common),
        What::Sink { listen, sink, common } => (None, Some(start_sink(&world, listen, sink).await?), common),
        What::All { smsc_listen, sink_listen, smsc, sink, common } => {
            (Some(start_smsc(&world, smsc_listen, smsc).await?), Some(start_sink(&world, sink_listen, sink).await?), common)
        }
    };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    if let Some(path) = &common.port_file {
        let ports = [smsc.as_ref().map(SmscHandle::local_addr), sink.as_ref().map(SinkHandle::local_addr)];
        write_ports(path, ports.into_iter().flatten())?;
    }
    let mut every = tokio::time::interval(Duration::from_millis(common.every));
    let mut before = 0;
    loop {
        tokio::select! {
            _ = every.tick() => before = report(&world, smsc.as_ref(), sink.as_ref(), before)?,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let (record, at) = (smsc.as_ref().map(SmscHandle::record), world.now().rfc3339());
    let mut last = Map::from_iter([("at".into(), at.into()), ("last".into(), true.into())]);
    if let Some(smsc) = smsc {
        smsc.stop().await;
    }
    if let Some(record) = record {
        record.flush()?;
        last.insert("smsc".into(), smsc_json(&record, 0, 0));
    }
    if let Some(sink) = sink {
        sink.flush()?;
        last.insert("sink".into(), serde_json::to_value(sink.counts())?);
        sink.stop().await;
    }
    print(&Value::Object(last))
}

async fn start_smsc(world: &World, at: SocketAddr, arguments: SmscArguments) -> anyhow::Result<SmscHandle> {
    let personality = personality(arguments.personality.as_deref(), &arguments.habits)?;
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(chain), Some(key)) => Some(tls::Server::new(&read(chain)?, &read(key)?)?),
        _ => None,
    };
    let token = match arguments.token.split_once(':').unwrap_or((&arguments.token, "")) {
        ("hashes", "") => TokenRule::Hashes,
        ("none", "") => TokenRule::None,
        ("first", count) => TokenRule::First(count.parse().ok().filter(|n| *n <= 64).context("first:N takes 0 to 64")?),
        _ => bail!("a token is hashes, first:N or none"),
    };
    let keep = match arguments.keep {
        KeepArgument::Counts => Keep::Counts,
        KeepArgument::Tokens => Keep::Tokens,
    };
    let log_text = if arguments.record_octets { LogText::Octets } else { LogText::Token };
    let record = RecordOptions { token, keep, log: log(arguments.record.as_deref())?, log_text };
    let options = Options { tls, record: Arc::new(Recorder::new(record)), ..Options::default() };
    Smsc::listen(world, at, personality, options).await.with_context(|| format!("the SMSC cannot listen at {at}"))
}

async fn start_sink(world: &World, at: SocketAddr, arguments: SinkArguments) -> anyhow::Result<SinkHandle> {
    let log = log(arguments.sink_record.as_deref())?;
    let options = SinkOptions {
        secret: arguments.secret,
        mode: arguments.mode,
        fail_first: arguments.fail_first,
        log,
        keep: KeepEvents::Ids,
        watch: None,
    };
    Sink::listen(world, at, options).await.with_context(|| format!("the sink cannot listen at {at}"))
}

fn log(path: Option<&Path>) -> anyhow::Result<Option<Box<dyn Write + Send>>> {
    let Some(path) = path else { return Ok(None) };
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 20, file))))
}

/// The file's habits with the flags' laid over them.
fn personality(file: Option<&Path>, flags: &[String]) -> anyhow::Result<Personality> {
    let mut habits = match file {
        None => Map::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let value = match path.extension().is_some_and(|extension| extension == "json") {
                true => serde_json::from_str(&text)?,
                false => table(text.parse::<toml_edit::DocumentMut>()?.as_table())?,
            };
            let Value::Object(habits) = value else { bail!("a personality is a table of habits") };
            habits
        }
    };
    for flag in flags {
        let (name, value) = flag.split_once('=').with_context(|| format!("{flag}: a habit is NAME=VALUE"))?;
        // What is no JSON is a word: dialect=tlv_only.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
        habits.insert(name.into(), value);
    }
    let personality: Personality = serde_json::from_value(Value::Object(habits)).context("the personality")?;
    personality.check().map_err(|why| anyhow!(why))?;
    Ok(personality)
}

/// TOML as JSON; a personality has no dates.
fn table(table: &dyn toml_edit::TableLike) -> anyhow::Result<Value> {
    let mut object = Map::new();
    for (name, item) in table.iter() {
        let value = match item {
            toml_edit::Item::Value(value) => toml_value(value)?,
            toml_edit::Item::Table(inner) => self::table(inner)?,
            toml_edit::Item::ArrayOfTables(tables) => {
                Value::Array(tables.iter().map(|inner| self::table(inner)).collect::<Result<_, _>>()?)
            }
            toml_edit::Item::None => continue,
        };
        object.insert(name.into(), value);
    }
    Ok(Value::Object(object))
}

fn toml_value(value: &toml_edit::Value) -> anyhow::Result<Value> {
    Ok(match value {
        toml_edit::Value::String(text) => json!(text.value()),
        toml_edit::Value::Integer(number) => json!(number.value()),
        toml_edit::Value::Float(number) => json!(number.value()),
        toml_edit::Value::Boolean(flag) => json!(flag.value()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(toml_value).collect::<Result<_, _>>()?),
        toml_edit::Value::InlineTable(inner) => table(inner)?,
        toml_edit::Value::Datetime(_) => bail!("a personality has no dates"),
    })
}

/// Written beside and renamed, so that a reader sees all of it or nothing.
fn write_ports(path: &Path, ports: impl Iterator<Item = SocketAddr>) -> anyhow::Result<()> {
    let text: String = ports.map(|at| format!("{}\n", at.port())).collect();
    let beside = path.with_extension("part");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path).context("the port file")
}

fn smsc_json(record: &Recorder, sessions: usize, waiting: usize) -> Value {
    let mut value = json!(record.counts());
    value["unique_tokens"] = record.unique().into();
    value["repeated_tokens"] = record.repeated().into();
    value["sessions"] = sessions.into();
    value["waiting"] = waiting.into();
    value
}

/// Prints one line; returns the submits so far, for the next rate.
fn report(world: &World, smsc: Option<&SmscHandle>, sink: Option<&SinkHandle>, before: u64) -> anyhow::Result<u64> {
    let mut line = Map::from_iter([("at".into(), world.now().rfc3339().into())]);
    let mut submits = 0;
    if let Some(smsc) = smsc {
        let record = smsc.record();
        record.flush()?;
        submits = record.counts().submits;
        let mut value = smsc_json(&record, smsc.sessions(), smsc.waiting());
        value["submits_this_second"] = (submits - before).into();
        line.insert("smsc".into(), value);
    }
    if let Some(sink) = sink {
        sink.flush()?;
        line.insert("sink".into(), serde_json::to_value(sink.counts())?);
    }
    print(&Value::Object(line))?;
    Ok(submits)
}

/// A line; a reader that went away ends the program.
fn print(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    out.flush().context("standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personality_is_made_of_a_toml_file_and_flags_over_it() {
        let path = std::env::temp_dir().join(format!("personality-{}.toml", std::process::id()));
        let toml = "response_ms = [5, 50]\nmissing = 0.5\nresponse_id = \"hex\"\n[states]\ndelivered = 9\n[[statuses]]\nstatus = 0x58\nrate = 0.01\n";
        std::fs::write(&path, toml).expect("a directory for temporary files");
        let flags = ["missing=0", "dialect=tlv_only", "receipt_ms=20"].map(String::from);
        let habits = personality(Some(&path), &flags).expect("right");
        std::fs::remove_file(&path).expect("just written");
        assert_eq!((habits.response_ms.max_ms, habits.receipt_ms.min_ms, habits.missing), (50, 20, 0.0));
        assert_eq!((habits.statuses[0].status, habits.states.delivered), (0x58, 9.0));
        assert!(personality(None, &["missing=2".into()]).is_err());
        assert!(personality(None, &["misssing=0".into()]).is_err());
    }
}
