//! The bench of one part: a gateway that may die, its SMSC and sink that may not, customers who never give up, and the
//! verdict at the end.

use crate::common::gateway::{Gateway, Settings};
use crate::common::peers::{Event, Peer, Submit};
use crate::common::process::Process;
use crate::common::{Bench, until};
use crate::ledger::{Ledger, Sum};
use crate::load::{Acknowledged, Load};
use relais::lab::Chance;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// Slots of a link's window.
pub(crate) const WINDOW: usize = 20;
/// Links to the carrier.
pub(crate) const LINKS: usize = 2;
/// How long what was accepted may take to be settled once all is well again.
const PATIENCE: Duration = Duration::from_secs(120);

/// See above.
pub(crate) struct Rig {
    pub(crate) chance: Chance,
    pub(crate) bench: Bench,
    pub(crate) load: Option<Load>,
    gateway: Option<Gateway>,
    smsc: Option<Peer>,
    sink: Option<Peer>,
    /// What sinks before the one that runs were told.
    told: Vec<Event>,
    /// What SMSCs before the one that runs saw.
    seen: Vec<Submit>,
    /// What was acknowledged to others than the customers of the load.
    pub(crate) others: Vec<Acknowledged>,
}

/// What differs from part to part.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    /// Habits of the SMSC beside a few milliseconds of delay.
    pub(crate) habits: Vec<String>,
    /// Arguments of the sink.
    pub(crate) sink: Vec<String>,
    /// Lines for `[[carriers]]`, over the usual ones.
    pub(crate) carrier: String,
    /// Lines of `[http]`.
    pub(crate) http: String,
    /// Lines of the account.
    pub(crate) account: String,
    /// Lines of the webhook.
    pub(crate) webhook: String,
    /// Further sections of the configuration.
    pub(crate) more: String,
    /// The gateway reaches the SMSC at this port instead (a proxy's).
    pub(crate) by_port: Option<u16>,
    /// And the sink at this one.
    pub(crate) sink_by_port: Option<u16>,
}

impl Rig {
    /// A bench with its far side, and no gateway yet.
    pub(crate) fn new(name: &str, seed: u64, wanted: &Wanted) -> Rig {
        let bench = Bench::new(name);
        let mut habits = vec!["response_ms=[5,60]".to_owned(), "receipt_ms=[20,300]".to_owned()];
        habits.extend(wanted.habits.iter().cloned());
        let smsc = Peer::smsc(bench.path(), &habits.iter().map(String::as_str).collect::<Vec<_>>());
        let sink = Peer::sink(bench.path(), &wanted.sink.iter().map(String::as_str).collect::<Vec<_>>());
        let mut rig = Rig {
            chance: Chance::new(seed),
            bench,
            load: None,
            gateway: None,
            smsc: Some(smsc),
            sink: Some(sink),
            told: Vec::new(),
            seen: Vec::new(),
            others: Vec::new(),
        };
        rig.configure(wanted);
        rig
    }

    /// Writes the configuration.
    pub(crate) fn configure(&mut self, wanted: &Wanted) {
        let smsc = wanted.by_port.unwrap_or_else(|| self.smsc_port());
        let mut carrier = String::new();
        let usual = [
            ("binds", LINKS.to_string()),
            ("window", WINDOW.to_string()),
            ("segments_per_second", "0".into()),
            ("response_timeout", "\"20s\"".into()),
            ("ambiguity_hold", "\"1s\"".into()),
            ("reconnect_min", "\"50ms\"".into()),
            ("reconnect_max", "\"200ms\"".into()),
        ];
        for (key, value) in usual {
            if !wanted.carrier.lines().any(|line| line.starts_with(key)) {
                carrier += &format!("{key} = {value}\n");
            }
        }
        carrier += &wanted.carrier;
        let sink = wanted.sink_by_port.or_else(|| self.sink.as_ref().map(Peer::port));
        let path = Settings { smsc, sink, carrier, more: wanted.more.clone() }.write(self.bench.path());
        let text = std::fs::read_to_string(&path).expect("just written");
        let text = text
            .replacen("[http]\n", &format!("[http]\n{}", wanted.http), 1)
            .replacen("name = \"shop\"\n", &format!("name = \"shop\"\n{}", wanted.account), 1)
            .replacen("account = \"shop\"\nurl", &format!("account = \"shop\"\n{}url", wanted.webhook), 1);
        std::fs::write(&path, text).expect("the bench's directory");
    }

    /// Where the SMSC listens.
    pub(crate) fn smsc_port(&self) -> u16 {
        self.smsc.as_ref().expect("until the end").port()
    }

    /// Where the sink listens.
    pub(crate) fn sink_port(&self) -> u16 {
        self.sink.as_ref().expect("until the end").port()
    }

    /// What the carrier has counted, as of the last second.
    pub(crate) fn carrier_counts(&self) -> Value {
        self.smsc.as_ref().expect("until the end").counts()["smsc"].clone()
    }

    /// The carrier is away for so long.
    pub(crate) fn smsc_away(&mut self, span: Duration) {
        let smsc = self.smsc.take().expect("until the end");
        let port = smsc.port();
        self.seen.extend(smsc.stop::<Submit>());
        std::thread::sleep(span);
        // The ids it gave are not given again.
        let habits = ["response_ms=[5,60]", "receipt_ms=[20,300]", "id_base=1000000000"];
        self.smsc = Some(Peer::smsc_at(self.bench.path(), port, "submits-2.ndjson", &habits));
    }

    /// The sink ends, and another begins in its place with these arguments.
    pub(crate) fn sink_becomes(&mut self, arguments: &[&str]) {
        let sink = self.sink.take().expect("until the end");
        let port = sink.port();
        self.told.extend(sink.stop::<Event>());
        self.sink = Some(Peer::sink_at(self.bench.path(), port, &format!("events-{}.ndjson", self.chance.below(1 << 40)), arguments));
    }

