//! The loss table of the trade: the same customers, the same SMSC and the same kills for Relais, for Debian's Kannel with
//! its spool store and, where it installs, for Jasmin: how many messages that were answered for never reached the carrier, and
//! how many reached it twice, per hundred kill -9 and after an outage of the carrier.
//!
//! What a gateway answers for is what it says 2xx to. Kannel and Jasmin have no idempotency key: a request without an answer is
//! not repeated, so that nothing is laid to their charge that the client did.

use crate::common::Bench;
use crate::common::http::Client;
use crate::common::peers::{Peer, Submit};
use crate::common::process::Process;
use crate::rig::{Rig, Wanted, install, shell};
use relais::lab::Chance;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing moves at the carrier for so long: what is missing does not come.
const QUIET: Duration = Duration::from_secs(20);

/// The table, a line a gateway and a fault.
pub(crate) fn table(seed: u64, kills: usize) -> Vec<Value> {
    let mut lines = vec![
        line("Relais", "kill -9", relais(seed, kills)),
        line("Kannel, spool store", "kill -9", other::<Kannel>(seed, Fault::Kill(kills))),
        line("Kannel, spool store", "carrier away for 20 s", other::<Kannel>(seed, Fault::Outage)),
        line("Jasmin 0.11.0", "kill -9", other::<Jasmin>(seed, Fault::Kill(kills))),
        line("Jasmin 0.11.0", "carrier away for 20 s", other::<Jasmin>(seed, Fault::Outage)),
    ];
    lines.insert(1, line("Relais", "carrier away for 20 s", relais_outage(seed)));
    println!("{:<22} {:<24} {:>9} {:>6} {:>8} {:>8}", "gateway", "fault", "answered", "kills", "lost", "doubled");
    for one in &lines {
        let figure = |name: &str| one["figures"][name].as_u64().map_or("-".to_owned(), |number| number.to_string());
        println!(
            "{:<22} {:<24} {:>9} {:>6} {:>8} {:>8}",
            one["gateway"].as_str().unwrap_or_default(),
            one["fault"].as_str().unwrap_or_default(),
            figure("accepted"),
            figure("kills"),
            figure("lost"),
            figure("doubled")
        );
    }
    lines
}

fn line(gateway: &str, fault: &str, figures: Result<Value, String>) -> Value {
    // The whole takes long: each line is told as it comes.
    println!("{gateway}, {fault}: {figures:?}");
    match figures {
        Ok(figures) => json!({ "gateway": gateway, "fault": fault, "verdict": "measured", "figures": figures }),
        Err(why) => json!({ "gateway": gateway, "fault": fault, "verdict": "skipped", "figures": why }),
    }
}

fn relais(seed: u64, kills: usize) -> Result<Value, String> {
    let mut rig = Rig::new("loss-relais", seed, &Wanted::default());
    rig.customers(4, Duration::from_millis(200));
    for _ in 0..kills {
        rig.up();
        rig.rest(300, 1_500);
        rig.kill9();
    }
    Ok(rig.settle().figures(json!({ "kills": kills })))
}

fn relais_outage(seed: u64) -> Result<Value, String> {
    let mut rig = Rig::new("loss-relais", seed, &Wanted::default());
    rig.customers(4, Duration::from_millis(200));
    rig.up();
    rig.rest(3_000, 3_000);
    rig.smsc_away(Duration::from_secs(20));
    rig.rest(3_000, 3_000);
    Ok(rig.settle().figures(json!({})))
}

#[derive(Clone, Copy)]
enum Fault {
    Kill(usize),
    Outage,
}

/// A gateway that is not ours.
trait Gateway: Sized {
    /// Installs it and writes its configuration.
    fn prepare(dir: &Path, smsc: u16) -> Result<Self, String>;
    /// Starts all of it.
    fn start(&mut self) -> Result<(), String>;
    /// kill -9 of the process that holds the messages.
    fn kill9(&mut self);
    /// Where messages are sent to.
    fn at(&self) -> SocketAddr;
    /// Ends it.
    fn end(&mut self);
}

