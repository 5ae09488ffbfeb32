//! The messages of a life: message `n` of a seed is always the same. Every part of its text names it between `#`, so
//! that a carrier's submits can be told apart from outside.

use super::ledger::Wanted;
use super::scenario::Scenario;
use super::script::Line;
use crate::lab::Chance;
use crate::lab::chance::mix;
use std::fmt::Write as _;
use std::sync::Arc;

/// Makes messages.
#[derive(Clone, Debug)]
pub struct Mail {
    seed: u64,
    carriers: u64,
    parts_max: u8,
    ucs2: f64,
    at_most_once: f64,
    expiring: f64,
    canceled: f64,
    marketing: f64,
    subscribers: u64,
    wrong: f64,
    /// Those that are written down.
    written: Arc<[Letter]>,
}

/// Where a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a request of its own.
    Alone,
    /// In a bulk.
    Line,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    /// What it asks for.
    pub wanted: Wanted,
    /// Which carrier its number leads to.
    pub carrier: u64,
    is_ucs2: bool,
    is_late: bool,
    /// Whether its sender tries to call it back.
    pub is_canceled: bool,
    /// As a line of a bulk it has a number that is none.
    pub is_wrong: bool,
}

impl Mail {
    /// The messages of a scenario.
    #[must_use]
    pub fn new(seed: u64, scenario: &Scenario) -> Mail {
        let Scenario { parts_max, ucs2, at_most_once, expiring, canceled, marketing, wrong, .. } = *scenario;
        let subscribers = u64::from(scenario.subscribers);
        Mail {
            seed: mix(seed ^ 0x6D61_696C),
            carriers: scenario.carriers.len() as u64,
            parts_max,
            ucs2,
            at_most_once,
            expiring,
            canceled,
            marketing,
            subscribers,
            wrong,
            written: scenario.script.lines().map(|(n, line)| Letter::of(n, line)).collect(),
        }
    }

    /// Message `n`.
    #[must_use]
    pub fn letter(&self, n: u64) -> Letter {
        if let Some(written) = self.written.get(n as usize) {
            return *written;
        }
        let mut draw = Chance::new(self.seed ^ mix(n));
        // Most texts are short.
        let parts = if draw.hit(0.7) { 1 } else { draw.between(1, u64::from(self.parts_max)) as u8 };
        let at_most_once = draw.hit(self.at_most_once);
        let expires_in = draw.hit(self.expiring).then(|| draw.between(5, 1_200) as u32);
        let carrier = draw.below(self.carriers);
        let (is_ucs2, is_canceled) = (draw.hit(self.ucs2), draw.hit(self.canceled));
        let is_marketing = draw.hit(self.marketing);
        let digits = if is_marketing { draw.below(self.subscribers) } else { n % 1_000_000 };
        let number = subscriber(carrier, digits);
        let is_wrong = draw.hit(self.wrong);
        let wanted = Wanted { parts, at_most_once, expires_in, send_after: None, is_marketing, number, carrier: carrier as u8 };
        Letter { wanted, carrier, is_ucs2, is_late: false, is_canceled, is_wrong }
    }

    /// Appends message `n` as a JSON object.
    pub fn write(&self, n: u64, place: Place, out: &mut String) {
        let letter = self.letter(n);
        let to = if letter.is_wrong && place == Place::Line { 336 } else { letter.wanted.number };
        write!(out, "{{\"to\":\"+{to}\",\"from\":\"SHOP\",\"client_ref\":\"{n}\",\"text\":\"").expect("into memory");
        letter.text(n, out);
        if letter.is_late {
            out.push_str(" {{now}}");
        }
        out.push('"');
        if letter.wanted.is_marketing {
            out.push_str(",\"class\":\"marketing\"");
        }
        if letter.wanted.at_most_once {
            out.push_str(",\"doubt\":\"at_most_once\"");
        }
        if letter.is_late {
            out.push_str(",\"render\":\"send\"");
        }
        if let Some(seconds) = letter.wanted.send_after {
            write!(out, ",\"send_after\":\"PT{seconds}S\"").expect("into memory");
        }
        if let Some(seconds) = letter.wanted.expires_in {
            write!(out, ",\"expires_in\":{seconds}").expect("into memory");
        }
        out.push('}');
    }
}

/// The number of a carrier's subscriber.
#[must_use]
pub const fn subscriber(carrier: u64, digits: u64) -> u64 {
    33_600_000_000 + carrier * 1_000_000 + digits
}

impl Letter {
    /// A line of a script as message `n`.
    fn of(n: u64, line: &Line) -> Letter {
        let Line { carrier, parts, is_ucs2, at_most_once, expires_in, send_after, is_marketing, is_late, is_wrong, is_canceled, .. } =
            *line;
        // Subscribers that several are written to have low numbers.
        let number = subscriber(carrier, line.subscriber.unwrap_or(1_000 + n));
        let wanted = Wanted { parts, at_most_once, expires_in, send_after, is_marketing, number, carrier: carrier as u8 };
        Letter { wanted, carrier, is_ucs2, is_late, is_canceled, is_wrong }
    }

    /// Parts of exactly one segment each (3GPP TS 23.040 §9.2.3.24.1: 153 septets or 67 units beside the reference).
    fn text(&self, n: u64, out: &mut String) {
        let (fill, size) = if self.is_ucs2 { ('Ж', 67) } else { ('x', 153) };
        let parts = usize::from(self.wanted.parts);
        for part in 0..parts {
            let length = if part + 1 == parts { size / 2 } else { size };
            let token = format!("#{n}#");
            out.push_str(&token);
            out.extend(std::iter::repeat_n(fill, length - token.len()));
        }
    }
}
