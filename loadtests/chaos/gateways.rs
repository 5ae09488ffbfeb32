//! The gateways of the loss table: how each is installed, configured as its own documentation says, started, killed, and
//! asked for a message.

use crate::common::gateway::{Gateway as Ours, Settings, key};
use crate::common::process::Process;
use crate::loss::Gateway;
use crate::rig::{install, shell};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    std::array::from_fn(|index| held[index].local_addr().expect("bound").port())
}

fn listens(at: SocketAddr, within: Duration) -> Result<(), String> {
    let began = Instant::now();
    while TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_err() {
        if began.elapsed() > within {
            return Err(format!("nothing listens at {at}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
}

/// The window of Relais and of Kannel.
const WINDOW: usize = 100;

/// This gateway, with two binds as Kannel has.
pub(crate) struct Relais {
    dir: PathBuf,
    ours: Option<Ours>,
}

impl Gateway for Relais {
    const NAME: &'static str = "Relais";
    const QUIET: Duration = Duration::from_secs(30);

    fn prepare(dir: &Path, smsc: u16, receipts: u16) -> Result<Relais, String> {
        let carrier = format!("binds = 2\nwindow = {WINDOW}\nsegments_per_second = 0\nambiguity_hold = \"1s\"\nreconnect_max = \"1s\"\n");
        Settings { smsc, sink: Some(receipts), carrier, more: String::new() }.write(dir);
        Ok(Relais { dir: dir.to_owned(), ours: None })
    }

    fn start(&mut self) -> Result<(), String> {
        self.ours = Some(Ours::ready(Ours::spawn(&self.dir)).ok_or("it ended at its start")?);
        Ok(())
    }

    fn kill9(&mut self) {
        if let Some(ours) = self.ours.take() {
            ours.kill9();
        }
    }

    fn at(&self) -> SocketAddr {
        self.ours.as_ref().expect("it runs").at()
    }

    fn request(number: usize, _receipts: u16) -> String {
        let body = json!({ "to": format!("+336{number:08}"), "from": "SHOP", "text": format!("Order #{number}#"), "client_ref": number.to_string() });
        let body = body.to_string();
        format!(
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            key(),
            body.len()
        )
    }

    fn message(&mut self, number: usize) -> Value {
        let mut api = self.ours.as_ref().expect("it runs").api();
        let found = api.see(&format!("/v1/messages?client_ref={number}"));
        let id = found["messages"][0]["id"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() { Value::Null } else { api.message(&id) }
    }

    fn end(&mut self) {
        if let Some(ours) = self.ours.take() {
            let _ = ours.stop();
        }
    }
}

/// Debian's Kannel, its store a spool: the one that survives a kill. Both its boxes are killed and started
/// again, as Debian's `run_kannel_box` does: bearerbox, which holds the messages, and smsbox, which translates HTTP.
pub(crate) struct Kannel {
    dir: PathBuf,
    bearerbox: Option<Process>,
    smsbox: Option<Process>,
    boxes: u16,
    sendsms: u16,
}

impl Gateway for Kannel {
    const NAME: &'static str = "Kannel, spool store";
    // It tries again every 60 s what a carrier refused for now.
    const QUIET: Duration = Duration::from_secs(75);

    fn prepare(dir: &Path, smsc: u16, _receipts: u16) -> Result<Kannel, String> {
        if !install("bearerbox", "kannel") {
            return Err("Kannel cannot be installed here".into());
        }
        let [admin, boxes, sendsms] = free_ports::<3>();
        let spool = dir.join("spool");
        std::fs::create_dir_all(&spool).map_err(|fault| fault.to_string())?;
        let far = format!(
            "group = smsc\nsmsc = smpp\nsmsc-id = far\nhost = 127.0.0.1\nport = {smsc}\ntransceiver-mode = true\nsmsc-username = kannel\n\
             smsc-password = losspass\nsystem-type = loss\nmax-pending-submits = {WINDOW}\nreconnect-delay = 1\n\n"
        );
        let text = format!(
            "group = core\nadmin-port = {admin}\nadmin-password = loss\nsmsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\nlog-level = 4\n\
             store-type = spool\nstore-location = {}\n\n{far}{far}group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {boxes}\n\
             smsbox-id = one\nsendsms-port = {sendsms}\nlog-level = 4\n\ngroup = sendsms-user\nusername = loss\npassword = loss\n",
            spool.display()
        );
        std::fs::write(dir.join("kannel.conf"), text).map_err(|fault| fault.to_string())?;
        Ok(Kannel { dir: dir.to_owned(), bearerbox: None, smsbox: None, boxes, sendsms })
    }

    fn start(&mut self) -> Result<(), String> {
        let start = |name: &str| {
            let mut command = Command::new(name);
            command.args(["-v", "4"]).arg(self.dir.join("kannel.conf"));
            Process::start(name, &self.dir, command)
        };
        self.bearerbox = Some(start("bearerbox"));
        listens(([127, 0, 0, 1], self.boxes).into(), Duration::from_secs(20))?;
        if self.smsbox.as_mut().is_none_or(|smsbox| smsbox.ended().is_some()) {
            self.smsbox = Some(start("smsbox"));
        }
        listens(self.at(), Duration::from_secs(20))
    }

    fn kill9(&mut self) {
        if let Some(mut bearerbox) = self.bearerbox.take() {
            bearerbox.kill9();
        }
        // Left alone it starts itself again out of our sight.
        if let Some(mut smsbox) = self.smsbox.take() {
            smsbox.kill9();
        }
    }

    fn at(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.sendsms).into()
    }

    fn request(number: usize, receipts: u16) -> String {
        get(&format!(
            "/cgi-bin/sendsms?username=loss&password=loss&from=SHOP&to=%2B336{number:08}&text=Order+%23{number}%23&dlr-mask=3\
             &dlr-url=http%3A%2F%2F127.0.0.1%3A{receipts}%2F"
        ))
    }

    fn end(&mut self) {
        self.smsbox.take();
        self.bearerbox.take();
    }
}

/// Jasmin with its broker and its store, as its documentation installs them.
pub(crate) struct Jasmin {
    dir: PathBuf,
    process: Option<Process>,
    smsc: u16,
}

/// Its ports are fixed in its own default configuration.
const JASMIN_HTTP: u16 = 1401;
const JASMIN_CONSOLE: u16 = 8990;

impl Gateway for Jasmin {
    const NAME: &'static str = "Jasmin 0.11.0";
    // What it puts back into its queue rests for 120 s.
    const QUIET: Duration = Duration::from_secs(135);
    // It waits for the carrier's answer to each message before it sends the next: some thirty a second with this carrier.
    const REST: Duration = Duration::from_millis(250);

    fn prepare(dir: &Path, smsc: u16, _receipts: u16) -> Result<Jasmin, String> {
        if !install("rabbitmq-server", "rabbitmq-server") || !install("redis-server", "redis-server") {
            return Err("RabbitMQ and Redis cannot be installed here".into());
        }
        // Its package on PyPI leaves out a file of its source that it needs.
        let home = std::env::temp_dir().join("relais-jasmin").display().to_string();
        shell(&format!(
            "mkdir -p {home} && cd {home} && {{ [ -e ready ] || {{ python3 -m venv venv && \
             timeout 600 venv/bin/pip install -q 'jasmin==0.11.0' 'setuptools<81' && \
             timeout 120 venv/bin/pip download -q --no-deps --no-build-isolation --no-binary :all: 'jasmin==0.11.0' && \
             tar xzf jasmin-0.11.0.tar.gz && touch ready; }}; }}"
        ))
        .map_err(|why| format!("Jasmin does not install here: {why}"))?;
        // A virtual host of its own: queues of an earlier run, or of others, are none of its business.
        shell(&format!(
            "mkdir -p {dir}/etc/jasmin/resource {dir}/etc/jasmin/store {dir}/var/log/jasmin && \
             cp {home}/jasmin-0.11.0/misc/config/resource/amqp0-9-1.xml {dir}/etc/jasmin/resource/ && \
             printf '[amqp-broker]\\nvhost = relais-loss\\n' > {dir}/etc/jasmin/jasmin.cfg && \
             {{ redis-cli ping >/dev/null 2>&1 || redis-server --daemonize yes >/dev/null; }} && \
             {{ rabbitmqctl -q status >/dev/null 2>&1 || {{ rabbitmq-server -detached >/dev/null 2>&1; sleep 8; \
             rabbitmqctl -q await_startup --timeout 60 >/dev/null; }}; }} && \
             {{ rabbitmqctl -q delete_vhost relais-loss >/dev/null 2>&1; rabbitmqctl -q add_vhost relais-loss && \
             rabbitmqctl -q set_permissions -p relais-loss guest '.*' '.*' '.*'; }}",
            dir = dir.display()
        ))?;
        Ok(Jasmin { dir: dir.to_owned(), process: None, smsc })
    }

    fn start(&mut self) -> Result<(), String> {
        // A lock that outlives a kill, which its operator must remove.
        let _ = std::fs::remove_file("/tmp/jasmind.lock");
        let venv = std::env::temp_dir().join("relais-jasmin/venv/bin");
        let mut command = Command::new(venv.join("python3"));
        command.arg(venv.join("jasmind.py")).args(["--username", "jcliadmin", "--password", "jclipwd"]);
        command.args(["--enable-dlr-thrower", "--enable-dlr-lookup"]).env("ROOT_PATH", &self.dir).current_dir(&self.dir);
        self.process = Some(Process::start("jasmin", &self.dir, command));
        listens(self.at(), Duration::from_secs(60))?;
        listens(([127, 0, 0, 1], JASMIN_CONSOLE).into(), Duration::from_secs(60))?;
        if self.dir.join("configured").exists() {
            // It was told to keep its configuration, in which the connector is started.
            return Ok(());
        }
        self.configure()?;
        std::fs::write(self.dir.join("configured"), "").map_err(|fault| fault.to_string())
    }

    fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    fn at(&self) -> SocketAddr {
        ([127, 0, 0, 1], JASMIN_HTTP).into()
    }

    fn request(number: usize, receipts: u16) -> String {
        get(&format!(
            "/send?username=loss&password=loss&from=SHOP&to=336{number:08}&content=Order+%23{number}%23&dlr=yes&dlr-level=3\
             &dlr-method=GET&dlr-url=http%3A%2F%2F127.0.0.1%3A{receipts}%2F"
        ))
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

/// Talks to Jasmin's console, a line at a time, each after the prompt.
fn console(lines: &[&str]) -> Result<(), String> {
    let talk = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", JASMIN_CONSOLE))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let prompt = |stream: &mut TcpStream, ends: [&[u8]; 3]| -> std::io::Result<()> {
            let (mut seen, mut buffer) = (Vec::new(), [0; 4_096]);
            while !ends.iter().any(|end| seen.ends_with(end)) {
                match stream.read(&mut buffer)? {
                    0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    count => seen.extend_from_slice(&buffer[..count]),
                }
            }
            Ok(())
        };
        prompt(&mut stream, [b"required.\r\r\r\n\r\r\r\n", b"Username: ", b"jcli : "])?;
        for line in ["jcliadmin", "jclipwd"].iter().chain(lines) {
            stream.write_all(format!("{line}\r\n").as_bytes())?;
            prompt(&mut stream, [b"Password: ", b"jcli : ", b"> "])?;
        }
        stream.write_all(b"quit\r\n")
    };
    talk().map_err(|fault| format!("Jasmin's console: {fault}"))
}
