//! The HTTP interface: requests in, messages handed to the engine, what became of them read back. It does I/O and
//! decides nothing about messages; `proto/openapi.json` is its contract, `docs/http.md` says it in words.
//!
//! In reading order: `server` (connections), `places` (how many) and `pace` (their time limits), `routes` (which handler serves what),
//! `state` (what handlers share), `caller` (who is asking), `query`, `upload` (bodies as they arrive), `problem`
//! (every refusal), `reply`; then what is served: `single`, `bulk` with `results`, `held` and `once` (idempotency), `replay`, `message`,
//! `list`, `batch`, `cancel`, `revoke`, `reschedule`, `explain` with `explained`, `people` with `import`, `preference` and `object`, `service`.

mod advise;
mod batch;
mod bulk;
mod caller;
mod cancel;
mod erase;
mod explain;
mod explained;
mod held;
mod import;
mod list;
mod message;
mod object;
mod once;
mod pace;
mod people;
mod places;
mod preference;
mod preview;
mod problem;
mod query;
mod replay;
mod reply;
mod reschedule;
mod results;
mod revoke;
mod routes;
mod rules;
mod server;
mod service;
mod single;
mod state;
mod upload;
mod wait;

pub use server::serve;
