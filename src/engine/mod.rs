//! Engine: the asynchronous edge. It moves messages and events between the journal, the carriers and the
//! customers, and decides nothing about them: `pipeline` does.

pub mod courier;
pub mod post;
pub mod reader;
pub mod tail;
