//! The gateway's lives: a process starts on the disk, runs until it is killed, told to stop or breaks, and starts again.

use super::checks::Broken;
use super::disk::Disk;
use super::editions::EDITIONS;
use super::model::Model;
use super::seen::Seen;
use crate::app::Gateway;
use crate::app::gateway::{Ended, Opened};
use crate::base::Span;
use crate::config::Config;
use crate::engine::reader::Calls;
use crate::lab::SimWorld;
use crate::lab::net::Death;
use crate::lab::points::{End, Points};
use crate::lab::world::Process;
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::mpsc;

/// What is done to the gateway.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// It dies so, and is started again after a while.
    Die(Death, Span),
    /// It is told to stop, is killed if that takes longer than this, and is started again after a while.
    Stop(Option<Span>, Span),
    /// Other rules lie in its files, and it is told to read them; when it is not there, it reads them at its next start.
    Reload(u8),
    /// It is told to stop, and that is the end.
    End,
}

/// Everything the gateway's lives share.
pub struct Stage {
    /// The world.
    pub sim: SimWorld,
    /// The disk.
    pub disk: Disk,
    /// The configuration.
    pub config: Config,
    /// Told of births and deaths.
    pub model: Model,
    /// Where processes die besides.
    pub points: Option<Points>,
}

/// After a death at a point it is down for so long.
const BURIED: Span = Span::secs(1);

/// How a life has ended.
enum Over {
    /// Orderly or not, and it is started again after a while.
    Again(Span),
    /// For good.
    End,
}

/// The files of rules and time zones, which outlive processes.
#[derive(Default)]
struct Files {
    /// The edition that lies there, and the one the model knows of.
    lies: Arc<AtomicU8>,
    told: AtomicU8,
}

impl Files {
    /// The gateway has read them.
    fn are_in_force(&self, model: &Model) {
        let edition = self.lies.load(Relaxed);
        if self.told.swap(edition, Relaxed) != edition {
            model.see(&Seen::Rules { edition });
        }
    }
}

impl Stage {
    /// Lives until the end is ordered. A service manager that starts it again.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let files = Files::default();
        loop {
            let process = self.sim.process();
            if let Some(points) = &self.points {
                points.begin(process.mark());
            }
            let over = tokio::select! {
                biased;
                death = self.struck() => {
                    process.die(death);
                    self.model.see(&Seen::Died);
                    Over::Again(BURIED)
                }
                over = self.live(&process, &mut orders, &files) => over,
            };
            match over {
                Over::Again(pause) => tokio::time::sleep(pause.std()).await,
                Over::End => return,
            }
        }
    }

    /// Resolves when the process has come to a point at which it dies.
    async fn struck(&self) -> Death {
        let Some(points) = &self.points else { return std::future::pending().await };
        points.struck().await;
        match points.end() {
            End::Killed => Death::Closed,
            End::Unplugged => Death::Lost,
        }
    }

    async fn live(&self, process: &Process, orders: &mut mpsc::Receiver<Order>, files: &Files) -> Over {
        let opened = Opened { journal: Box::new(self.disk.open()), checkpoint: None };
        let lies = files.lies.clone();
        let read = Box::new(move || Ok(EDITIONS[usize::from(lies.load(Relaxed))].sources()));
        let started = Gateway::under(process.world(), self.config.clone(), opened, Metrics::new(), Calls::Direct, read).await;
        let gateway = match started {
            Ok(gateway) => gateway,
            Err(fault) => {
                self.model.fail(Broken { invariant: "INV-4", what: format!("it does not start: {fault}") });
                return Over::End;
            }
        };
        self.model.see(&Seen::Started);
        files.are_in_force(&self.model);
        let order = loop {
            let order = tokio::select! {
                biased;
                order = orders.recv() => order.unwrap_or(Order::End),
                () = gateway.engine.failed() => {
                    process.die(Death::Closed);
                    drop(gateway);
                    self.model.see(&Seen::Died);
                    return Over::Again(Span::secs(1));
                }
                () = gateway.broken.cancelled() => {
                    process.die(Death::Closed);
                    self.model.fail(Broken { invariant: "INV-35", what: "a part of the gateway has panicked".into() });
                    return Over::End;
                }
            };
            let Order::Reload(edition) = order else { break order };
            files.lies.store(edition, Relaxed);
            // A refusal (too many in seven days) leaves what was in force.
            if gateway.engine.rules.reload(process.world().now()).is_ok() {
                files.are_in_force(&self.model);
            }
        };
        match order {
            Order::Die(death, pause) => {
                process.die(death);
                drop(gateway);
                self.model.see(&Seen::Died);
                Over::Again(pause)
            }
            Order::Stop(patience, pause) => {
                let limit = patience.map_or(std::time::Duration::MAX, Span::std);
                let ended = tokio::time::timeout(limit, gateway.stop()).await;
                process.die(Death::Closed);
                self.model.see(&Seen::Stopped { is_clean: ended == Ok(Ended::Clean) });
                Over::Again(pause)
            }
            Order::Reload(_) => unreachable!("it was carried out"),
            Order::End => {
                let ended = gateway.stop().await;
                process.die(Death::Closed);
                self.model.see(&Seen::Stopped { is_clean: ended == Ended::Clean });
                Over::End
            }
        }
    }
}
