//! A whole gateway as a value: store, engine, HTTP interface, upkeep. Made by `serve`, by the demo, by tests.

use crate::api;
use crate::app::files;
use crate::app::witness::Witness;
use crate::base::{Span, Time};
use crate::config::{Backend, Config};
use crate::engine::handle::Engine;
use crate::engine::hook::{CourierStats, State};
use crate::engine::reader::Calls;
use crate::engine::recover::Found;
use crate::engine::rules::ReadRules;
use crate::engine::start::{Files, Running, StartFault};
use crate::pipeline::schedule::clock::Clock;
use crate::storage::{Journal, memory, sqlite};
use crate::telemetry::Metrics;
use crate::world::{World, tls};
use futures_util::FutureExt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

/// How often the journal is looked after and slow gauges are published. Below the five seconds in which a disk with
/// room again must be noticed (INV-6).
const UPKEEP_EVERY: Span = Span::secs(2);

/// How long a stop waits for requests under way.
const REQUESTS_END: Span = Span::secs(5);

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayFault {
    /// The store, or a file of the configuration.
    #[error(transparent)]
    Start(#[from] StartFault),
    /// The send windows, or what an account says of them.
    #[error("{0}")]
    Rules(String),
    /// The HTTP interface.
    #[error("http.{what}: {why}")]
    Http {
        /// The key.
        what: &'static str,
        /// What is wrong.
        why: std::io::Error,
    },
}

/// How a gateway ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// All windows were empty, all sessions unbound, everything on disk.
    Clean,
    /// The drain time was over first: what was unanswered is in doubt at the next start.
    Cut,
    /// The journal had failed.
    Failed,
}

/// A running gateway.
pub struct Gateway {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where the HTTP interface listens.
    pub http: SocketAddr,
    /// What recovery found.
    pub found: Found,
    /// Cancelled when a part has panicked: the process must end at once, never half alive.
    pub broken: CancellationToken,
    parts: Vec<(String, tokio::task::JoinHandle<()>)>,
    couriers: tokio::task::JoinHandle<()>,
    stop_couriers: CancellationToken,
    api: tokio::task::JoinHandle<()>,
    upkeep: tokio::task::JoinHandle<()>,
    eraser: tokio::task::JoinHandle<()>,
    stops: tokio::task::JoinHandle<()>,
    stop_api: CancellationToken,
    stop_upkeep: CancellationToken,
    drain_timeout: Span,
}

impl Gateway {
    /// Starts one. `calls` says where look-ups run: on threads of their own, or (in a simulation) in place.
    pub async fn start(world: World, config: Config, metrics: Arc<Metrics>, calls: Calls) -> Result<Gateway, GatewayFault> {
        metrics.started(world.now());
        let journal = open(&config).map_err(StartFault::from)?;
        Gateway::on(world, config, journal, metrics, calls).await
    }

    /// Starts one on a journal that is already open.
    pub async fn on(world: World, config: Config, journal: Opened, metrics: Arc<Metrics>, calls: Calls) -> Result<Gateway, GatewayFault> {
        let names = config.rules.clone();
        Gateway::under(world, config, journal, metrics, calls, Box::new(move || files::rules(&names))).await
    }

