//! Kannel beside Relais: the same texts to the same SMSC in one run, each through its own HTTP interface, and the
//! ratio. Kannel at its fair best: two binds, `max-pending-submits` 100, kept-alive requests, no access log; once with
//! its store in memory (what it has accepted dies with it) and once in files. Relais always commits to disk before it
//! answers, signs its webhooks, and is asked for single messages as Kannel is, and then for bulks.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

use super::client::Client;
use super::histogram::{Histogram, round};
use super::process::{Process, Programs, Usage, ports};
use super::run;
use super::scenario::{Kind, Phase, Scenario};
use super::stage::Directory;
use anyhow::{Context as _, bail};
use relais::lab::Workload;
use relais::world::{BoxStream, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Kept-alive connections to `sendsms`.
const CONNECTIONS: usize = 64;
/// Nothing moves for so long: what is missing does not come.
const QUIET: Duration = Duration::from_secs(30);

/// Where Kannel's messages are until they are submitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Memory,
    File,
}

/// Measures both; prints a table and a line of JSON. `messages` is Kannel's share; Relais gets enough to run for seconds.
pub(crate) async fn beside(world: &World, messages: u64, seed: u64, directory: Directory) -> anyhow::Result<bool> {
    let memory = kannel(world, messages, seed, &directory.path.join("kannel-memory"), Store::Memory).await?;
    let file = kannel(world, messages, seed, &directory.path.join("kannel-file"), Store::File).await?;
    let singles = relais(world, messages.max(200_000), seed, &directory.path, Kind::Single).await?;
    let bulks = relais(world, messages.max(1_000_000), seed, &directory.path, Kind::Bulk).await?;
    let rows = [
        ("Kannel, store in memory", &memory),
        ("Kannel, store in files", &file),
        ("Relais, single messages", &singles),
        ("Relais, bulks of 5,000", &bulks),
    ];
    println!("                           messages   end to end/s   CPU-s/million   peak MiB   against Kannel in memory");
    let figure = |row: &Value, key: &str| row[key].as_f64().unwrap_or(0.0);
    let base = figure(&memory, "end_to_end_per_s").max(1e-9);
    for (name, row) in rows {
        let (rate, cpu) = (figure(row, "end_to_end_per_s"), figure(row, "gateway_cpu_s_per_million"));
        let (count, peak) = (figure(row, "messages"), figure(row, "gateway_peak_mib"));
        println!("{name:<26} {count:>8} {rate:>14.0} {cpu:>15.2} {peak:>10.0} {:>10.1} times", rate / base);
    }
    let ratio = |row: &Value, to: &Value, key: &str| round(figure(row, key) / figure(to, key).max(1e-9));
    let cheaper = |row: &Value| ratio(&memory, row, "gateway_cpu_s_per_million");
    let adds_up = rows.iter().all(|(_, row)| row["adds_up"] == Value::Bool(true));
    println!(
        "{}",
        json!({
            "scenario": "beside-kannel", "messages": messages, "kannel_memory": memory, "kannel_file": file,
            "relais_singles": brief(&singles), "relais_bulks": brief(&bulks),
            "ratio": {
                "singles_to_kannel_memory": ratio(&singles, &memory, "end_to_end_per_s"),
                "singles_to_kannel_file": ratio(&singles, &file, "end_to_end_per_s"),
                "bulks_to_kannel_memory": ratio(&bulks, &memory, "end_to_end_per_s"),
                "bulks_to_kannel_file": ratio(&bulks, &file, "end_to_end_per_s"),
                "kannel_memory_cpu_to_singles": cheaper(&singles), "kannel_memory_cpu_to_bulks": cheaper(&bulks),
            },
            "adds_up": adds_up,
        })
    );
    Ok(adds_up)
}

fn brief(report: &Value) -> Value {
    let keys = [
        "messages",
        "end_to_end_per_s",
        "accepted_per_s",
        "gateway_cpu_s_per_million",
        "gateway_peak_mib",
        "request_ms",
        "lost",
        "duplicated",
        "adds_up",
    ];
    keys.iter().map(|key| ((*key).to_owned(), report[*key].clone())).collect::<serde_json::Map<_, _>>().into()
}

