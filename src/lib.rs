//! Relais: a gateway for SMS, MMS and voice messages.
//!
//! The folders below are in their total order: each imports only from those before it
//! (`tests/tidy.rs` checks it). `ARCHITECTURE.md` is the map; `pipeline` is the story.

#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod base;
pub mod channel;
pub mod config;
pub mod directory;
pub mod engine;
pub mod lab;
pub mod message;
pub mod pipeline;
pub mod storage;
pub mod telemetry;
pub mod wire;
pub mod world;
