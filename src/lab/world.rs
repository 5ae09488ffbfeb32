//! A world from a seed: clocks that tokio's paused time drives, a network in memory, repeatable entropy, and
//! parts that run as local tasks of the one thread. With a current-thread runtime started paused, the same seed
//! gives the same run. The caller makes the runtime, and a `LocalSet` when parts are started.

use super::chance::Chance;
use super::net::{self, Death, SimNet};
use crate::base::{Mono, Time};
use crate::world::{Clock, Entropy, Finished, LocalFuture, Start, World};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Where simulated wall time begins unless told otherwise: 2026-12-01T09:00:00Z, a Tuesday.
pub const BEGIN: Time = Time(1_796_115_600_000);

/// A simulated world and the handles to disturb it.
#[derive(Clone)]
pub struct SimWorld {
    net: SimNet,
    clock: Arc<SimClock>,
    machine: Arc<MachineClock>,
    world: World,
}

impl SimWorld {
    /// A world from a seed. Must be called within a tokio runtime (the clocks begin now).
    #[must_use]
    pub fn new(seed: u64) -> SimWorld {
        let net = SimNet::new(seed);
        let clock = Arc::new(SimClock { began: Instant::now(), wall_at_begin: AtomicI64::new(BEGIN.0) });
        let machine = Arc::new(MachineClock { right: clock.clone(), error: Mutex::new(ClockError::default()) });
        let entropy = Arc::new(SimEntropy(Mutex::new(Chance::new(seed ^ 0x656E_7472))));
        let world = World { clock: clock.clone(), net: Arc::new(net.clone()), entropy, start: Arc::new(SimStart) };
        SimWorld { net, clock, machine, world }
    }

    /// The world as the gateway sees it.
    #[must_use]
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// The world as one process sees it, which can die alone. All processes are on one machine, whose wall clock may be wrong.
    #[must_use]
    pub fn process(&self) -> Process {
        let (net, tasks) = (self.net.process(), Arc::new(Mutex::new(Vec::new())));
        let start = Arc::new(ProcessStart(tasks.clone()));
        let World { clock, entropy, .. } = self.on_machine();
        Process { world: World { clock, net: Arc::new(net.clone()), entropy, start }, net, tasks }
    }

    /// The world with the wall clock of the processes' machine.
    #[must_use]
    pub fn on_machine(&self) -> World {
        World { clock: self.machine.clone(), ..self.world.clone() }
    }

    /// The machine's wall clock is wrong by `error` from now on; that of the world is right.
    pub fn set_clock_error(&self, error: ClockError) {
        *self.machine.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// The network, to cut and slow it.
    #[must_use]
    pub fn net(&self) -> &SimNet {
        &self.net
    }

    /// The wall clock shows `to` from now on; monotonic time is untouched.
    pub fn set_wall(&self, to: Time) {
        let elapsed_ms = self.clock.began.elapsed().as_millis() as i64;
        self.clock.wall_at_begin.store(to.0 - elapsed_ms, Ordering::Relaxed);
    }

    /// The wall clock jumps by this many milliseconds, back when negative.
    pub fn jump_wall_ms(&self, by_ms: i64) {
        self.clock.wall_at_begin.fetch_add(by_ms, Ordering::Relaxed);
    }
}

struct SimClock {
    began: Instant,
    wall_at_begin: AtomicI64,
}

impl Clock for SimClock {
    fn wall(&self) -> Time {
        Time(self.wall_at_begin.load(Ordering::Relaxed) + self.began.elapsed().as_millis() as i64)
    }
    fn mono(&self) -> Mono {
        Mono(self.began.elapsed().as_micros() as u64)
    }
}

/// How wrong a machine's wall clock is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockError {
    /// Since when, in right milliseconds.
    pub since: i64,
    /// So many milliseconds ahead then.
    pub ahead_ms: i64,
    /// What it gains from then on, in parts of a million.
    pub gains_ppm: i64,
}

