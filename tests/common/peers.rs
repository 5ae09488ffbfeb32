//! Our own far side, the `peers` program, as processes of their own: what they recorded survives every kill of the
//! gateway.

use super::gateway::HOOK_SECRET;
use super::process::Process;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running SMSC or sink.
pub struct Peer {
    process: Process,
    port: u16,
    record: PathBuf,
}

/// A line of the SMSC's record.
#[derive(Clone, Debug, Deserialize)]
pub struct Submit {
    /// Milliseconds of wall time.
    pub at_ms: i64,
    /// The session, counted from 1.
    pub session: u64,
    /// Digits.
    pub dest: String,
    /// Reference, total, number.
    pub part: Option<(u16, u8, u8)>,
    /// What stands between two `#`.
    pub token: Option<String>,
    /// The command_status of the answer.
    pub status: u32,
}

/// A line of the sink's record.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// `message.final` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's.
    pub id: String,
    /// The message's.
    pub message: Option<String>,
    /// The customer's.
    pub client_ref: Option<String>,
    /// The status.
    pub status: Option<String>,
}

impl Peer {
    /// An SMSC with these habits, `name=value`.
    pub fn smsc(dir: &Path, habits: &[&str]) -> Peer {
        let mut arguments = vec!["smsc", "--record", "submits.ndjson"];
        habits.iter().for_each(|habit| arguments.extend(["-p", habit]));
        Peer::start("smsc", dir, 0, &arguments, "submits.ndjson")
    }

    /// An SMSC on this port with its own record.
    pub fn smsc_at(dir: &Path, port: u16, record: &str, habits: &[&str]) -> Peer {
        let mut arguments = vec!["smsc", "--record", record];
        habits.iter().for_each(|habit| arguments.extend(["-p", habit]));
        Peer::start("smsc", dir, port, &arguments, record)
    }

    /// The same, with counters every so many milliseconds instead of every second.
    pub fn smsc_telling(dir: &Path, port: u16, record: &str, habits: &[&str], every_ms: u64) -> Peer {
        let every = every_ms.to_string();
        let mut arguments = vec!["smsc", "--record", record, "--every", &every];
        habits.iter().for_each(|habit| arguments.extend(["-p", habit]));
        Peer::start("smsc", dir, port, &arguments, record)
    }

    /// A webhook sink that checks signatures; `more` are further arguments.
    pub fn sink(dir: &Path, more: &[&str]) -> Peer {
        Peer::sink_at(dir, 0, "events.ndjson", more)
    }

    /// A sink on this port (0 = a free one) with its own record.
    pub fn sink_at(dir: &Path, port: u16, record: &str, more: &[&str]) -> Peer {
        let mut arguments = vec!["sink", "--sink-record", record, "--secret", HOOK_SECRET];
        arguments.extend(more);
        Peer::start("sink", dir, port, &arguments, record)
    }

    fn start(name: &str, dir: &Path, port: u16, arguments: &[&str], record: &str) -> Peer {
        let ports = dir.join(format!("{name}.port"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
        command.args(arguments).args(["--listen", &format!("127.0.0.1:{port}"), "--port-file"]).arg(&ports).current_dir(dir);
        let process = Process::start(name, dir, command);
        // The first line of counters comes when the port is open and written down.
        process.line(Duration::from_secs(30), |_| true).unwrap_or_else(|| panic!("{name} does not start"));
        let port = std::fs::read_to_string(&ports).expect("written before the first line").trim().parse().expect("a port");
        Peer { process, port, record: dir.join(record) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its counters as of the last second, under `smsc` or `sink`.
    pub fn counts(&self) -> serde_json::Value {
        self.process.last_line().and_then(|line| serde_json::from_str(&line).ok()).unwrap_or_default()
    }

    /// Ends it, so that all it recorded is in the file, and reads that.
    pub fn stop<T: DeserializeOwned>(mut self) -> Vec<T> {
        self.process.term();
        assert!(self.process.end(Duration::from_secs(30)).success());
        read(&self.record)
    }
}

/// A file of JSON lines.
pub fn read<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault} in {line}"))).collect()
}
