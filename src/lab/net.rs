//! A network in memory: ports by address, ordered streams with latency drawn from a seed, and handles to cut a
//! link, hold it (a black hole until healed: as with TCP, nothing is lost while both ends wait) or refuse calls.
//! Not a model of packets: octets are never lost or reordered inside a stream.

use super::chance::{Chance, mix};
use super::points::{Points, Spot};
use crate::world::{BoxFuture, BoxListener, BoxStream, Listener, Net};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Octets one direction of a stream holds before its writer waits.
const CAPACITY: usize = 256 * 1024;

/// How streams behave; applies to octets written from now on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// The least latency one way.
    pub latency_min: Duration,
    /// The greatest latency one way.
    pub latency_max: Duration,
    /// The most octets one read returns, drawn from 1 to this; 0 = as many as there are.
    pub chunk_max: usize,
}

/// The network. Clones are the same network.
#[derive(Clone)]
pub struct SimNet(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    weather: Weather,
    ports: BTreeMap<SocketAddr, Port>,
    names: BTreeMap<String, Vec<IpAddr>>,
    refused: BTreeSet<SocketAddr>,
    held: BTreeSet<SocketAddr>,
    links: Vec<Link>,
    /// Beyond it the closed ones are dropped.
    links_max: usize,
    next_port: u16,
    /// Where processes die.
    points: Option<Points>,
}

#[derive(Clone)]
struct Port {
    calls: Arc<Mutex<VecDeque<(BoxStream, SocketAddr)>>>,
    rang: Arc<Notify>,
    owner: Option<Arc<AtomicBool>>,
}

/// One open stream, seen from outside.
#[derive(Clone)]
pub struct Link {
    /// The caller's address.
    pub from: SocketAddr,
    /// The port called.
    pub to: SocketAddr,
    /// There, and back.
    wires: [Weak<Mutex<Wire>>; 2],
    owners: [Option<Arc<AtomicBool>>; 2],
}

/// One direction of a stream, seen from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the caller writes.
    There,
    /// What the caller reads.
    Back,
}

/// How the streams of a process that dies end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The system closes them: what was written still arrives (a kill).
    Closed,
    /// They are reset, and what was under way is lost (a power cut).
    Lost,
}

/// One direction of a stream.
#[derive(Default)]
struct Wire {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// Octets of the first chunk already read.
    read: usize,
    octets: usize,
    last_due: Option<Instant>,
    writer_gone: bool,
    reader_gone: bool,
    reset: bool,
    held: bool,
    /// Octets that may still be written; then the stream is cut, and what was written arrives.
    budget: Option<usize>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere fails its test by itself; the data are plain queues, valid at every step.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Link {
    /// Both ends see a reset; what was under way is lost.
    pub fn cut(&self) {
        self.each(|wire| wire.reset = true);
    }
    /// Nothing arrives any more, and nobody is told.
    pub fn hold(&self) {
        self.each(|wire| wire.held = true);
    }
    /// Nothing arrives any more in one direction, and nobody is told.
    pub fn hold_way(&self, way: Way) {
        if let Some(wire) = self.wires[way as usize].upgrade() {
            lock(&wire).held = true;
        }
    }
    /// What was held arrives.
    pub fn heal(&self) {
        self.each(|wire| wire.held = false);
    }
    /// So many octets more are taken in this direction; then both ends see a reset, after what was written.
    pub fn cut_after(&self, way: Way, octets: usize) {
        if let Some(wire) = self.wires[way as usize].upgrade() {
            lock(&wire).budget = Some(octets.max(1));
        }
    }
    fn is_of(&self, owner: &Arc<AtomicBool>) -> bool {
        self.owners.iter().flatten().any(|one| Arc::ptr_eq(one, owner))
    }
    /// True while both ends live and the link is not cut.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wires.iter().all(|wire| {
            wire.upgrade().is_some_and(|wire| {
                let wire = lock(&wire);
                !wire.reset && !wire.writer_gone && !wire.reader_gone && wire.budget != Some(0)
            })
        })
    }
    fn each(&self, change: impl Fn(&mut Wire)) {
        for wire in self.wires.iter().filter_map(Weak::upgrade) {
            let mut wire = lock(&wire);
            change(&mut wire);
            wire.wake();
        }
    }
}

impl SimNet {
    /// An empty network; latencies and chunks are drawn from the seed.
    #[must_use]
    pub fn new(seed: u64) -> SimNet {
        SimNet(Arc::new(Mutex::new(State {
            chance: Chance::new(mix(seed ^ 0x006E_6574)),
            weather: Weather::default(),
            ports: BTreeMap::new(),
            names: BTreeMap::new(),
            refused: BTreeSet::new(),
            held: BTreeSet::new(),
            links: Vec::new(),
            links_max: 64,
            next_port: 40_000,
            points: None,
        })))
    }