async fn relais(world: &World, messages: u64, seed: u64, dir: &Path, kind: Kind) -> anyhow::Result<Value> {
    let mut scenario = Scenario::load("steady")?;
    scenario.gateway.binds = 2;
    if kind == Kind::Single {
        scenario.phases = vec![Phase { kind, connections: CONNECTIONS, ..Phase::default() }];
    }
    let name = if kind == Kind::Single { "relais-singles" } else { "relais-bulks" };
    run::run(world, &scenario, messages, seed, Directory::new(Some(&dir.join(name)))?).await
}

/// Kannel's two programs and the figures of one run with them.
async fn kannel(world: &World, messages: u64, seed: u64, dir: &Path, store: Store) -> anyhow::Result<Value> {
    std::fs::create_dir_all(dir)?;
    let programs = Programs::find()?;
    let mut command = Command::new(&programs.peers);
    command.args(["smsc", "--every", "50", "-p", "check=fast", "--listen", "127.0.0.1:0", "--port-file"]).arg(dir.join("smsc.port"));
    let mut smsc = Process::start("smsc", &mut command, &dir.join("smsc.log"))?;
    let smsc_port = ports(&dir.join("smsc.port"), &mut smsc).await?[0];
    let told = Arc::new(AtomicU64::new(0));
    let (dlr_port, counter) = count_receipts(world, told.clone()).await?;
    let mut free = Vec::new();
    for _ in 0..3 {
        free.push(world.net.listen(([127, 0, 0, 1], 0).into()).await?);
    }
    let [admin, boxes, sendsms] = [0, 1, 2].map(|one: usize| free[one].local_addr().port());
    drop(free);
    let file = dir.join("kannel.conf");
    std::fs::write(&file, config(dir, store, smsc_port, [admin, boxes, sendsms]))?;
    let start = |name: &'static str| -> anyhow::Result<Process> {
        let program =
            ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(|dir| PathBuf::from(dir).join(name)).into_iter().find(|path| path.exists());
        let program = program.with_context(|| format!("{name} is missing: loadtests/beside-kannel installs Kannel"))?;
        Process::start(name, Command::new(program).args(["-v", "4"]).arg(&file), &dir.join(format!("{name}.log")))
    };
    let mut bearerbox = start("bearerbox")?;
    until("two binds", || Ok(smsc.count("smsc.binds") >= 2), &mut bearerbox).await?;
    let mut smsbox = start("smsbox")?;
    let at = ([127, 0, 0, 1], sendsms).into();
    let began = Instant::now();
    while world.net.dial(at).await.is_err() {
        smsbox.check()?;
        anyhow::ensure!(began.elapsed() < QUIET, "smsbox does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = Usage::of(bearerbox.pid()).plus(Usage::of(smsbox.pid()));
    let began = Instant::now();
    let workload = Workload::full(seed);
    let (accepted, latency) = drive(world, at, dlr_port, &workload, messages).await?;
    let accepted_s = began.elapsed().as_secs_f64();
    let (mut last, mut moved) = (0, Instant::now());
    while last < accepted && moved.elapsed() < QUIET {
        bearerbox.check()?;
        smsbox.check()?;
        let now = told.load(Relaxed);
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = (moved - began).as_secs_f64();
    let (one, two) = (Usage::of(bearerbox.pid()), Usage::of(smsbox.pid()));
    let used = one.plus(two).since(before);
    let millions = accepted.max(1) as f64 / 1e6;
    counter.abort();
    let segments = smsc.since("smsc.submits").map_or(0.0, |since| smsc.count("smsc.submits") as f64 / (since - began).as_secs_f64());
    smsbox.kill()?;
    bearerbox.kill()?;
    let said = smsc.stop(QUIET).await?["smsc"].clone();
    let unique = said["unique_tokens"].as_u64().unwrap_or(0);
    Ok(json!({
        "messages": messages, "accepted": accepted, "told": last, "took_s": round(took), "end_to_end_per_s": round(last as f64 / took),
        "accepted_per_s": round(accepted as f64 / accepted_s), "submitted_segments_per_s": round(segments), "request_ms": latency.json(),
        "gateway_cpu_s_per_million": round(used.cpu_s / millions), "gateway_peak_mib": round(one.peak_mib + two.peak_mib),
        "lost": accepted.saturating_sub(unique), "duplicated": said["repeated_tokens"],
        "adds_up": last == accepted && unique == accepted && accepted == messages,
    }))
}

/// Sends every message by `sendsms` as fast as connections come free.
async fn drive(
    world: &World,
    at: std::net::SocketAddr,
    dlr_port: u16,
    workload: &Workload,
    messages: u64,
) -> anyhow::Result<(u64, Histogram)> {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (world, workload, next) = (world.clone(), workload.clone(), next.clone());
        workers.spawn(async move {
            let mut client = Client::new(&world, at);
            let (mut accepted, mut latency) = (0, Histogram::default());
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= messages {
                    return anyhow::Ok((accepted, latency));
                }
                let head = request(at, dlr_port, &workload, n);
                let began = Instant::now();
                let answer = client.call(head.as_bytes(), b"", 0).await?;
                latency.add(began.elapsed().as_micros() as u64);
                match answer.status {
                    200..300 => accepted += 1,
                    status => bail!("sendsms answered {status}: {}", String::from_utf8_lossy(&answer.body)),
                }
            }
        });
    }
    let (mut accepted, mut latency) = (0, Histogram::default());
    while let Some(done) = workers.join_next().await {
        let (some, theirs) = done??;
        accepted += some;
        latency.merge(&theirs);
    }
    Ok((accepted, latency))
}

