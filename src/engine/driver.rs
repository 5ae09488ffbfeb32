//! One connection to a carrier: dials, hands octets both ways, keeps the session's timers, and dials again with
//! growing, jittered pauses. It decides nothing about messages.

use crate::base::{Span, Time};
use crate::channel::session::Over;
use crate::engine::report::Complaint;
use crate::engine::shard::{Core, Line};
use crate::world::{BoxStream, Entropy64, World, tls};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One read takes at most so much: several hundred responses.
const READ_BYTES: usize = 64 << 10;

/// The last octets of a session (an unbind_resp, a nack) are given so long to leave.
const FLUSH: Span = Span::secs(1);

/// Where a carrier is.
#[derive(Clone)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, and the name on the certificate.
    pub tls: Option<(tls::Client, String)>,
    /// Dialling and binding each may take this long.
    pub bind_timeout: Span,
    /// The first pause after a failure; doubles.
    pub reconnect_min: Span,
    /// The longest pause.
    pub reconnect_max: Span,
}

/// Drives one line of one carrier until the shard stops.
pub(crate) async fn drive(core: Rc<RefCell<Core>>, slot: usize, line: usize, endpoint: Endpoint) {
    let world = core.borrow().world.clone();
    let wake = core.borrow().slots[slot].lines[line].wake.clone();
    let mut failures = 0u32;
    while !core.borrow().is_stopping {
        let began = world.mono();
        let over = match dial(&world, &endpoint).await {
            Ok(stream) => {
                core.borrow_mut().open(slot, line);
                let over = converse(&core, slot, line, stream).await;
                core.borrow_mut().close(slot, line, over);
                over
            }
            Err(fault) => {
                if core.borrow().slots[slot].reporter.may_say(Complaint::Unreachable, world.mono()) {
                    tracing::warn!(carrier = core.borrow().slots[slot].desk.carrier(), %fault, "the carrier cannot be reached");
                }
                core.borrow_mut().close(slot, line, Over::Unreachable);
                Over::Unreachable
            }
        };
        let is_given_up = matches!(over, Over::BindRefused(_)) && crate::base::planted::is("refused-bind-given-up");
        if core.borrow().is_stopping || is_given_up {
            return;
        }
        // A session that lived for a while is no failure of the link: begin with the short pause again.
        failures = if world.mono().since(began) > endpoint.reconnect_max { 0 } else { failures.saturating_add(1) };
        core.borrow().slots[slot].reporter.reconnecting();
        let pause = pause(&world, &endpoint, failures, over);
        if over != Over::Unreachable && core.borrow().slots[slot].reporter.may_say(Complaint::Over, world.mono()) {
            tracing::warn!(
                carrier = core.borrow().slots[slot].desk.carrier(),
                why = over.word(),
                pause_ms = pause.as_millis(),
                "session over"
            );
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause.std()) => {}
            () = stopping(&core, &wake) => return,
        }
    }
}

async fn stopping(core: &Rc<RefCell<Core>>, wake: &tokio::sync::Notify) {
    while !core.borrow().is_stopping {
        wake.notified().await;
    }
}

/// Doubling with jitter: between half and the whole of the step, so that binds do not come back in step.
fn pause(world: &World, endpoint: &Endpoint, failures: u32, over: Over) -> Span {
    let doubled = endpoint.reconnect_min.0.saturating_mul(1 << failures.saturating_sub(1).min(20));
    // A refused bind is not hammered: a wrong password locks accounts.
    let floor = if matches!(over, Over::BindRefused(_)) { Span::secs(1).0 } else { 1 };
    let step = doubled.clamp(floor, endpoint.reconnect_max.0.max(floor));
    Span(step / 2 + world.entropy.below(step / 2 + 1))
}

