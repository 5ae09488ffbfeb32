//! A life that is written down line by line, in the place of drawn requests: who asks for what and when, what customers
//! and subscribers do besides, and what goes wrong.

use super::fault::Kind;
use serde::Deserialize;

/// A message that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// Which carrier its number leads to, and which of its subscribers it is for; by default one of its own.
    pub carrier: u64,
    /// See `carrier`.
    pub subscriber: Option<u64>,
    /// Its parts, 1 to 4.
    pub parts: u8,
    /// In UCS-2.
    pub is_ucs2: bool,
    /// Never twice.
    pub at_most_once: bool,
    /// Seconds it lives.
    pub expires_in: Option<u32>,
    /// Seconds it waits, by its sender's own wish.
    pub send_after: Option<u32>,
    /// Advertising.
    pub is_marketing: bool,
    /// Made when it is sent.
    pub is_late: bool,
    /// As a line of a bulk it has a number that is none.
    pub is_wrong: bool,
    /// Called back.
    pub is_canceled: bool,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            carrier: 0,
            subscriber: None,
            parts: 1,
            is_ucs2: false,
            at_most_once: false,
            expires_in: None,
            send_after: None,
            is_marketing: false,
            is_late: false,
            is_wrong: false,
            is_canceled: false,
        }
    }
}

/// A request; a bulk when it has several messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// Whose.
    #[serde(default)]
    pub account: u8,
    /// What for. Messages are numbered through all requests, in the order of the file.
    pub messages: Vec<Line>,
}

/// What is done besides.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// Its sender gives message `message` another instant, so many seconds from then.
    Move {
        /// Which.
        message: u64,
        /// How long it waits from then on.
        send_after: u32,
    },
    /// What is stored of the number of message `message` is erased.
    Erase {
        /// Which.
        message: u64,
    },
    /// A subscriber writes; of a long text so many parts, of which `leaves_out` (0 for none) never comes.
    Write {
        /// Whose subscriber.
        carrier: u64,
        /// Which.
        subscriber: u64,
        /// What.
        text: String,
        /// Of how many parts.
        #[serde(default)]
        parts: u8,
        /// Which part never comes.
        #[serde(default)]
        leaves_out: u8,
    },
    /// Something goes wrong, for so many milliseconds, at the carrier or webhook of that number.
    Fault {
        /// What.
        kind: Kind,
        /// Where.
        #[serde(default)]
        which: u64,
        /// How long.
        lasts_ms: u64,
    },
}

/// What is done besides, and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// See the module. Empty: everything is drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The requests.
    pub asks: Vec<Ask>,
    /// What is done besides.
    pub deeds: Vec<Deed>,
}

impl Script {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }

    /// Its messages, by number.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &Line)> {
        (0..).zip(self.asks.iter().flat_map(|ask| &ask.messages))
    }

    /// What goes wrong: when, what, where and for how long, in milliseconds.
    pub fn faults(&self) -> impl Iterator<Item = (u64, Kind, u64, u64)> {
        self.deeds.iter().filter_map(|deed| match deed.what {
            What::Fault { kind, which, lasts_ms } => Some((deed.at_ms, kind, which, lasts_ms)),
            _ => None,
        })
    }

    /// Says what is wrong with it, in a life of so many messages, accounts and carriers.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, messages: u64, accounts: u8, carriers: usize) -> Result<(), &'static str> {
        let lines = || self.asks.iter().flat_map(|ask| &ask.messages);
        let is_here = |message: u64| message < messages;
        let is_right = |deed: &Deed| match &deed.what {
            What::Move { message, .. } | What::Erase { message } => is_here(*message),
            What::Write { carrier, parts, .. } => (*carrier as usize) < carriers && *parts != 1,
            What::Fault { lasts_ms, .. } => *lasts_ms > 0,
        };
        match () {
            () if self.is_empty() && self.deeds.is_empty() => Ok(()),
            () if lines().count() as u64 != messages => Err("messages: as many as the script has"),
            () if self.asks.iter().any(|ask| ask.account >= accounts || ask.messages.is_empty()) => {
                Err("script.asks: an account there is, and a message")
            }
            () if lines().any(|line| !(1..=4).contains(&line.parts) || line.carrier as usize >= carriers) => {
                Err("script.asks.messages: 1 to 4 parts, and a carrier there is")
            }
            () if !self.deeds.iter().all(is_right) => Err("script.deeds: a message, a carrier, a time there is"),
            () => Ok(()),
        }
    }
}
