//! The stage of the crash points: a far side that lives on in the harness, a gateway that may die at any moment and is then
//! started again, and a customer who repeats every request until it has a definite answer.

use crate::common::Bench;
use crate::common::gateway::{Gateway, HOOK_SECRET, Settings, key};
use crate::common::http::{Answer, Client};
use crate::common::peers::{Event, Submit};
use crate::common::process::Process;
use relais::lab::personality::Personality;
use relais::lab::record::{Keep, RecordOptions, Recorder};
use relais::lab::sink::{KeepEvents, SinkOptions};
use relais::lab::{Options, Sink, SinkHandle, Smsc, SmscHandle};
use relais::world::World;
use serde_json::Value;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Serves the far sides of all stages.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads"))
}

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The how many-th call, from 1; 0 = nowhere.
    pub(crate) at: u64,
    /// When half of it is done (of a sync or a truncation: all of it), instead of before it.
    pub(crate) half: bool,
}

/// What the process says of its calls, in a file both have mapped or open: see `points.c`.
pub(crate) struct Board {
    path: PathBuf,
}

/// Calls of each kind, and the kind at which it died (0 = it did not).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) all: u64,
    pub(crate) written: u64,
    pub(crate) synced: u64,
    pub(crate) changed: u64,
    pub(crate) sent: u64,
    pub(crate) died: u64,
}

impl Board {
    fn new(path: PathBuf, spot: Spot) -> Board {
        let mut octets = [0_u8; 128];
        octets[48..56].copy_from_slice(&spot.at.to_ne_bytes());
        octets[56] = u8::from(spot.half);
        std::fs::write(&path, octets).expect("the bench's directory");
        Board { path }
    }

    /// One of a gateway that is to live.
    pub(crate) fn calm(path: PathBuf) -> Board {
        Board::new(path, Spot { at: 0, half: false })
    }

    /// The gateway in `dir` under the shim with this board.
    pub(crate) fn spawn(&self, shim: &Path, dir: &Path) -> Process {
        Gateway::spawn_with(dir, |command| {
            command.env("LD_PRELOAD", shim).env("POINTS_BOARD", &self.path);
        })
    }

    /// From now on each sync takes so much longer.
    pub(crate) fn drag(&self, by: Duration) {
        self.set(8, by.as_micros() as i64);
    }

    /// The next writes to files, after `after` more, have this fault: an errno, or -1 (half of it is written).
    pub(crate) fn plan(&self, fault: i64, after: u64, many: i64) {
        self.set(10, 0);
        self.set(9, fault);
        self.set(11, many);
        self.set(10, (self.read().written + 1 + after) as i64);
    }

    /// How many writes have had the fault.
    pub(crate) fn struck(&self) -> u64 {
        let octets = std::fs::read(&self.path).expect("the bench's directory");
        u64::from_ne_bytes(octets[96..104].try_into().expect("eight octets"))
    }

    fn set(&self, index: u64, value: i64) {
        let file = std::fs::OpenOptions::new().write(true).open(&self.path).expect("the bench's directory");
        file.write_all_at(&value.to_ne_bytes(), index * 8).expect("the bench's directory");
    }

    pub(crate) fn read(&self) -> Calls {
        let octets = std::fs::read(&self.path).expect("the bench's directory");
        let number = |index: usize| u64::from_ne_bytes(octets[index * 8..index * 8 + 8].try_into().expect("eight octets"));
        Calls { all: number(0), written: number(1), synced: number(2), changed: number(3), sent: number(4), died: number(5) }
    }
}

/// What differs between stages.
#[derive(Clone, Default)]
pub(crate) struct Set {
    /// A data directory to begin with.
    pub(crate) data: Option<PathBuf>,
    /// Lines of the account.
    pub(crate) account: String,
    /// Lines of the carrier, beside the usual ones.
    pub(crate) carrier: String,
    /// Lines of the webhook.
    pub(crate) webhook: String,
    /// Further sections.
    pub(crate) more: String,
    /// Habits of the carrier as JSON; `None`: there is none, only its port.
    pub(crate) habits: Option<Value>,
    /// Seconds the gateway's wall clock is ahead.
    pub(crate) ahead: i64,
}

/// See above.
pub(crate) struct Stage {
    bench: Bench,
    smsc: Option<SmscHandle>,
    sink: SinkHandle,
    gateway: Option<Gateway>,
    client: Client,
    shim: PathBuf,
    ahead: i64,
    /// Where the processes to come die, the next one last.
    spots: Vec<Spot>,
    boards: Vec<Board>,
}

