//! The program: a configuration and a world become a running gateway, signals end it, the command line starts it.

pub mod command;
pub mod files;
pub mod gateway;
pub mod keys;
mod output;
pub mod process;
pub mod send;
pub mod serve;
pub mod witness;

pub use gateway::Gateway;
