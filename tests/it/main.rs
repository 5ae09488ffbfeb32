//! The HTTP interface of a whole gateway, over real sockets.

mod access;
mod advice;
mod bad_input;
mod bulks;
mod erase;
mod foretold;
mod late;
mod lists;
mod once;
mod people;
mod plans;
mod rig;
mod rules;
mod simulated;
mod singles;
mod times;
mod trouble;
