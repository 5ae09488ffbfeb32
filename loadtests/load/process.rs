//! The processes of a run: found beside this program or built, started, read (counters as JSON lines, `/proc`) and
//! ended.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) relais: PathBuf,
    pub(crate) peers: PathBuf,
}

impl Programs {
    /// Beside this program. Under `cargo run` they are brought up to date first; without cargo they must be there.
    pub(crate) fn find() -> anyhow::Result<Programs> {
        let here = std::env::current_exe()?.parent().context("this program lies in a directory")?.to_owned();
        if let Ok(cargo) = std::env::var("CARGO") {
            let profile: &[&str] = if here.ends_with("release") { &["--release"] } else { &[] };
            let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
            let built = Command::new(cargo)
                .args(["build", "--quiet", "--manifest-path", manifest, "--bin", "relais", "--bin", "peers"])
                .args(profile)
                .status()?;
            if !built.success() {
                bail!("cargo could not build relais and peers");
            }
        }
        let programs = Programs { relais: here.join("relais"), peers: here.join("peers") };
        for path in [&programs.relais, &programs.peers] {
            if !path.exists() {
                bail!("{} is missing: `cargo build --release --bins` makes it", path.display());
            }
        }
        Ok(programs)
    }
}

/// The last line of JSON a process printed, and since when each number in it has stood as it stands.
#[derive(Default)]
struct Said {
    line: Value,
    text: Option<String>,
    since: std::collections::BTreeMap<String, (f64, Instant)>,
    ended: bool,
}

/// A process of the run. Dropped, it is killed.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    said: Arc<Mutex<Said>>,
}

impl Process {
    /// Starts one. Its standard output is read as it comes; its standard error goes to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> anyhow::Result<Process> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().with_context(|| format!("{name} does not start"))?;
        let out = BufReader::new(child.stdout.take().context("a pipe")?);
        let said = Arc::new(Mutex::new(Said::default()));
        let shared = said.clone();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let mut said = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match serde_json::from_str::<Value>(&line) {
                    Ok(value) => {
                        let now = Instant::now();
                        for part in ["smsc", "sink"] {
                            for (key, number) in value[part].as_object().into_iter().flatten() {
                                let Some(number) = number.as_f64() else { continue };
                                let entry = said.since.entry(format!("{part}.{key}")).or_insert((0.0, now));
                                if entry.0 != number {
                                    *entry = (number, now);
                                }
                            }
                        }
                        said.line = value;
                    }
                    Err(_) => said.text = Some(line),
                }
            }
            shared.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        });
        Ok(Process { name, child, said })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A counter of the last line, such as `smsc.submits`.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.said().since.get(key).map_or(0, |(number, _)| *number as u64)
    }

    /// Since when that counter has stood where it stands; `None` when it never moved.
    pub(crate) fn since(&self, key: &str) -> Option<Instant> {
        self.said().since.get(key).filter(|(number, _)| *number > 0.0).map(|(_, since)| *since)
    }

    /// The last line.
    pub(crate) fn line(&self) -> Value {
        self.said().line.clone()
    }

    /// Fails when the process has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} has ended by itself: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Waits for a line such as `listening on http://127.0.0.1:8080`; the address.
    pub(crate) async fn listening(&mut self, limit: Duration) -> anyhow::Result<SocketAddr> {
        let end = Instant::now() + limit;
        loop {
            let text = self.said().text.clone();
            if let Some(at) = text.as_deref().and_then(|text| text.rsplit_once("://")?.1.trim().parse().ok()) {
                return Ok(at);
            }
            self.check()?;
            if Instant::now() > end {
                bail!("{} did not listen within {limit:?}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills it as `kill -9` does, and waits for its end.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop and waits; its last line.
    pub(crate) async fn stop(mut self, limit: Duration) -> anyhow::Result<Value> {
        // std can only kill; `kill` sends the polite signal.
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let end = Instant::now() + limit;
        while self.child.try_wait()?.is_none() || !self.said().ended {
            if Instant::now() > end {
                bail!("{} did not stop within {limit:?}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(self.line())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_s: f64,
    pub(crate) peak_mib: f64,
    pub(crate) resident_mib: f64,
    pub(crate) written: f64,
}

impl Usage {
    /// From `/proc`; zero for a process that has gone.
    pub(crate) fn of(pid: u32) -> Usage {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let stat = read("stat");
        // After the name in parentheses: state is the first field, utime the twelfth, stime the next; ticks of 10 ms.
        let ticks: Vec<f64> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        let field = |file: &str, name: &str| -> f64 {
            let text = read(file);
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
        };
        Usage {
            cpu_s: (ticks.get(11).unwrap_or(&0.0) + ticks.get(12).unwrap_or(&0.0)) / 100.0,
            peak_mib: field("status", "VmHWM:") / 1_024.0,
            resident_mib: field("status", "VmRSS:") / 1_024.0,
            written: field("io", "write_bytes:"),
        }
    }

    /// Used since; the peak stays the peak.
    pub(crate) fn since(self, before: Usage) -> Usage {
        Usage { cpu_s: self.cpu_s - before.cpu_s, written: self.written - before.written, ..self }
    }

    /// Together with what another process (an earlier life of the same) used.
    pub(crate) fn plus(self, other: Usage) -> Usage {
        Usage {
            cpu_s: self.cpu_s + other.cpu_s,
            written: self.written + other.written,
            peak_mib: self.peak_mib.max(other.peak_mib),
            resident_mib: self.resident_mib,
        }
    }

    /// As in the report.
    pub(crate) fn json(self, millions: f64) -> Value {
        let round = super::histogram::round;
        json!({ "cpu_s": round(self.cpu_s), "cpu_s_per_million": round(self.cpu_s / millions), "peak_mib": round(self.peak_mib) })
    }
}

/// The ports a program wrote into its port file, once it has.
pub(crate) async fn ports(path: &Path, process: &mut Process) -> anyhow::Result<Vec<u16>> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text.lines().map(|line| line.rsplit(':').next().unwrap_or(line).trim().parse().context("a port")).collect();
        }
        process.check()?;
        if Instant::now() > end {
            bail!("{} never came", path.display());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