impl ClockError {
    /// Milliseconds by which it is ahead at an instant of right time that is not before `since`.
    #[must_use]
    pub const fn at(&self, right: i64) -> i64 {
        self.ahead_ms + (right - self.since) * self.gains_ppm / 1_000_000
    }
}

/// The clock of the machine on which processes run.
struct MachineClock {
    right: Arc<SimClock>,
    error: Mutex<ClockError>,
}

impl Clock for MachineClock {
    fn wall(&self) -> Time {
        let right = self.right.wall().0;
        Time(right + self.error.lock().unwrap_or_else(PoisonError::into_inner).at(right))
    }
    fn mono(&self) -> Mono {
        self.right.mono()
    }
}

struct SimEntropy(Mutex<Chance>);

impl Entropy for SimEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
    }
}

/// A process of the simulated world: its parts and its streams end together.
pub struct Process {
    world: World,
    net: net::Process,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Process {
    /// The world as it sees it.
    #[must_use]
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// What says to its streams that it is dead.
    #[must_use]
    pub fn mark(&self) -> Arc<AtomicBool> {
        self.net.mark()
    }

    /// Ends it at once: nothing of it runs any more, nothing it writes arrives.
    pub fn die(&self, death: Death) {
        self.net.die(death);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
    }
}

struct ProcessStart(Arc<Mutex<Vec<AbortHandle>>>);

impl Start for ProcessStart {
    fn start(&self, _name: &str, part: Box<dyn FnOnce() -> LocalFuture + Send>) -> Finished {
        let task = tokio::task::spawn_local(part());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
        Box::pin(async move {
            match task.await {
                Ok(()) => Ok(()),
                Err(fault) if fault.is_panic() => Err("panicked".into()),
                // The process has died: there is nobody left to be told.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

struct SimStart;

impl Start for SimStart {
    fn start(&self, _name: &str, part: Box<dyn FnOnce() -> LocalFuture + Send>) -> Finished {
        let task = tokio::task::spawn_local(part());
        Box::pin(async move {
            match task.await {
                Ok(()) => Ok(()),
                Err(fault) if fault.is_panic() => Err("panicked".into()),
                Err(_) => Err("the simulation ended first".into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::world::Entropy64;

    #[tokio::test(start_paused = true)]
    async fn both_clocks_follow_tokios_and_the_wall_alone_can_jump() {
        let sim = SimWorld::new(1);
        let world = sim.world();
        let (wall, mono) = (world.now(), world.mono());
        assert_eq!(wall, BEGIN);
        tokio::time::sleep(Span::secs(90).std()).await;
        assert_eq!(world.now().since(wall), Span::secs(90));
        assert_eq!(world.mono().since(mono), Span::secs(90));
        sim.jump_wall_ms(-3_600_000);
        assert_eq!(world.now(), Time(wall.0 + 90_000 - 3_600_000));
        assert_eq!(world.mono().since(mono), Span::secs(90));
        sim.set_wall(Time(0));
        assert_eq!(world.now(), Time(0));
        sim.set_clock_error(ClockError { since: 0, ahead_ms: -500, gains_ppm: 1_000 });
        tokio::time::sleep(Span::secs(10).std()).await;
        assert_eq!((world.now(), sim.process().world().now()), (Time(10_000), Time(9_510)), "the machine's clock alone is wrong");
    }

    #[tokio::test(start_paused = true)]
    async fn entropy_repeats_with_the_seed() {
        let draw = |seed| SimWorld::new(seed).world().entropy.next_u64();
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_joined_and_its_panic_is_told() {
        let world = SimWorld::new(1).world();
        let local = tokio::task::LocalSet::new();
        let outcome = local
            .run_until(async move {
                let fine = world.start.start("fine", Box::new(|| Box::pin(async {})));
                let bad = world.start.start("bad", Box::new(|| Box::pin(async { panic!("on purpose") })));
                (fine.await, bad.await)
            })
            .await;
        assert_eq!(outcome, (Ok(()), Err("panicked".into())));
    }
}
