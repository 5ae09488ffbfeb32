//! From the octets of a request to believed messages: each entry is believed or refused by itself.
//!
//! [`inflate`] takes the compression off, [`bulk`] reads JSON, NDJSON or CSV in arbitrary cuts and gives a [`Draft`] or
//! a [`Refusal`] for each entry, [`check`](mod@check) makes a draft [`Accepted`]. Nothing here is asynchronous, encodes
//! a text or knows a route. Memory is one entry and the defaults, whatever the length of the body. What may fail is in
//! [`fault`]: a [`Refusal`] for one entry, a [`BodyFault`] for the request.
//!
//! Entries come out before the end of the body was seen. Whoever answers a fault with 4xx must not send what came
//! before it (INV-7): drafts are held, uncommitted, until [`BulkReader::finish`] agrees, or the answer is per line.

pub mod bulk;
pub mod check;
pub mod draft;
pub mod duration;
pub mod fault;
pub mod fields;
pub mod form;
pub mod govern;
pub mod inflate;
pub mod media;
pub mod single;

mod country;
mod csv;
mod desk;
mod form_check;
mod json_stream;
mod lines;
mod moved;
mod object;
pub mod options;
mod recipient;
mod scan;
mod when;

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod form_tests;

pub use bulk::{BulkLimits, BulkReader};
pub use check::{Accepted, AccountRules, Render, Repeats, Sender, SenderForm, Senders, check};
pub use country::Country;
pub use draft::{Defaults, Draft, Item, Labels, Params, Words};
pub use fault::{BodyFault, Code, Refusal, Source};
pub use fields::is_param_name;
pub use form::{Form, Ports};
pub use govern::{Bringing, Governor};
pub use inflate::{Inflate, InflateLimits, Progress};
pub use media::{Coding, Format};
pub use moved::{Move, Standing};
pub use options::{Binding, EncodingChoice, Expiry, Options, Schedule, Split};
pub use recipient::recipient;
pub use single::MessageReader;
