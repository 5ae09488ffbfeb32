//! `relais send`: posts a CSV or NDJSON file to a gateway in bulks, each under an idempotency key made of the file,
//! so that a broken-off run can simply be repeated: what was accepted is not accepted twice.

use crate::app::output::println;
use crate::base::Span;
use crate::engine::post::{Call, Post};
use crate::pipeline::webhook::{Rules, Target, check_url};
use crate::world::{World, tls};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// What to send, and where.
#[derive(Clone, Debug, clap::Args)]
pub struct Send {
    /// The file: .csv (with a header naming `to` and the parameters) or .ndjson (a message a line).
    pub file: PathBuf,
    /// The gateway.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// A file whose only line is the API key; without it the variable RELAIS_KEY is read.
    #[arg(long)]
    pub key_file: Option<PathBuf>,
    /// The sender of messages that name none.
    #[arg(long)]
    pub from: Option<String>,
    /// The text of messages that have none; {{name}} is filled from the columns.
    #[arg(long)]
    pub text: Option<String>,
    /// The class of messages that name none: otp, transactional, service, marketing.
    #[arg(long)]
    pub class: Option<String>,
    /// Lines of one bulk.
    #[arg(long, default_value_t = 10_000)]
    pub lines: usize,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    received: u64,
    accepted: u64,
    refused: u64,
}

/// Sends the file; fails when a bulk is refused as a whole.
#[allow(clippy::disallowed_methods)]
pub async fn send(world: World, send: Send) -> anyhow::Result<()> {
    let is_csv = match send.file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => true,
        Some("ndjson" | "jsonl") => false,
        _ => bail!("{}: expected a name ending in .csv or .ndjson", send.file.display()),
    };
    let key = match &send.key_file {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?.trim().to_owned(),
        None => std::env::var("RELAIS_KEY").context("no API key: give --key-file, or set RELAIS_KEY")?,
    };
    let query = query(&send);
    let any = Rules { allow_loopback: true, allow_private: true, allow_http: true, ports: vec![] };
    let target = target(&format!("{}/v1/batches{query}", send.url.trim_end_matches('/')), &any)?;
    let mut post = Post::new(world.clone(), tls::Client::new(None)?, None);
    let size = std::fs::metadata(&send.file).with_context(|| send.file.display().to_string())?.len();
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(&send.file)?);
    let mut header = Vec::new();
    if is_csv {
        lines.read_until(b'\n', &mut header)?;
    }
    let (mut sum, mut done, mut chunk) = (Sum::default(), header.len() as u64, 0u64);
    let began = world.mono();
    loop {
        let mut body = header.clone();
        let mut count = 0;
        while count < send.lines.max(1) && lines.read_until(b'\n', &mut body)? > 0 {
            count += 1;
        }
        if count == 0 {
            break;
        }
        done += (body.len() - header.len()) as u64;
        chunk += 1;
        let answer = one(&mut post, &world, &target, &key, is_csv, chunk, body).await?;
        sum.received += answer.received;
        sum.accepted += answer.accepted;
        sum.refused += answer.refused;
        progress(&sum, done, size, world.mono().since(began));
    }
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr());
    }
    println(&format!("{} lines: {} accepted, {} refused", sum.received, sum.accepted, sum.refused));
    Ok(())
}

/// One bulk, tried again while the gateway or the network cannot.
async fn one(post: &mut Post, world: &World, target: &Target, key: &str, is_csv: bool, chunk: u64, body: Vec<u8>) -> anyhow::Result<Sum> {
    let mut hash = Sha256::new();
    hash.update(target.path.as_bytes());
    hash.update(chunk.to_le_bytes());
    hash.update(&body);
    let digest: String = hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect();
    let body = Bytes::from(body);
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", if is_csv { "text/csv".to_owned() } else { "application/x-ndjson".to_owned() }),
        ("idempotency-key", format!("send-{digest}")),
    ];
    let mut wait = Span::millis(200);
    for _ in 0..30 {
        let call = Call { method: hyper::Method::POST, target, headers: &headers, body: body.clone(), timeout: Span::secs(120) };
        match post.call(&call).await {
            Ok(reply) if reply.status == 202 => return counts(&reply.body),
            Ok(reply) if matches!(reply.status, 409 | 429 | 503) => {
                let asked = reply.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                wait = asked.map_or(wait, Span::secs);
            }
            Ok(reply) => bail!("the gateway refused bulk {chunk} with {}: {}", reply.status, String::from_utf8_lossy(&reply.body)),
            Err(fault) => tracing::warn!(%fault, "bulk not answered; tried again under the same key"),
        }
        tokio::time::sleep(wait.std()).await;
        wait = Span((wait.0 * 2).min(Span::secs(10).0));
    }
    let _ = world;
    bail!("bulk {chunk} was not answered; run the same command again to go on where it stopped")
}

/// The counters at the head of an answer; its results may be longer than what was read.
fn counts(body: &[u8]) -> anyhow::Result<Sum> {
    let text = String::from_utf8_lossy(body);
    let number = |name: &str| -> anyhow::Result<u64> {
        let at = text.find(&format!("\"{name}\":")).with_context(|| format!("the answer lacks {name}"))?;
        let digits: String = text[at + name.len() + 3..].chars().skip_while(|c| *c == ' ').take_while(char::is_ascii_digit).collect();
        digits.parse().with_context(|| format!("the answer's {name} is no number"))
    };
    Ok(Sum { received: number("received")?, accepted: number("accepted")?, refused: number("refused")? })
}

fn query(send: &Send) -> String {
    let fields = [("from", &send.from), ("text", &send.text), ("class", &send.class)];
    let given: Vec<String> = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_deref()?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// Percent-encoding of everything but the unreserved characters (RFC 3986 §2.3).
fn escape(value: &str) -> String {
    let mut out = String::new();
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

/// A server named on the command line: any port, http allowed.
fn target(url: &str, rules: &Rules) -> anyhow::Result<Target> {
    let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split(['/', '?']).next()?.parse::<u16>().ok());
    let rules = Rules { ports: port.into_iter().chain([80, 443]).collect(), ..rules.clone() };
    check_url(url, &rules).map_err(|fault| anyhow::anyhow!("--url: {fault}"))
}

fn progress(sum: &Sum, done: u64, size: u64, since: Span) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let share = done as f64 / size.max(1) as f64;
    let filled = (share * 30.0) as usize;
    let bar: String = (0..30).map(|n| if n < filled { '█' } else { '·' }).collect();
    let rate = sum.received as f64 / since.as_secs_f64().max(1e-3);
    let _ = write!(std::io::stderr(), "\r{bar} {:3.0}%  {} lines, {} refused, {rate:.0}/s ", share * 100.0, sum.received, sum.refused);
}
