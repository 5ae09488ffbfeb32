//! The real binary against death and misbehaviour, judged from outside: what customers were answered, what the SMSC
//! saw, what the webhook was told, and the public API. No check reads anything of the gateway's own.

#![allow(unreachable_pub, clippy::disallowed_methods, clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;

mod kill;
mod ledger;
mod load;
mod orphans;
mod receipts;
mod send;
mod stop;
