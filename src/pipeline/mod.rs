//! The journey of a message, stage by stage: `ls` tells the story. Pure: inputs and `now` in, effects out.
//!
//! accept → compose → journal → route → schedule → submit → track → webhook; `intake` is where a message passes through
//! accept, compose and route, `desk` where one carrier's messages pass through schedule, submit and track.

pub mod accept;
pub mod compose;
pub mod desk;
pub mod intake;
pub mod journal;
pub mod route;
pub mod schedule;
pub mod submit;
pub mod track;
pub mod webhook;
