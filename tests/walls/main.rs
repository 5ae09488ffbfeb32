//! What an attacker meets, wall by wall; `docs/security.md` is the list. Over real sockets, against whole gateways, some
//! against the built program; the readers of foreign octets also alone, with the corpus of the fuzzer.

// Attacks come from outside the World: real sockets, threads, files and time.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../it/rig.rs"]
mod rig;

mod carrier;
mod differential;
mod flood;
mod fuzz;
mod http;
mod injection;
mod keys;
mod leaks;
mod process;
mod schema;
mod slow;
mod ssrf;
mod supply;
mod tenants;
mod timing;
mod traces;