    /// Changes latency and chunking of all streams.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.0).weather = weather;
    }

    /// Every send of a process passes there from now on.
    pub fn set_points(&self, points: Points) {
        lock(&self.0).points = Some(points);
    }

    /// Gives a name addresses.
    pub fn name(&self, host: &str, addresses: &[IpAddr]) {
        lock(&self.0).names.insert(host.into(), addresses.into());
    }

    /// Calls to this address are refused from now on, although somebody may listen.
    pub fn refuse(&self, to: SocketAddr) {
        lock(&self.0).refused.insert(to);
    }

    /// The streams to this address and calls to it hang until `heal`.
    pub fn hold(&self, to: SocketAddr) {
        lock(&self.0).held.insert(to);
        self.links_to(to).iter().for_each(Link::hold);
    }

    /// Ends `refuse` and `hold`. Calls that hung stay lost, as callers time out.
    pub fn heal(&self, to: SocketAddr) {
        let mut state = lock(&self.0);
        state.refused.remove(&to);
        state.held.remove(&to);
        drop(state);
        self.links_to(to).iter().for_each(Link::heal);
    }

    /// Cuts the streams to this address and returns how many.
    pub fn cut(&self, to: SocketAddr) -> usize {
        let links = self.links_to(to);
        links.iter().for_each(Link::cut);
        links.len()
    }

    /// The open streams, in the order they were made.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut state = lock(&self.0);
        state.links.retain(Link::is_open);
        state.links.clone()
    }

    /// The open streams to one address.
    #[must_use]
    pub fn links_to(&self, to: SocketAddr) -> Vec<Link> {
        self.links().into_iter().filter(|link| link.to == to).collect()
    }

    fn latency(&self) -> Duration {
        let mut state = lock(&self.0);
        let Weather { latency_min, latency_max, .. } = state.weather;
        Duration::from_micros(state.chance.between(latency_min.as_micros() as u64, latency_max.as_micros() as u64))
    }

    fn chunk(&self, wanted: usize) -> usize {
        let mut state = lock(&self.0);
        match state.weather.chunk_max {
            0 => wanted,
            most => wanted.min(state.chance.between(1, most as u64) as usize),
        }
    }

    /// The network as one process uses it, which can die.
    #[must_use]
    pub fn process(&self) -> Process {
        Process { net: self.clone(), dead: Arc::default() }
    }

    async fn call(&self, to: SocketAddr, owner: Option<Arc<AtomicBool>>) -> io::Result<BoxStream> {
        tokio::time::sleep(self.latency()).await;
        if lock(&self.0).held.contains(&to) {
            std::future::pending::<()>().await;
        }
        let mut state = lock(&self.0);
        let port = state.ports.get(&to).filter(|_| !state.refused.contains(&to)).cloned();
        let port = port.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        state.next_port = state.next_port.checked_add(1).unwrap_or(20_000);
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), state.next_port);
        let (there, back) = (Arc::new(Mutex::new(Wire::default())), Arc::new(Mutex::new(Wire::default())));
        if state.links.len() >= state.links_max {
            state.links.retain(Link::is_open);
            state.links_max = (2 * state.links.len()).max(64);
        }
        let owners = [owner.clone(), port.owner.clone()];
        state.links.push(Link { from, to, wires: [Arc::downgrade(&there), Arc::downgrade(&back)], owners });
        let points = state.points.clone();
        drop(state);
        let near_points = points.clone().filter(|_| owner.is_some()).map(|points| (points, Spot::of_calls(to.port())));
        let far_points = points.filter(|_| port.owner.is_some()).map(|points| (points, Spot::ANSWER));
        let near = End { net: self.clone(), read: back.clone(), write: there.clone(), timer: None, owner, points: near_points };
        let far = End { net: self.clone(), read: there, write: back, timer: None, owner: port.owner.clone(), points: far_points };
        lock(&port.calls).push_back((Box::new(far), from));
        port.rang.notify_one();
        Ok(Box::new(near))
    }
}

impl SimNet {
    fn open(&self, mut at: SocketAddr, owner: Option<Arc<AtomicBool>>) -> io::Result<BoxListener> {
        let mut state = lock(&self.0);
        if at.port() == 0 {
            state.next_port = state.next_port.checked_add(1).unwrap_or(20_000);
            at.set_port(state.next_port);
        }
        if state.ports.contains_key(&at) {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        let port = Port { calls: Arc::default(), rang: Arc::default(), owner };
        state.ports.insert(at, port.clone());
        Ok(Box::new(SimPort { net: self.clone(), at, port }) as BoxListener)
    }

    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let state = lock(&self.0);
        match state.names.get(host) {
            Some(addresses) => Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect()),
            None if host == "localhost" => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)]),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

impl Net for SimNet {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.call(to, None))
    }
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        Box::pin(async move { self.open(at, None) })
    }
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { self.look_up(host, port) })
    }
}

/// One process on the network. Clones are the same process.
#[derive(Clone)]
pub struct Process {
    net: SimNet,
    dead: Arc<AtomicBool>,
}

impl Process {
    /// What says to its streams that it is dead.
    #[must_use]
    pub fn mark(&self) -> Arc<AtomicBool> {
        self.dead.clone()
    }

