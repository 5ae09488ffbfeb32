//! The stage of a run: a directory, an SMSC, a sink and a gateway as processes of their own, and what they say.
#![allow(clippy::disallowed_methods)]

use super::drive::Door;
use super::metrics::Metrics;
use super::process::{Process, Programs, Usage, ports};
use super::rules;
use super::scenario::Scenario;
use anyhow::Context as _;
use relais::app::keys;
use relais::base::Secret;
use relais::world::World;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PEPPER: &str = "a pepper for load tests alone";
/// A gateway that recovers ten million messages gets this long before the run is given up; the pass line is shorter.
const READY: Duration = Duration::from_secs(120);

/// A directory that is removed at the end unless it was asked for by name.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    is_kept: bool,
}

impl Directory {
    pub(crate) fn new(given: Option<&Path>) -> anyhow::Result<Directory> {
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros();
        let path = given.map_or_else(|| std::env::temp_dir().join(format!("relais-load-{stamp}")), Path::to_owned);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Directory { path, is_kept: given.is_some() })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The processes and what they need.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) directory: Directory,
    programs: Programs,
    habits: Vec<String>,
    trace: bool,
    smsc_port: u16,
    webhook_secret: String,
    key: String,
    pub(crate) smsc: Option<Process>,
    pub(crate) sink: Process,
    pub(crate) gateway: Process,
    pub(crate) at: SocketAddr,
    /// What earlier lives of the gateway used.
    pub(crate) before: Usage,
}

impl Stage {
    /// Starts all; the SMSC too, unless the carrier begins down.
    pub(crate) async fn set(world: &World, scenario: &Scenario, directory: Directory, carrier_is_up: bool) -> anyhow::Result<Stage> {
        let programs = Programs::find()?;
        let dir = directory.path.clone();
        let _ = std::fs::remove_file(dir.join("sink.port"));
        let webhook_secret = keys::webhook_secret(world);
        let mut sink = Process::start(
            "sink",
            Command::new(&programs.peers)
                .args(["sink", "--listen", "127.0.0.1:0", "--every", "50", "--secret", &webhook_secret, "--port-file"])
                .arg(dir.join("sink.port")),
            &dir.join("sink.log"),
        )?;
        let sink_port = ports(&dir.join("sink.port"), &mut sink).await?[0];
        let key = keys::make(world, "load", &Secret::new(PEPPER));
        // The port is known before the SMSC is there, so that a carrier can be down at first.
        let smsc_port = world.net.listen(([127, 0, 0, 1], 0).into()).await?.local_addr().port();
        let rules = if scenario.rules { rules::config(&dir, world.now())? } else { rules::Lines::default() };
        let config = config(scenario, &dir, &key.hash, smsc_port, sink_port, &rules);
        std::fs::write(dir.join("relais.toml"), config)?;
        let smsc = if carrier_is_up { Some(smsc(&programs, &scenario.smsc, scenario.trace, &dir, smsc_port).await?) } else { None };
        let (gateway, at) = gateway(&programs, &dir, &webhook_secret).await?;
        let (habits, trace) = (scenario.smsc.clone(), scenario.trace);
        let (world, before) = (world.clone(), Usage::default());
        Ok(Stage { world, directory, programs, habits, trace, smsc_port, webhook_secret, key: key.shown, smsc, sink, gateway, at, before })
    }

    /// Starts the SMSC of a carrier that was down.
    pub(crate) async fn carrier_up(&mut self) -> anyhow::Result<()> {
        self.smsc = Some(smsc(&self.programs, &self.habits, self.trace, &self.directory.path, self.smsc_port).await?);
        Ok(())
    }

