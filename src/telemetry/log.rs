//! The log: lines on standard error, as text for people or JSON for machines.
//!
//! What never reaches a line: numbers, texts, passwords, keys, and whatever else a peer sent. The guards: lines are
//! written only by this program (libraries are heard from warnings on, and a few that may quote what they received,
//! not at all); numbers and secrets are types whose Debug shows nothing; a panic is logged by its place, and by its
//! words only when they were written in the source. Setting up fails only when it was done before.

use super::Counter;
use crate::world::Clock;
use std::fmt;
use std::io;
use std::sync::Arc;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{Layer, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One object a line.
    Json,
    /// For people.
    Text,
}

/// The log was set up before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the log was set up before")]
pub struct AlreadyStarted;

/// Times of lines, from the one clock.
struct WallTime(Arc<dyn Clock>);

impl FormatTime for WallTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        w.write_str(&self.0.wall().rfc3339())
    }
}

/// From here on, lines of this weight and above go to standard error.
///
/// # Errors
/// When a log is there already.
pub fn start(level: Level, form: Form, clock: Arc<dyn Clock>) -> Result<(), AlreadyStarted> {
    tracing::subscriber::set_global_default(subscriber(level, form, clock, io::stderr)).map_err(|_| AlreadyStarted)
}

fn subscriber<W>(level: Level, form: Form, clock: Arc<dyn Clock>, to: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let heard = Targets::new()
        .with_default(LevelFilter::WARN.min(LevelFilter::from_level(level)))
        .with_target("relais", level)
        .with_target("rusmpp", LevelFilter::OFF)
        .with_target("hyper", LevelFilter::ERROR);
    let layer = Layer::default().with_writer(to).with_timer(WallTime(clock)).with_ansi(false);
    match form {
        Form::Json => Box::new(Registry::default().with(layer.json().flatten_event(true).with_current_span(false).with_filter(heard))),
        Form::Text => Box::new(Registry::default().with(layer.with_filter(heard))),
    }
}

/// From here on, panics are counted and logged without their payload, which may quote what a peer sent: only words
/// that stand in the source are repeated.
pub fn count_panics(panics: Counter) {
    std::panic::set_hook(Box::new(move |info| {
        panics.inc();
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let words = info.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, words, thread = thread.name().unwrap_or_default(), "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mono, Msisdn, Secret, Time};
    use std::sync::Mutex;

    struct Fixed;
    impl Clock for Fixed {
        fn wall(&self) -> Time {
            Time(1_764_576_000_123)
        }
        fn mono(&self) -> Mono {
            Mono(0)
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(octets);
            Ok(octets.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(level: Level, form: Form, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        tracing::subscriber::with_default(subscriber(level, form, Arc::new(Fixed), move || to.clone()), say);
        let octets = lines.0.lock().expect("nobody panicked").clone();
        String::from_utf8(octets).expect("lines are UTF-8")
    }

    #[test]
    fn a_json_line_has_the_worlds_time_and_the_fields_beside_the_message() {
        let line = said(Level::INFO, Form::Json, || tracing::info!(carrier = "north", "bound"));
        let line: serde_json::Value = serde_json::from_str(&line).expect("one object");
        assert_eq!(line["timestamp"], "2025-12-01T08:00:00.123Z");
        assert_eq!((&line["level"], &line["message"], &line["carrier"]), (&"INFO".into(), &"bound".into(), &"north".into()));
    }

    #[test]
    fn the_level_holds_for_us_and_libraries_are_heard_from_warnings_on() {
        let text = said(Level::DEBUG, Form::Text, || {
            tracing::debug!("ours");
            tracing::trace!("too light");
            tracing::info!(target: "rustls", "theirs, too light");
            tracing::warn!(target: "rustls", "theirs");
            tracing::error!(target: "rusmpp::decode", "quotes a PDU");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("ours") && text.contains("theirs"));
        assert!(said(Level::ERROR, Form::Text, || tracing::warn!(target: "rustls", "theirs")).is_empty());
    }

    #[test]
    fn numbers_and_secrets_show_nothing_of_themselves() {
        let number = Msisdn::parse("+33612345678").expect("a number");
        let secret = Secret::new("hunter2");
        let line = said(Level::INFO, Form::Text, || tracing::info!(?number, ?secret, "x"));
        assert!(!line.contains("612345") && !line.contains("hunter2"), "{line}");
    }
}