impl Stage {
    /// Everything but the gateway. `spots` are where the first processes die, in their order.
    pub(crate) fn new(shim: &Path, set: &Set, spots: &[Spot]) -> Stage {
        let bench = Bench::new("chaos-points");
        let (world, any) = (World::real(), ([127, 0, 0, 1], 0).into());
        let smsc = set.habits.as_ref().map(|habits| {
            let personality: Personality = serde_json::from_value(habits.clone()).expect("habits there are");
            let record = Arc::new(Recorder::new(RecordOptions { keep: Keep::Submits, ..RecordOptions::default() }));
            let options = Options { record, ..Options::default() };
            runtime().block_on(Smsc::listen(&world, any, personality, options)).expect("a free port")
        });
        // A sink refuses signatures of another day.
        let options =
            SinkOptions { secret: (set.ahead == 0).then(|| HOOK_SECRET.into()), keep: KeepEvents::Events, ..SinkOptions::default() };
        let sink = runtime().block_on(Sink::listen(&world, any, options)).expect("a free port");
        // A carrier that is away: nobody listens at port 1.
        let port = smsc.as_ref().map_or(1, |smsc| smsc.local_addr().port());
        // The ids' form is given: with "auto", before it is proved, 0000000019 that comes before its answer is 0x13 of another part.
        let usual = "binds = 2\nwindow = 5\nsegments_per_second = 0\nresponse_timeout = \"200ms\"\nambiguity_hold = \"50ms\"\n\
                     retry_min = \"20ms\"\nretry_max = \"100ms\"\nattempts_max = 30\nthrottle_pause = \"20ms\"\nreconnect_min = \"20ms\"\n\
                     reconnect_max = \"100ms\"\nid_base = \"as_is\"\n";
        let settings = Settings {
            smsc: port,
            sink: Some(sink.local_addr().port()),
            carrier: format!("{usual}{}", set.carrier),
            more: set.more.clone(),
        };
        let path = settings.write(bench.path());
        let text = std::fs::read_to_string(&path).expect("just written");
        let text = text
            .replacen("name = \"shop\"\n", &format!("name = \"shop\"\n{}", set.account), 1)
            .replacen("[[carriers]]\n", "scopes = [\"send\", \"read\", \"admin\"]\n[[carriers]]\n", 1)
            .replacen(
                "account = \"shop\"\nurl",
                &format!("account = \"shop\"\nevents = [\"final\", \"inbound\", \"sent\"]\n{}url", set.webhook),
                1,
            );
        std::fs::write(&path, text).expect("the bench's directory");
        if let Some(data) = &set.data {
            copy(data, &bench.path().join("data"));
        }
        let client = Client::new(any, &key());
        let spots = spots.iter().rev().copied().collect();
        Stage { bench, smsc, sink, gateway: None, client, shim: shim.to_owned(), ahead: set.ahead, spots, boards: Vec::new() }
    }

    /// Starts the gateway, as often as it dies on the way.
    pub(crate) fn up(&mut self) {
        for _ in 0..5 {
            let board = self.spots.pop().map(|spot| Board::new(self.bench.path().join(format!("board-{}", self.boards.len())), spot));
            let process = Gateway::spawn_with(self.bench.path(), |command| {
                command.env("LD_PRELOAD", &self.shim).env("CLOCK_AHEAD", self.ahead.to_string());
                if let Some(board) = &board {
                    command.env("POINTS_BOARD", &board.path);
                }
            });
            let is_to_die = board.is_some();
            self.boards.extend(board);
            if let Some(gateway) = Gateway::ready(process) {
                self.client.go_to(gateway.at());
                self.gateway = Some(gateway);
                return;
            }
            assert!(is_to_die && self.died(), "INV-4: it starts after every crash:\n{}", self.log());
        }
        panic!("INV-4: it does not start:\n{}", self.log());
    }

    /// Whether the last process with a point died at it.
    pub(crate) fn died(&self) -> bool {
        self.boards.last().is_some_and(|board| board.read().died > 0)
    }

    /// kill -9 of a gateway that has no point of its own.
    pub(crate) fn kill9(&mut self) {
        self.gateway.take().expect("it runs").kill9();
    }