    /// Where all of it is.
    pub(crate) fn path(&self) -> &Path {
        self.bench.path()
    }

    /// Customers begin; they wait for a gateway.
    pub(crate) fn customers(&mut self, count: u64, rest: Duration) {
        let seed = self.chance.below(u64::MAX >> 1);
        self.load = Some(Load::start(count, seed, rest));
    }

    /// Starts the gateway, which must succeed.
    pub(crate) fn up(&mut self) -> &Gateway {
        let process = Gateway::spawn(self.bench.path());
        self.up_with(process).expect("INV-4: it starts after whatever happened")
    }

    /// Starts a gateway that cannot: its exit status and what it said. Nothing of it may be a panic.
    pub(crate) fn refused(&self, spawn: impl FnOnce(&Path) -> Process) -> (Option<i32>, String) {
        let before = self.log().len();
        let mut process = spawn(self.path());
        let status = process.end(Duration::from_secs(30));
        let said = self.log()[before..].to_owned();
        assert!(!said.contains("panicked"), "INV-35: {said}");
        (status.code(), said)
    }

    /// Waits for a gateway started in another way; `None` when it ended instead.
    pub(crate) fn up_with(&mut self, process: Process) -> Option<&Gateway> {
        let gateway = Gateway::ready(process)?;
        if let Some(load) = &self.load {
            load.gateway_at(Some(gateway.at()));
        }
        self.gateway = Some(gateway);
        self.gateway.as_ref()
    }

    /// The gateway that runs.
    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it was started")
    }

    /// How the gateway ended, waited for so long; `None`: it lives on.
    pub(crate) fn ends(&mut self, within: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        let gateway = self.gateway.as_mut().expect("it was started");
        loop {
            if let Some(status) = gateway.ended() {
                self.take();
                return Some(status);
            }
            if began.elapsed() >= within {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The gateway, which is somebody else's matter now; customers know of none.
    pub(crate) fn take(&mut self) -> Option<Gateway> {
        if let Some(load) = &self.load {
            load.gateway_at(None);
        }
        self.gateway.take()
    }

    /// All that gateways have said on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.bench.path().join("relais.log")).unwrap_or_default()
    }

    /// The most memory the running gateway has had, in octets.
    pub(crate) fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.gateway().pid())).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// kill -9.
    pub(crate) fn kill9(&mut self) {
        if let Some(gateway) = self.take() {
            gateway.kill9();
        }
    }

    /// Rests between these.
    pub(crate) fn rest(&mut self, from_ms: u64, to_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.chance.between(from_ms, to_ms)));
    }

    /// Faults are over: everything acknowledged gets its one end, and the ledger judges.
    pub(crate) fn settle(mut self) -> Settled {
        if self.gateway.is_none() {
            self.up();
        }
        let (repeated, mut acknowledged) = self.load.take().map_or((0, Vec::new()), |load| (load.repeated(), load.stop()));
        acknowledged.append(&mut self.others);
        let gateway = self.gateway.take().expect("it was started");
        let ids: Vec<String> = acknowledged.iter().map(|one| one.id.clone()).collect();
        let messages = gateway.api().finals(&ids, PATIENCE);
        let sink = self.sink.take().expect("until now");
        let before: std::collections::HashSet<&String> =
            self.told.iter().filter(|event| event.kind == "message.final").filter_map(|event| event.message.as_ref()).collect();
        let wanted = ids.iter().filter(|id| !before.contains(id)).count() as u64;
        until("all are told", PATIENCE, || (sink.counts()["sink"]["finals"].as_u64() >= Some(wanted)).then_some(()));
        assert_eq!(gateway.api().metric("relais_panics_total", &[]), 0.0, "INV-35");
        assert_eq!(gateway.stop().code(), Some(0), "INV-29");
        let (mut submits, mut events): (Vec<Submit>, Vec<Event>) = (self.smsc.take().expect("until now").stop(), sink.stop());
        events.extend(self.told);
        submits.extend(self.seen);
        let ledger = Ledger { acknowledged: &acknowledged, messages: &messages, submits: &submits, events: &events, unsent: &[] };
        Settled { sum: ledger.check(), repeated }
    }
}

/// What a part came to, judged.
pub(crate) struct Settled {
    pub(crate) sum: Sum,
    /// Requests made again under their key.
    pub(crate) repeated: usize,
}

impl Settled {
    /// As figures of the report; `more` are the part's own.
    pub(crate) fn figures(&self, more: Value) -> Value {
        let mut figures = json!({
            "accepted": self.sum.accepted, "finals": self.sum.finals, "lost": 0, "doubled": self.sum.doubled,
            "silent_duplicates": 0, "labelled": self.sum.labelled, "never_written": self.sum.unseen, "repeated_requests": self.repeated,
        });
        if let (Some(all), Value::Object(more)) = (figures.as_object_mut(), more) {
            all.extend(more);
        }
        figures
    }
}

/// Whether a program runs here.
pub(crate) fn has(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program} >/dev/null")]).status().is_ok_and(|status| status.success())
}

/// Installs Debian packages; whether they are there now.
pub(crate) fn install(program: &str, packages: &str) -> bool {
    let get = format!(
        "s=; [ \"$(id -u)\" = 0 ] || s='sudo -n'; \
         $s apt-get -qq update && DEBIAN_FRONTEND=noninteractive $s apt-get -qq install -y --no-install-recommends {packages}"
    );
    has(program) || Command::new("sh").args(["-c", &get]).output().is_ok_and(|_| has(program))
}

/// Runs a command of the shell that must succeed.
pub(crate) fn shell(command: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-c", command]).output().map_err(|fault| fault.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
