//! The configuration: one TOML file, read once, believed only when all of it is right.
//!
//! `load` gives a [`Config`] of plain data, or every mistake of the file at once, each with its key, line, column and
//! the nearest right one. Nothing here reads a file, the environment or a clock: text and a [`SecretSource`] go in.
//! `config/relais.toml` has every key, commented; a test keeps it so.
//!
//! In reading order: `limits` (every bound, its default and why), `mistake`, `near` (what was meant), `quantity`
//! (durations and sizes), `secrets`, `key` (hashes of API keys), `reader` (a table that remembers which keys were read),
//! `values` and `rules` (the forms of names, hosts, numbers), then one file a section, `model` (all sections together), `check` (what no key can know alone), `file`.

pub mod limits;

mod account;
mod carrier;
mod check;
mod consent;
mod engine;
mod file;
mod http;
mod journal;
mod key;
mod law;
mod mistake;
mod model;
mod near;
mod pass;
mod quantity;
mod reader;
mod route;
mod rules;
mod secrets;
mod text;
mod values;
mod webhook;

#[cfg(test)]
mod file_test;
#[cfg(test)]
mod wrong_test;

pub use account::{Account, ApiKey, Cap, Channel, Class, Concat, Doubt, Scope, SenderCheck, Split, StopScope};
pub use carrier::{Addresses, Alphabet, Bind, Carrier, CarrierTls, IdBase, ReceiptsWanted, StatusClass, Version};
pub use consent::{AfterLoss, Consent, Reply};
pub use engine::{Engine, Log, LogFormat, LogLevel};
pub use file::{known_keys, load};
pub use http::{Http, TlsFiles};
pub use journal::{Backend, Journal};
pub use key::KeyHash;
pub use law::{AccountHours, Override, RuleFiles};
pub use mistake::{Mistake, report};
pub use model::{Config, Setting};
pub use pass::Known;
pub use quantity::{parse_bytes, parse_span, show_bytes, show_span};
pub use route::Route;
pub use rules::{Address, COUNTRIES, QuietHours};
pub use secrets::{MapSecrets, SecretFault, SecretSource};
pub use text::{BinaryCoding, ClassForm, Joining, ProtocolId, Substitute, Transliterate};
pub use webhook::{HookEvent, Webhook, WebhookRules};
