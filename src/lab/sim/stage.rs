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
}

/// Why a life is over.
enum Over {
    Order(Order),
    /// The journal has failed: the process ends.
    Failed,
    /// A part has panicked.
    Panicked,
}

impl Stage {
    /// Lives until the end is ordered. A service manager that starts it again.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let edition = Arc::new(AtomicU8::new(0));
        let mut in_force = 0;
        loop {
            let process = self.sim.process();
            let opened = Opened { journal: Box::new(self.disk.open()), checkpoint: None };
            let lies = edition.clone();
            let read = Box::new(move || Ok(EDITIONS[usize::from(lies.load(Relaxed))].sources()));
            let started = Gateway::under(process.world(), self.config.clone(), opened, Metrics::new(), Calls::Direct, read).await;
            let gateway = match started {
                Ok(gateway) => gateway,
                Err(fault) => return self.model.fail(Broken { invariant: "INV-4", what: format!("it does not start: {fault}") }),
            };
            self.model.see(&Seen::Started);
            let lies = edition.load(Relaxed);
            if lies != in_force {
                in_force = lies;
                self.model.see(&Seen::Rules { edition: lies });
            }
            let over = loop {
                let over = tokio::select! {
                    biased;
                    order = orders.recv() => Over::Order(order.unwrap_or(Order::End)),
                    () = gateway.engine.failed() => Over::Failed,
                    () = gateway.broken.cancelled() => Over::Panicked,
                };
                let Over::Order(Order::Reload(next)) = over else { break over };
                edition.store(next, Relaxed);
                // A refusal (too many in seven days) leaves what was in force.
                if gateway.engine.rules.reload(process.world().now()).is_ok() && next != in_force {
                    in_force = next;
                    self.model.see(&Seen::Rules { edition: next });
                }
            };
            let pause = match over {
                Over::Order(Order::Die(death, pause)) => {
                    process.die(death);
                    drop(gateway);
                    self.model.see(&Seen::Died);
                    pause
                }
                Over::Failed => {
                    process.die(Death::Closed);
                    drop(gateway);
                    self.model.see(&Seen::Died);
                    Span::secs(1)
                }
                Over::Panicked => {
                    process.die(Death::Closed);
                    return self.model.fail(Broken { invariant: "INV-35", what: "a part of the gateway has panicked".into() });
                }
                Over::Order(Order::Stop(patience, pause)) => {
                    let limit = patience.map_or(std::time::Duration::MAX, Span::std);
                    let ended = tokio::time::timeout(limit, gateway.stop()).await;
                    process.die(Death::Closed);
                    self.model.see(&Seen::Stopped { is_clean: ended == Ok(Ended::Clean) });
                    pause
                }
                Over::Order(Order::Reload(_)) => unreachable!("it was carried out"),
                Over::Order(Order::End) => {
                    let ended = gateway.stop().await;
                    process.die(Death::Closed);
                    return self.model.see(&Seen::Stopped { is_clean: ended == Ended::Clean });
                }
            };
            tokio::time::sleep(pause.std()).await;
        }
    }
}