    /// Starts one on a journal that is already open; its rules and time zones are read by `of_rules`.
    pub async fn under(
        world: World,
        config: Config,
        journal: Opened,
        metrics: Arc<Metrics>,
        calls: Calls,
        of_rules: ReadRules,
    ) -> Result<Gateway, GatewayFault> {
        #[cfg(feature = "planted-bugs")]
        plant();
        let config = Arc::new(config);
        files::check_rules(&config).map_err(GatewayFault::Rules)?;
        // The door is opened first: a port that is taken is found before anything else begins.
        let listener = world.net.listen(config.http.listen).await.map_err(|why| GatewayFault::Http { what: "listen", why })?;
        let http = listener.local_addr();
        let tls = match &config.http.tls {
            None => None,
            Some(paths) => {
                let fault = |why| GatewayFault::Http { what: "tls", why };
                let chain = files::read(&paths.certificate).map_err(fault)?;
                let key = files::read(&paths.key).map_err(fault)?;
                Some(tls::Server::new(&chain, &key).map_err(fault)?)
            }
        };
        let Opened { journal, checkpoint } = journal;
        let witness = config.journal.witness.as_deref().map(Witness::ask);
        let reached = witness.as_ref().map_or(0, Witness::said);
        let named = Files { read: &files::read, rules: Some(of_rules), reached };
        let mut running = crate::engine::start(world.clone(), config.clone(), journal, metrics, calls, named).await?;
        let engine = running.engine.clone();
        if let Some(mut checkpoint) = checkpoint {
            let stop = running.stop_couriers.clone();
            let part = Box::new(move || {
                Box::pin(async move {
                    // Moves committed pages into the files beside the writer, so that commits do not pay for it.
                    while !stop.is_cancelled() {
                        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
                        checkpoint();
                    }
                }) as crate::world::LocalFuture
            });
            running.parts.push(("checkpoint".into(), world.start.start("checkpoint", part)));
        }
        let (stop_api, stop_upkeep) = (CancellationToken::new(), CancellationToken::new());
        let broken = CancellationToken::new();
        let api = guarded("api", api::serve(engine.clone(), listener, tls, stop_api.clone()), &broken);
        let upkeep = guarded("upkeep", look_after(engine.clone(), witness, stop_upkeep.clone()), &broken);
        let eraser = guarded("eraser", crate::engine::eraser::run(engine.clone(), stop_upkeep.clone()), &broken);
        let stops = guarded("stops", crate::engine::stopper::run(engine.clone(), stop_upkeep.clone()), &broken);
        let Running { parts, couriers, stop_couriers, recovered: found, .. } = running;
        let parts = parts.into_iter().map(|(name, part)| (name.clone(), tokio::spawn(watch(name, part, broken.clone())))).collect();
        let couriers = tokio::spawn(watch_couriers(couriers, broken.clone()));
        let drain_timeout = config.engine.drain_timeout;
        Ok(Gateway {
            engine,
            http,
            found,
            broken,
            parts,
            couriers,
            stop_couriers,
            api,
            upkeep,
            eraser,
            stops,
            stop_api,
            stop_upkeep,
            drain_timeout,
        })
    }

    /// Ends it politely: no new messages, what is leased goes out, windows empty, sessions unbind, the journal closes.
    pub async fn stop(mut self) -> Ended {
        self.engine.drain();
        self.stop_api.cancel();
        let _ = tokio::time::timeout(REQUESTS_END.std(), &mut self.api).await;
        self.stop_upkeep.cancel();
        let mut ended = Ended::Clean;
        self.engine.stop_shards();
        let (mut writer, mut others) = (None, Vec::new());
        for (name, part) in std::mem::take(&mut self.parts) {
            match name.as_str() {
                "journal" => writer = Some(part),
                "checkpoint" => others.push(part),
                _ => {
                    let limit = self.drain_timeout;
                    if tokio::time::timeout(limit.std(), part).await.is_err() {
                        tracing::warn!(part = name, "the drain time is over; what is unanswered is in doubt at the next start");
                        ended = Ended::Cut;
                    }
                }
            }
        }
        self.stop_couriers.cancel();
        let _ = tokio::time::timeout(REQUESTS_END.std(), &mut self.couriers).await;
        if self.engine.has_failed() || self.broken.is_cancelled() {
            return Ended::Failed;
        }
        self.engine.stop_writer();
        if let Some(writer) = writer {
            let _ = tokio::time::timeout(self.drain_timeout.std(), writer).await;
        }
        for part in others {
            let _ = tokio::time::timeout(REQUESTS_END.std(), part).await;
        }
        self.upkeep.abort();
        // What it has not done is noted and done after the next start.
        let _ = tokio::time::timeout(REQUESTS_END.std(), &mut self.eraser).await;
        let _ = tokio::time::timeout(REQUESTS_END.std(), &mut self.stops).await;
        ended
    }
}

impl Drop for Gateway {
    /// What was not stopped ends at once, as a kill would end it; nothing is waited for.
    fn drop(&mut self) {
        [&self.api, &self.upkeep, &self.eraser, &self.stops, &self.couriers].into_iter().for_each(tokio::task::JoinHandle::abort);
        self.parts.iter().for_each(|(_, part)| part.abort());
    }
}

/// Plants the bug that the environment names.
#[cfg(feature = "planted-bugs")]
#[allow(clippy::disallowed_methods)]
fn plant() {
    if let Ok(name) = std::env::var("RELAIS_BUG") {
        assert!(crate::base::planted::choose(&name), "RELAIS_BUG names no planted bug");
    }
}

/// A journal, and what moves its log into its files.
pub struct Opened {
    /// The journal.
    pub journal: Box<dyn Journal>,
    /// To be called now and then, on a thread of its own.
    pub checkpoint: Option<Box<dyn FnMut() + Send>>,
}

