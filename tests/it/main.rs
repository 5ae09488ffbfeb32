//! The HTTP interface of a whole gateway, over real sockets.

mod access;
mod bad_input;
mod bulks;
mod lists;
mod once;
mod rig;
mod singles;
mod trouble;