    /// `kill -9`, and a new start on the same journal; how long it took until it was ready.
    pub(crate) async fn kill_and_restart(&mut self) -> anyhow::Result<Duration> {
        self.before = self.before.plus(Usage::of(self.gateway.pid()));
        self.gateway.kill()?;
        let began = Instant::now();
        (self.gateway, self.at) = gateway(&self.programs, &self.directory.path, &self.webhook_secret).await?;
        let door = self.door();
        let mut client = door.client();
        while door.get(&mut client, "/readyz").await.map_or(0, |answer| answer.status) != 200 {
            anyhow::ensure!(began.elapsed() < READY, "the gateway is not ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(began.elapsed())
    }

    pub(crate) fn door(&self) -> Door {
        Door { world: self.world.clone(), at: self.at, key: self.key.clone() }
    }

    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        let door = self.door();
        let answer = door.get(&mut door.client(), "/metrics").await?;
        Ok(Metrics::read(&String::from_utf8_lossy(&answer.body)))
    }

    /// Waits until the carriers' links are all bound.
    pub(crate) async fn bound(&mut self, links: u32) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while self.metrics().await?.value("relais_links_bound") < f64::from(links) {
            self.check()?;
            anyhow::ensure!(Instant::now() < end, "the links are not bound");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Fails when one of the processes has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.sink.check()?;
        self.smsc.as_mut().map_or(Ok(()), Process::check)?;
        self.gateway.check()
    }

    /// What the gateway has used, all its lives together.
    pub(crate) fn gateway_usage(&self) -> Usage {
        Usage::of(self.gateway.pid()).plus(self.before)
    }

    /// A counter of the SMSC; 0 while it is down.
    pub(crate) fn smsc_count(&self, key: &str) -> u64 {
        self.smsc.as_ref().map_or(0, |smsc| smsc.count(key))
    }

    /// When the SMSC noted each message, in milliseconds of wall time, by token.
    pub(crate) fn trace_file(&self) -> PathBuf {
        self.directory.path.join("submits.ndjson")
    }
}

async fn smsc(programs: &Programs, habits: &[String], trace: bool, dir: &Path, port: u16) -> anyhow::Result<Process> {
    let port_file = dir.join("smsc.port");
    let _ = std::fs::remove_file(&port_file);
    let mut command = Command::new(&programs.peers);
    command.args(["smsc", "--every", "50", "--listen", &format!("127.0.0.1:{port}"), "--port-file"]).arg(&port_file);
    for habit in habits {
        command.args(["-p", habit]);
    }
    if trace {
        command.arg("--record").arg(dir.join("submits.ndjson"));
    }
    let mut smsc = Process::start("smsc", &mut command, &dir.join("smsc.log"))?;
    ports(&port_file, &mut smsc).await?;
    Ok(smsc)
}

async fn gateway(programs: &Programs, dir: &Path, webhook_secret: &str) -> anyhow::Result<(Process, SocketAddr)> {
    let mut command = Command::new(&programs.relais);
    command.args(["serve", "--config"]).arg(dir.join("relais.toml"));
    command.env("LOAD_PEPPER", PEPPER).env("LOAD_CARRIER", "loadpass").env("LOAD_WEBHOOK", webhook_secret);
    let mut gateway = Process::start("gateway", &mut command, &dir.join("gateway.log"))?;
    let at = gateway.listening(READY).await.with_context(|| {
        let log = std::fs::read_to_string(dir.join("gateway.log")).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join("\n")
    })?;
    Ok((gateway, at))
}

fn config(scenario: &Scenario, dir: &Path, hash: &str, smsc_port: u16, sink_port: u16, rules: &rules::Lines) -> String {
    let gateway = &scenario.gateway;
    let mut text = format!(
        "data_dir = {:?}\n[secrets]\npepper = {{ env = \"LOAD_PEPPER\" }}\n[http]\nlisten = \"127.0.0.1:0\"\n{}\n\
         [[accounts]]\nname = \"load\"\n{}[[accounts.keys]]\nid = \"load\"\nhash = \"{hash}\"\n{}",
        dir.join("data"),
        gateway.http,
        rules.account,
        rules.caps,
    );
    let rate = if gateway.carrier.contains("segments_per_second") { "" } else { "segments_per_second = 0\n" };
    for carrier in 0..gateway.carriers {
        text += &format!(
            "[[carriers]]\nname = \"far-{carrier}\"\nhost = \"127.0.0.1\"\nport = {smsc_port}\nsystem_id = \"relais-{carrier}\"\n\
             password = {{ env = \"LOAD_CARRIER\" }}\nbinds = {}\nwindow = {}\nreconnect_min = \"100ms\"\n\
             reconnect_max = \"1s\"\n{rate}{}\n",
            gateway.binds, gateway.window, gateway.carrier,
        );
    }
    // With several carriers the recipients' countries share them out.
    if gateway.carriers > 1 {
        text += "[[routes]]\nprefix = \"33\"\ncarrier = \"far-1\"\n";
    }
    text + &format!(
        "[[routes]]\nprefix = \"\"\ncarrier = \"far-0\"\n[[webhooks]]\nname = \"told\"\naccount = \"load\"\n\
         url = \"http://127.0.0.1:{sink_port}/hooks\"\nsecret = {{ env = \"LOAD_WEBHOOK\" }}\nmax_batch = 1000\n\
         [webhook_rules]\nallow_loopback = true\nallow_http = true\nports = [{sink_port}]\n[log]\nlevel = \"warn\"\nformat = \"text\"\n{}\n{}",
        gateway.sections, rules.sections,
    )
}
