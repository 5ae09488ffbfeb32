//! The journey of a message, a folder per stage; their alphabetical order is the order of the journey.
//! No stage does I/O, reads a clock or names a channel: bytes and `now` go in, values come out.

pub mod accept;