    /// Ends it: from now on its ports are closed and its streams take and give nothing.
    pub fn die(&self, death: Death) {
        self.dead.store(true, Ordering::Relaxed);
        let mut state = lock(&self.net.0);
        state.ports.retain(|_, port| !port.owner.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, &self.dead)));
        let links: Vec<Link> = state.links.iter().filter(|link| link.is_of(&self.dead)).cloned().collect();
        drop(state);
        if death == Death::Lost {
            links.iter().for_each(Link::cut);
        }
    }
}

impl Net for Process {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.net.call(to, Some(self.dead.clone())))
    }
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        Box::pin(async move { self.net.open(at, Some(self.dead.clone())) })
    }
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { self.net.look_up(host, port) })
    }
}

struct SimPort {
    net: SimNet,
    at: SocketAddr,
    port: Port,
}

impl Listener for SimPort {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>> {
        Box::pin(async move {
            loop {
                if let Some(call) = lock(&self.port.calls).pop_front() {
                    return Ok(call);
                }
                self.port.rang.notified().await;
            }
        })
    }
    fn local_addr(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for SimPort {
    fn drop(&mut self) {
        // The process that had it may be dead, and another may have it now.
        let mut state = lock(&self.net.0);
        if state.ports.get(&self.at).is_some_and(|port| Arc::ptr_eq(&port.rang, &self.port.rang)) {
            state.ports.remove(&self.at);
        }
    }
}

/// One end of a stream.
struct End {
    net: SimNet,
    read: Arc<Mutex<Wire>>,
    write: Arc<Mutex<Wire>>,
    timer: Option<Pin<Box<Sleep>>>,
    owner: Option<Arc<AtomicBool>>,
    points: Option<(Points, [Spot; 3])>,
}

impl End {
    fn is_dead(&self) -> bool {
        self.owner.as_ref().is_some_and(|dead| dead.load(Ordering::Relaxed))
    }

    /// Whether its process dies at the beginning (0), in the midst (1) or at the end (2) of this send.
    fn dies(&self, stage: usize) -> bool {
        self.points.as_ref().is_some_and(|(points, spots)| points.pass(spots[stage]))
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Pending;
        }
        // Drawn before the wire is locked: the network's lock always comes first.
        let wanted = self.net.chunk(buffer.remaining());
        let shared = self.read.clone();
        loop {
            let mut wire = lock(&shared);
            if wire.reset {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            }
            let due = match wire.chunks.front() {
                _ if wire.held => None,
                Some((due, _)) if *due <= Instant::now() => {
                    wire.give(buffer, wanted);
                    return Poll::Ready(Ok(()));
                }
                Some((due, _)) => Some(*due),
                None if wire.budget == Some(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
                None if wire.writer_gone => return Poll::Ready(Ok(())),
                None => None,
            };
            // Also while octets are under way: a cut must be seen before they are due.
            wire.reader = Some(cx.waker().clone());
            drop(wire);
            let Some(due) = due else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

impl Wire {
    /// Moves what is due into the reader's buffer, at most `wanted` octets.
    fn give(&mut self, buffer: &mut ReadBuf<'_>, wanted: usize) {
        let (now, mut left) = (Instant::now(), wanted);
        while let Some((due, chunk)) = self.chunks.front()
            && *due <= now
            && left > 0
        {
            let count = left.min(chunk.len() - self.read);
            buffer.put_slice(&chunk[self.read..self.read + count]);
            (self.read, self.octets, left) = (self.read + count, self.octets - count, left - count);
            if self.read == chunk.len() {
                self.chunks.pop_front();
                self.read = 0;
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_dead() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let latency = self.net.latency();
        let mut wire = lock(&self.write);
        if wire.budget == Some(0) {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        if wire.reset {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        if wire.reader_gone || wire.writer_gone {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let room = CAPACITY - wire.octets;
        if room == 0 {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut count = room.min(octets.len()).min(wire.budget.unwrap_or(usize::MAX));
        if self.dies(0) {
            return Poll::Pending;
        }
        let is_torn = count > 1 && self.dies(1);
        if is_torn {
            count /= 2;
        }
        if let Some(budget) = &mut wire.budget {
            *budget -= count;
        }
        let is_cut = wire.budget == Some(0);
        // Streams are ordered: a later write never overtakes an earlier one.
        let due = (Instant::now() + latency).max(wire.last_due.unwrap_or_else(Instant::now));
        wire.last_due = Some(due);
        wire.octets += count;
        wire.chunks.push_back((due, octets[..count].to_vec()));
        if let Some(reader) = wire.reader.take() {
            reader.wake();
        }
        if is_cut {
            drop(wire);
            let mut back = lock(&self.read);
            back.reset = true;
            back.wake();
        }
        // The dead are not told how far they came.
        if is_torn || self.dies(2) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(count))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Of a dead process: its end does this when it is dropped.
        let mut wire = lock(&self.write);
        wire.writer_gone = true;
        wire.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut wire = lock(&self.write);
        wire.writer_gone = true;
        wire.wake();
        drop(wire);
        let mut wire = lock(&self.read);
        wire.reader_gone = true;
        wire.wake();
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