    /// From now on nobody answers at the carrier's port.
    pub(crate) fn carrier_leaves(&mut self) -> Vec<Submit> {
        let seen = self.submits();
        if let Some(smsc) = self.smsc.take() {
            runtime().block_on(smsc.stop());
        }
        seen
    }

    /// How many processes died at their point.
    pub(crate) fn deaths(&self) -> usize {
        self.boards.iter().filter(|board| board.read().died > 0).count()
    }

    /// What the first process did.
    pub(crate) fn calls(&self) -> Calls {
        self.boards.first().map(Board::read).unwrap_or_default()
    }

    /// What the gateways said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.bench.path().join("relais.log")).unwrap_or_default()
    }

    /// Where the data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.bench.path().join("data")
    }

    /// The far side's own handle: subscribers write by it.
    pub(crate) fn smsc(&self) -> &SmscHandle {
        self.smsc.as_ref().expect("this stage has a carrier")
    }

    /// A request, repeated until its answer is definite, over as many processes as it takes.
    pub(crate) fn ask(&mut self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let began = Instant::now();
        let octets = body.map(|body| serde_json::to_vec(body).expect("plain values")).unwrap_or_default();
        loop {
            assert!(began.elapsed() < PATIENCE, "{method} {path} has no definite answer");
            if self.gateway.as_mut().is_none_or(Gateway::has_ended) {
                self.gateway = None;
                self.up();
            }
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(key.map(|key| ("idempotency-key", key)));
            match self.client.call(method, path, &headers, &octets) {
                Ok(answer) if matches!(answer.status, 429 | 503) || answer.text().contains("idempotency_in_progress") => {}
                Ok(answer) => return answer,
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A GET of something that is there.
    pub(crate) fn see(&mut self, path: &str) -> Value {
        let answer = self.ask("GET", path, None, None);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// Looks until there is something to see.
    pub(crate) fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&mut Stage) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The final state of a message.
    pub(crate) fn last(&mut self, id: &str) -> Value {
        let path = format!("/v1/messages/{id}");
        self.wait(&format!("{id} is final"), |stage| Some(stage.see(&path)).filter(|message| message["final"] == true))
    }

    /// What the sink was told as final, by message.
    pub(crate) fn is_told(&self, client_ref: usize) -> bool {
        self.sink.finals_of(&client_ref.to_string()) > 0
    }

    /// An orderly end, which is the last chance to die; whether it died then.
    pub(crate) fn stop(&mut self) -> bool {
        let Some(gateway) = self.gateway.take() else { return false };
        let was_dead = self.died();
        // An open connection would be waited for.
        self.client = Client::new(gateway.at(), &key());
        let status = gateway.stop();
        let died = !was_dead && self.died();
        assert!(status.code() == Some(0) || died, "INV-29: {status:?}\n{}", self.log());
        died
    }

    /// All the carrier saw.
    pub(crate) fn submits(&self) -> Vec<Submit> {
        let seen = self.smsc.as_ref().map(|smsc| smsc.record().submits()).unwrap_or_default();
        let plain = |one: relais::lab::record::Submit| Submit {
            at_ms: one.at_ms,
            session: one.session,
            dest: one.dest,
            part: one.part,
            token: one.token,
            status: one.status,
        };
        seen.into_iter().map(plain).collect()
    }

    /// All the webhook was told.
    pub(crate) fn events(&self) -> Vec<Event> {
        let json = |event| serde_json::to_value(event).and_then(serde_json::from_value).expect("as the sink's record has it");
        self.sink.events().iter().map(json).collect()
    }

    /// Ends the far side; the gateway has ended.
    pub(crate) fn close(mut self) {
        assert!(!self.log().contains("panicked"), "INV-35: {}", self.log());
        self.gateway = None;
        if let Some(smsc) = self.smsc.take() {
            runtime().block_on(smsc.stop());
        }
        runtime().block_on(self.sink.stop());
    }
}

/// Copies a data directory of a gateway that has ended.
pub(crate) fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp is there");
    assert!(done.success(), "{} is copied", from.display());
}

/// Compiles the shim; where it is.
pub(crate) fn shim() -> Result<PathBuf, String> {
    let (source, made) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/loadtests/chaos/points.c"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("points.so"));
    let cc = std::process::Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&made).args([source, "-ldl"]).output();
    match cc {
        Ok(output) if output.status.success() => Ok(made),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(fault) => Err(format!("no C compiler: {fault}")),
    }
}