fn open(config: &Config) -> Result<Opened, crate::storage::StoreFault> {
    let journal = &config.journal;
    match journal.backend {
        Backend::Memory => Ok(Opened { journal: Box::new(memory::Memory::new()), checkpoint: None }),
        Backend::Sqlite => {
            let mut options = sqlite::Options::new(&config.data_dir);
            options.slice = journal.slice;
            options.slice_bytes_max = journal.slice_bytes_max;
            options.reserve_bytes = journal.reserve_bytes;
            options.frame_cache_bytes = usize::try_from(journal.frame_cache_bytes).unwrap_or(usize::MAX);
            let store = sqlite::Sqlite::open(options)?;
            let checkpoint = store.checkpointer();
            Ok(Opened { journal: Box::new(store), checkpoint: Some(checkpoint) })
        }
    }
}

/// A part that panics breaks the gateway.
async fn watch(name: String, part: crate::world::Finished, broken: CancellationToken) {
    if let Err(why) = part.await {
        tracing::error!(part = name, why, "a part has ended badly; the process ends, and a restart recovers");
        broken.cancel();
    }
}

/// Starts a task of the whole gateway; when it panics the gateway is broken, as by a part. A panic in the service of one request
/// is not meant: it ends that request.
fn guarded(name: &'static str, work: impl Future<Output = ()> + Send + 'static, broken: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let broken = broken.clone();
    tokio::spawn(async move {
        // Nothing of what it shared is used again: the process ends.
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(part = name, "a task has panicked; the process ends, and a restart recovers");
            broken.cancel();
        }
    })
}

async fn watch_couriers(mut couriers: tokio::task::JoinSet<()>, broken: CancellationToken) {
    while let Some(ended) = couriers.join_next().await {
        if ended.is_err() {
            tracing::error!("a webhook's task has panicked; the process ends, and a restart recovers");
            broken.cancel();
        }
    }
}

/// Upkeep of the journal, and gauges nobody publishes by themselves.
async fn look_after(engine: Arc<Engine>, mut witness: Option<Witness>, stop: CancellationToken) {
    let mut last: Vec<[u64; 3]> = vec![[0; 3]; engine.couriers.len()];
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_EVERY.std()) => {}
        }
        // INV-17: what is removed by a clock that has just been set does not come back when it is set right.
        let before = match engine.clock() {
            Clock::Unsure if !crate::base::planted::is("removed-by-unsure-clock") => Time(i64::MIN),
            _ => Time(engine.world.now().0 - engine.config.journal.retention.as_millis() as i64),
        };
        let told = engine.couriers.iter().map(|(_, stats)| stats.told()).min().unwrap_or(u64::MAX);
        engine.upkeep(before, told);
        engine.rules.look(engine.world.now());
        witness.iter_mut().for_each(|witness| witness.tell(engine.reached()));
        for ((name, stats), last) in engine.couriers.iter().zip(&mut last) {
            publish(&engine, name, stats, last);
        }
    }
}

fn publish(engine: &Engine, name: &str, stats: &CourierStats, last: &mut [u64; 3]) {
    let metrics = engine.metrics.endpoint(name);
    let now = [stats.delivered.load(Ordering::Relaxed), stats.failed.load(Ordering::Relaxed), stats.dead.load(Ordering::Relaxed)];
    for ((counter, now), last) in [&metrics.events, &metrics.failures, &metrics.dead].into_iter().zip(now).zip(last) {
        counter.inc_by(now.saturating_sub(*last));
        *last = now;
    }
    // Not from the durable cursor: that one stays behind its own commit, and a lag that is never 0 tells nobody anything.
    let lag = if stats.state() == State::Gone { 0 } else { stats.lag.load(Ordering::Relaxed) };
    metrics.lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_breaks_the_gateway_and_one_that_ends_or_is_stopped_does_not() {
        let broken = CancellationToken::new();
        guarded("quiet", async {}, &broken).await.expect("it ends");
        let stopped = guarded("stopped", std::future::pending(), &broken);
        stopped.abort();
        assert!(stopped.await.is_err_and(|why| why.is_cancelled()));
        assert!(!broken.is_cancelled());
        guarded("broken", async { panic!("as any bug may") }, &broken).await.expect("the panic goes no further");
        assert!(broken.is_cancelled());
    }

    #[tokio::test]
    async fn a_part_that_panics_breaks_the_gateway_and_one_that_ends_does_not() {
        for (outcome, breaks) in [(Err("panicked".to_owned()), true), (Ok(()), false)] {
            let broken = CancellationToken::new();
            watch("shard-0".into(), Box::pin(async move { outcome }), broken.clone()).await;
            assert_eq!(broken.is_cancelled(), breaks);
        }
    }
}