fn request(at: std::net::SocketAddr, dlr_port: u16, workload: &Workload, n: u64) -> String {
    let mut text = String::with_capacity(300);
    for octet in workload.text(n).bytes() {
        match octet {
            b' ' => text.push('+'),
            octet if octet.is_ascii_alphanumeric() || b"-._".contains(&octet) => text.push(char::from(octet)),
            octet => text += &format!("%{octet:02X}"),
        }
    }
    let to = &workload.recipient(n)[1..];
    format!(
        "GET /cgi-bin/sendsms?username=load&password=load&from={}&to=%2B{to}&text={text}&dlr-mask=3\
         &dlr-url=http%3A%2F%2F127.0.0.1%3A{dlr_port}%2Fd%3Fs%3D%25d HTTP/1.1\r\nHost: {at}\r\nConnection: keep-alive\r\n\r\n",
        workload.from
    )
}

/// Counts the calls of Kannel's dlr-url; answers each with an empty 200.
async fn count_receipts(world: &World, told: Arc<AtomicU64>) -> anyhow::Result<(u16, tokio::task::JoinHandle<()>)> {
    let mut listener = world.net.listen(([127, 0, 0, 1], 0).into()).await?;
    let port = listener.local_addr().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, told.clone()));
        }
    });
    Ok((port, task))
}

async fn answer(mut stream: BoxStream, told: Arc<AtomicU64>) {
    let (mut buffer, mut filled) = (vec![0; 64 << 10], 0);
    while let Ok(count) = stream.read(&mut buffer[filled..]).await {
        if count == 0 {
            return;
        }
        filled += count;
        let heads: Vec<usize> = memchr::memmem::find_iter(&buffer[..filled], b"\r\n\r\n").collect();
        let Some(last) = heads.last() else { continue };
        let answers = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(heads.len());
        buffer.copy_within(last + 4..filled, 0);
        filled -= last + 4;
        told.fetch_add(heads.len() as u64, Relaxed);
        if stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}

async fn until(what: &str, holds: impl Fn() -> anyhow::Result<bool>, process: &mut Process) -> anyhow::Result<()> {
    let began = Instant::now();
    while !holds()? {
        process.check()?;
        anyhow::ensure!(began.elapsed() < QUIET, "no {what} within {QUIET:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn config(dir: &Path, store: Store, smsc_port: u16, [admin, boxes, sendsms]: [u16; 3]) -> String {
    let store = match store {
        Store::Memory => String::new(),
        Store::File => format!("store-type = file\nstore-location = {}\n", dir.join("kannel.store").display()),
    };
    let smsc = format!(
        "group = smsc\nsmsc = smpp\nsmsc-id = far\nhost = 127.0.0.1\nport = {smsc_port}\ntransceiver-mode = true\nsmsc-username = kannel\n\
         smsc-password = loadpass\nsystem-type = load\nmax-pending-submits = 100\n\n"
    );
    format!(
        "group = core\nadmin-port = {admin}\nadmin-password = load\nsmsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\nlog-level = 4\n{store}\n\
         {smsc}{smsc}group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\nsmsbox-id = one\nsendsms-port = {sendsms}\nlog-level = 4\n\n\
         group = sendsms-user\nusername = load\npassword = load\nmax-messages = 1\n"
    )
}
