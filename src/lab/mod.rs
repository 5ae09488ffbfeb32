//! The far side and the test bench: a simulated world, a simulated SMSC with the habits of real ones, a webhook
//! sink that checks what it is told, and a generator of work. Written over `World`, so the same code runs under
//! a paused clock in tests and over real sockets in the `peers` binary.
//!
//! The SMSC must not share the gateway's mistakes: it reads and writes SMPP with the `rusmpp` crate, and for the
//! hot PDUs with a path of its own (`pdu`) that tests hold against `rusmpp`. Nothing here imports `wire`.

// The simulated clock is tokio's paused one: here it is the world, not a way round it.
#![allow(clippy::disallowed_methods)]

pub mod chance;
pub mod demo;

pub mod net;
pub mod points;
pub mod world;

mod hub;
mod id_style;
mod pdu;
pub mod personality;
pub mod receipt;
pub mod record;
pub mod smsc;
mod smsc_session;
mod smsc_wire;

pub mod signature;
pub mod sim;
pub mod sink;
pub mod workload;

#[cfg(test)]
mod esme;
#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod smsc_tests;

pub use chance::Chance;
pub use personality::Personality;
pub use record::{Keep, RecordOptions, SmscCounts, TokenRule};
pub use sink::{Sink, SinkHandle, SinkMode, SinkOptions};
pub use smsc::{Options, Smsc, SmscHandle};
pub use workload::Workload;
pub use world::{ClockError, SimWorld};
