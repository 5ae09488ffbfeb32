//! The journey of a message, stage by stage: `ls` tells the story. Pure: inputs and `now` in, effects out.

pub mod desk;
pub mod journal;
pub mod schedule;
pub mod submit;
pub mod track;
pub mod webhook;