async fn dial(world: &World, endpoint: &Endpoint) -> std::io::Result<BoxStream> {
    let connect = async {
        let addresses = world.net.resolve(&endpoint.host, endpoint.port).await?;
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match tls::dial(world, address, endpoint.tls.as_ref().map(|(client, name)| (client, name.as_str()))).await {
                Ok(stream) => return Ok(stream),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    };
    tokio::time::timeout(endpoint.bind_timeout.std(), connect).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// One session, from bind to end.
async fn converse(core: &Rc<RefCell<Core>>, slot: usize, line: usize, stream: BoxStream) -> Over {
    let (mut from, mut to) = tokio::io::split(stream);
    let over = {
        let reading = read(core, slot, line, &mut from);
        let writing = write(core, slot, line, &mut to);
        tokio::select! {
            biased;
            over = reading => over,
            over = writing => over,
        }
    };
    let (mut last, mut closes) = (Vec::new(), Time(i64::MAX));
    if let Line { session: Some(session), closes: until, .. } = &mut core.borrow_mut().slots[slot].lines[line] {
        session.swap_output(&mut last);
        std::mem::swap(&mut closes, until);
    }
    if !last.is_empty() && !matches!(over, Over::Cut | Over::TooLate) {
        let world = core.borrow().world.clone();
        let _ = tokio::time::timeout(FLUSH.std(), write_before(&world, closes, &last, &mut to)).await;
    }
    let _ = tokio::time::timeout(FLUSH.std(), to.shutdown()).await;
    over
}

async fn read(core: &Rc<RefCell<Core>>, slot: usize, line: usize, from: &mut (impl AsyncReadExt + Unpin)) -> Over {
    let mut buffer = vec![0; READ_BYTES];
    let (inbox, room, world) = {
        let core = core.borrow();
        (core.inbox.clone(), core.room.clone(), core.world.clone())
    };
    loop {
        while core.borrow().is_congested() {
            room.notified().await;
        }
        let deadline = core.borrow().slots[slot].lines[line].session.as_ref().map(|session| session.deadline());
        let Some(deadline) = deadline else { return Over::Cut };
        let rest = deadline.since(world.mono());
        // The timer first: a peer that never stops writing must not silence it.
        tokio::select! {
            biased;
            () = tokio::time::sleep(rest.std()) => {
                let now = world.mono();
                let ticked = core.borrow_mut().tick(slot, line, now);
                inbox.nudge();
                if let Err(over) = ticked {
                    return over;
                }
            }
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return Over::Cut,
                Ok(count) => {
                    let heard = core.borrow_mut().heard(slot, line, &buffer[..count]);
                    inbox.nudge();
                    if let Err(over) = heard {
                        return over;
                    }
                }
            },
        }
    }
}

async fn write(core: &Rc<RefCell<Core>>, slot: usize, line: usize, to: &mut (impl AsyncWriteExt + Unpin)) -> Over {
    let (world, wake) = {
        let core = core.borrow();
        (core.world.clone(), core.slots[slot].lines[line].wake.clone())
    };
    let mut burst = Vec::with_capacity(16 << 10);
    loop {
        let mut closes = Time(i64::MAX);
        {
            let line = &mut core.borrow_mut().slots[slot].lines[line];
            match &mut line.session {
                Some(session) => session.swap_output(&mut burst),
                None => return Over::Cut,
            }
            std::mem::swap(&mut closes, &mut line.closes);
        }
        if burst.is_empty() {
            wake.notified().await;
            continue;
        }
        if let Err(over) = write_before(&world, closes, &burst, to).await {
            return over;
        }
        burst.clear();
    }
}

/// Writes a burst, no octet of it at or after `closes`: the clock is read before each try, as the process may have been
/// stopped, or the socket full, since the last. What is cut off there is in doubt, as with any session that ends.
async fn write_before(world: &World, closes: Time, burst: &[u8], to: &mut (impl AsyncWriteExt + Unpin)) -> Result<(), Over> {
    let mut at = 0;
    while at < burst.len() {
        let written = std::future::poll_fn(|context| {
            if closes != Time(i64::MAX) && world.now() >= closes {
                return Poll::Ready(Err(Over::TooLate));
            }
            Pin::new(&mut *to).poll_write(context, &burst[at..]).map_err(|_| Over::Cut)
        });
        match written.await? {
            0 => return Err(Over::Cut),
            count => at += count,
        }
    }
    Ok(())
}
