//! The real binary under test: its configuration, start, readiness, kill and stop.

use super::api::Api;
use super::process::Process;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

const PEPPER: &str = "pepper-of-the-tests";
const KEY: (&str, &str) = ("tests", "a-secret-nobody-else-has");
/// Of the webhook: `whsec_` and base64 of 32 octets.
pub const HOOK_SECRET: &str = "whsec_dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMhISE=";
/// A debug build on a busy machine, with a journal to recover.
const START: Duration = Duration::from_secs(30);

/// What differs from test to test.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The carrier's port.
    pub smsc: u16,
    /// The webhook's port.
    pub sink: Option<u16>,
    /// Lines for `[[carriers]]`.
    pub carrier: String,
    /// Further sections.
    pub more: String,
}

impl Settings {
    /// Writes the configuration and returns where.
    pub fn write(&self, dir: &Path) -> PathBuf {
        let mut mac = Hmac::<Sha256>::new_from_slice(PEPPER.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(KEY.1.as_bytes());
        let hash = hex::encode(mac.finalize().into_bytes());
        let data = dir.join("data");
        let mut text = format!(
            "data_dir = {data:?}\n[secrets]\npepper = {PEPPER:?}\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[accounts]]\nname = \"shop\"\n[[accounts.keys]]\nid = {:?}\nhash = {hash:?}\n\
             [[carriers]]\nname = \"main\"\nhost = \"127.0.0.1\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\n{}\n\
             [[routes]]\nprefix = \"\"\ncarrier = \"main\"\n{}\n",
            KEY.0, self.smsc, self.carrier, self.more
        );
        if let Some(port) = self.sink {
            text.push_str(&format!(
                "[[webhooks]]\nname = \"sink\"\naccount = \"shop\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret = {HOOK_SECRET:?}\n\
                 [webhook_rules]\nallow_loopback = true\nallow_http = true\nports = [{port}]\n"
            ));
        }
        let path = dir.join("relais.toml");
        std::fs::write(&path, text).expect("the test's directory");
        path
    }
}

/// A running gateway.
pub struct Gateway {
    process: Process,
    at: SocketAddr,
}

impl Gateway {
    /// Starts the process and comes back at once.
    pub fn spawn(dir: &Path) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
        command.arg("serve").arg("--config").arg(dir.join("relais.toml")).current_dir(dir);
        Process::start("relais", dir, command)
    }

    /// As `spawn`, with changes to the command.
    pub fn spawn_with(dir: &Path, change: impl FnOnce(&mut Command)) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
        command.arg("serve").arg("--config").arg(dir.join("relais.toml")).current_dir(dir);
        change(&mut command);
        Process::start("relais", dir, command)
    }

    /// As `spawn`, by a program that becomes the gateway: its words, to which the gateway's are appended.
    pub fn spawn_by(dir: &Path, words: &[&str]) -> Process {
        let (program, rest) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(rest).arg(env!("CARGO_BIN_EXE_relais")).arg("serve").arg("--config").arg(dir.join("relais.toml")).current_dir(dir);
        Process::start("relais", dir, command)
    }

    /// As `spawn`, as the child of a tracer with these expressions.
    pub fn spawn_traced(dir: &Path, expressions: &[&str]) -> Process {
        let mut command = Command::new("strace");
        command.args(["-f", "-qqq", "-o", "/dev/null"]);
        for expression in expressions {
            command.args(["-e", expression]);
        }
        command.arg(env!("CARGO_BIN_EXE_relais")).arg("serve").arg("--config").arg(dir.join("relais.toml")).current_dir(dir);
        Process::start("relais", dir, command)
    }

    /// Waits for a started process: it listens and says it is ready. `None` when it ended instead.
    pub fn ready(process: Process) -> Option<Gateway> {
        let line = process.line(START, |line| line.starts_with("listening on "))?;
        let at = line.rsplit_once("//").and_then(|(_, at)| at.trim_end_matches('/').parse().ok()).expect("an address");
        let mut gateway = Gateway { process, at };
        let mut api = gateway.api();
        let is_ready = super::until("the gateway is ready", START, || {
            let is_ready = api.get("/readyz").is_ok_and(|answer| answer.status == 200);
            (is_ready || gateway.has_ended()).then_some(is_ready)
        });
        is_ready.then_some(gateway)
    }

    /// Starts it with the configuration in `dir` and waits until it is ready.
    pub fn start(dir: &Path) -> Gateway {
        let log = dir.join("relais.log");
        Gateway::ready(Gateway::spawn(dir))
            .unwrap_or_else(|| panic!("the gateway does not start:\n{}", std::fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// A client of it.
    pub fn api(&self) -> Api {
        Api::new(self.at, &key())
    }

    /// kill -9.
    pub fn kill9(mut self) {
        self.process.kill9();
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Whether it is dead.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// kill -9 of the gateway under its tracer, which ends with it.
    pub fn kill_traced(mut self) {
        let killed = Command::new("pkill").args(["-KILL", "-P", &self.process.id().to_string()]).status().expect("pkill is there");
        assert!(killed.success() || self.has_ended(), "the tracer had a child");
        self.process.end(Duration::from_secs(10));
    }

    /// SIGTERM, without waiting.
    pub fn term(&self) {
        self.process.term();
    }

    /// SIGTERM, and its end.
    pub fn stop(mut self) -> ExitStatus {
        self.process.term();
        self.process.end(Duration::from_secs(60))
    }

    /// Its end.
    pub fn end(mut self) -> ExitStatus {
        self.process.end(Duration::from_secs(60))
    }
}

/// The API key of the tests.
pub fn key() -> String {
    format!("{}.{}", KEY.0, KEY.1)
}