/// Customers who send single messages and note which were answered for.
struct Customers {
    is_over: Arc<AtomicBool>,
    is_up: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<usize>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Customers {
    fn start(at: SocketAddr, paths: Arc<dyn Fn(usize) -> String + Send + Sync>) -> Customers {
        let (is_over, is_up, next) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let answered = Arc::<Mutex<Vec<usize>>>::default();
        let threads = (0..4).map(|_| {
            let (is_over, is_up, next, answered, paths) = (is_over.clone(), is_up.clone(), next.clone(), answered.clone(), paths.clone());
            std::thread::spawn(move || {
                let mut client = Client::new(at, "");
                while !is_over.load(Ordering::Relaxed) {
                    if !is_up.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    match client.call("GET", &paths(number), &[], &[]) {
                        Ok(answer) if (200..300).contains(&answer.status) => answered.lock().expect("no panic").push(number),
                        _ => client = Client::new(at, ""),
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            })
        });
        Customers { threads: threads.collect(), is_over, is_up, answered }
    }

    fn stop(self) -> Vec<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("customers do not panic"));
        std::mem::take(&mut *self.answered.lock().expect("no panic"))
    }
}

fn other<G: Gateway + Paths>(seed: u64, fault: Fault) -> Result<Value, String> {
    let (bench, mut chance) = (Bench::new("loss"), Chance::new(seed));
    let habits = ["response_ms=[5,60]", "receipt_ms=[20,300]", "check=fast"];
    let mut smsc = Peer::smsc(bench.path(), &habits);
    let (port, mut earlier) = (smsc.port(), Vec::<Submit>::new());
    let mut gateway = G::prepare(bench.path(), port)?;
    gateway.start()?;
    let customers = Customers::start(gateway.at(), G::paths());
    customers.is_up.store(true, Ordering::Relaxed);
    let kills = match fault {
        Fault::Kill(kills) => {
            for _ in 0..kills {
                std::thread::sleep(Duration::from_millis(chance.between(300, 1_500)));
                customers.is_up.store(false, Ordering::Relaxed);
                gateway.kill9();
                gateway.start()?;
                customers.is_up.store(true, Ordering::Relaxed);
            }
            kills
        }
        Fault::Outage => {
            std::thread::sleep(Duration::from_secs(3));
            earlier.extend(smsc.stop::<Submit>());
            std::thread::sleep(Duration::from_secs(20));
            smsc = Peer::smsc_at(bench.path(), port, "submits-2.ndjson", &habits);
            std::thread::sleep(Duration::from_secs(3));
            0
        }
    };
    let answered = customers.stop();
    let (mut last, mut moved) = (Value::Null, Instant::now());
    while moved.elapsed() < QUIET {
        let now = smsc.counts()["smsc"]["submits"].clone();
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    gateway.end();
    let mut submits = smsc.stop::<Submit>();
    submits.extend(earlier);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for submit in submits.into_iter().filter(|submit| submit.status == 0) {
        *seen.entry(submit.token.unwrap_or_default()).or_default() += 1;
    }
    let lost = answered.iter().filter(|number| !seen.contains_key(&number.to_string())).count();
    let doubled: usize = seen.values().map(|copies| copies - 1).sum();
    Ok(json!({ "accepted": answered.len(), "kills": kills, "lost": lost, "doubled": doubled }))
}

/// The path of a message, to be used by many threads.
trait Paths {
    fn paths() -> Arc<dyn Fn(usize) -> String + Send + Sync>;
}

fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    std::array::from_fn(|index| held[index].local_addr().expect("bound").port())
}

fn listens(at: SocketAddr, within: Duration) -> Result<(), String> {
    let began = Instant::now();
    while std::net::TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_err() {
        if began.elapsed() > within {
            return Err(format!("nothing listens at {at}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Debian's Kannel, its store a spool: the one that survives a kill.
struct Kannel {
    dir: std::path::PathBuf,
    bearerbox: Option<Process>,
    smsbox: Option<Process>,
    sendsms: u16,
}

impl Gateway for Kannel {
    fn prepare(dir: &Path, smsc: u16) -> Result<Kannel, String> {
        if !install("bearerbox", "kannel") {
            return Err("Kannel cannot be installed here".into());
        }
        let [admin, boxes, sendsms] = free_ports::<3>();
        let spool = dir.join("spool");
        std::fs::create_dir_all(&spool).map_err(|fault| fault.to_string())?;
        let far = format!(
            "group = smsc\nsmsc = smpp\nsmsc-id = far\nhost = 127.0.0.1\nport = {smsc}\ntransceiver-mode = true\nsmsc-username = kannel\n\
             smsc-password = losspass\nsystem-type = loss\nmax-pending-submits = 20\nreconnect-delay = 1\n\n"
        );
        let text = format!(
            "group = core\nadmin-port = {admin}\nadmin-password = loss\nsmsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\nlog-level = 4\n\
             store-type = spool\nstore-location = {}\n\n{far}{far}group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\n\
             smsbox-id = one\nsendsms-port = {sendsms}\nlog-level = 4\n\ngroup = sendsms-user\nusername = loss\npassword = loss\n",
            spool.display()
        );
        std::fs::write(dir.join("kannel.conf"), text).map_err(|fault| fault.to_string())?;
        Ok(Kannel { dir: dir.to_owned(), bearerbox: None, smsbox: None, sendsms })
    }

    fn start(&mut self) -> Result<(), String> {
        let start = |name: &str| {
            let mut command = Command::new(name);
            command.args(["-v", "4"]).arg(self.dir.join("kannel.conf"));
            Process::start(name, &self.dir, command)
        };
        self.bearerbox = Some(start("bearerbox"));
        std::thread::sleep(Duration::from_millis(700));
        // The box that only translates HTTP goes on when it can; else it is started again.
        if self.smsbox.as_mut().is_none_or(|smsbox| smsbox.ended().is_some()) {
            self.smsbox = Some(start("smsbox"));
        }
        listens(self.at(), Duration::from_secs(20))
    }

    fn kill9(&mut self) {
        if let Some(mut bearerbox) = self.bearerbox.take() {
            bearerbox.kill9();
        }
    }

    fn at(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.sendsms).into()
    }

    fn end(&mut self) {
        self.smsbox.take();
        self.bearerbox.take();
    }
}

impl Paths for Kannel {
    fn paths() -> Arc<dyn Fn(usize) -> String + Send + Sync> {
        Arc::new(|number| {
            format!(
                "/cgi-bin/sendsms?username=loss&password=loss&from=SHOP&to=%2B336{number:08}&text=Order+%23{number}%23&dlr-mask=3&dlr-url=http%3A%2F%2F127.0.0.1%3A1%2F"
            )
        })
    }
}

/// Jasmin with its broker and its store, as its documentation installs them.
struct Jasmin {
    dir: std::path::PathBuf,
    process: Option<Process>,
    smsc: u16,
}

/// Its ports are fixed in its own default configuration.
const JASMIN_HTTP: u16 = 1401;
const JASMIN_CONSOLE: u16 = 8990;

impl Gateway for Jasmin {
    fn prepare(dir: &Path, smsc: u16) -> Result<Jasmin, String> {
        if !install("rabbitmq-server", "rabbitmq-server redis-server python3-venv") || !install("redis-server", "redis-server") {
            return Err("RabbitMQ and Redis cannot be installed here".into());
        }
        let home = std::env::temp_dir().join("relais-jasmin");
        let venv = home.join("venv");
        shell(&format!(
            "mkdir -p {home} && {{ [ -x {venv}/bin/jasmind.py ] || {{ python3 -m venv {venv} && {venv}/bin/pip install -q 'jasmin==0.11.0' 'setuptools<81'; }}; }}",
            home = home.display(),
            venv = venv.display()
        ))?;
        shell(
            "mkdir -p /etc/jasmin/resource /etc/jasmin/store /var/log/jasmin && \
             (redis-cli ping >/dev/null 2>&1 || redis-server --daemonize yes >/dev/null) && \
             (rabbitmqctl status >/dev/null 2>&1 || (rabbitmq-server -detached >/dev/null 2>&1; sleep 8; rabbitmqctl await_startup --timeout 60 >/dev/null))",
        )?;
        let jasmin = Jasmin { dir: dir.to_owned(), process: None, smsc };
        Ok(jasmin)
    }

    fn start(&mut self) -> Result<(), String> {
        let is_first = self.process.is_none() && !self.dir.join("jasmin-configured").exists();
        let venv = std::env::temp_dir().join("relais-jasmin/venv/bin");
        let mut command = Command::new(venv.join("python3"));
        command.arg(venv.join("jasmind.py")).args(["--username", "jcliadmin", "--password", "jclipwd"]).current_dir(&self.dir);
        self.process = Some(Process::start("jasmin", &self.dir, command));
        listens(self.at(), Duration::from_secs(60))?;
        listens(([127, 0, 0, 1], JASMIN_CONSOLE).into(), Duration::from_secs(60))?;
        if is_first {
            self.configure()?;
            std::fs::write(self.dir.join("jasmin-configured"), "").map_err(|fault| fault.to_string())?;
        } else {
            console(&["load", "smppccm -1 far"])?;
        }
        Ok(())
    }

    fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    fn at(&self) -> SocketAddr {
        ([127, 0, 0, 1], JASMIN_HTTP).into()
    }

    fn end(&mut self) {
        self.process.take();
    }
}

impl Jasmin {
    fn configure(&self) -> Result<(), String> {
        let smsc = self.smsc.to_string();
        console(&[
            "smppccm -a",
            "cid far",
            "host 127.0.0.1",
            &format!("port {smsc}"),
            "username jasmin",
            "password losspass",
            "submit_throughput 0",
            "con_fail_retry yes",
            "con_fail_delay 1",
            "con_loss_delay 1",
            "ok",
            "smppccm -1 far",
            "group -a",
            "gid loss",
            "ok",
            "user -a",
            "username loss",
            "password loss",
            "gid loss",
            "uid loss",
            "ok",
            "mtrouter -a",
            "type DefaultRoute",
            "connector smppc(far)",
            "rate 0.00",
            "ok",
            "persist",
        ])
    }
}

/// Talks to Jasmin's console, a line at a time.
fn console(lines: &[&str]) -> Result<(), String> {
    use std::io::{Read as _, Write as _};
    let talk = || -> std::io::Result<()> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", JASMIN_CONSOLE))?;
        stream.set_read_timeout(Some(Duration::from_millis(400)))?;
        for line in ["jcliadmin", "jclipwd"].iter().chain(lines) {
            let mut buffer = [0; 4_096];
            let _ = stream.read(&mut buffer);
            stream.write_all(format!("{line}\r\n").as_bytes())?;
        }
        let _ = stream.read(&mut [0; 4_096]);
        stream.write_all(b"quit\r\n")
    };
    talk().map_err(|fault| format!("Jasmin's console: {fault}"))
}

impl Paths for Jasmin {
    fn paths() -> Arc<dyn Fn(usize) -> String + Send + Sync> {
        Arc::new(|number| format!("/send?username=loss&password=loss&from=SHOP&to=336{number:08}&content=Order+%23{number}%23"))
    }
}
