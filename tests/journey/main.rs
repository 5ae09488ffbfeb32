//! The engine without its HTTP interface, against the lab's carrier: over real sockets and the embedded store, and
//! in the simulated world where the same seed gives the same life.

mod bench;
mod caps;
mod hold;
mod journeys;
mod late;
mod parts;
mod simulated;
mod stops;
