//! What a judge is asked about a message, and what it may answer.

use crate::base::{Msisdn, Time};
use crate::message::content::{Channel, Class};
use crate::message::outcome::Reason;
use crate::message::record::MessageRecord;

/// What is asked of a message.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The account's name.
    pub account: &'a str,
    /// The recipient.
    pub to: Msisdn,
    /// The sender as the customer wrote it.
    pub from: &'a str,
    /// What it is for.
    pub class: Class,
    /// How it travels.
    pub channel: Channel,
    /// The campaign; empty when none.
    pub campaign: &'a str,
    /// The recipient's own time zone; empty when the number must tell.
    pub zone: &'a str,
    /// The state or province of the recipient's address (`US-TX`); empty when not known.
    pub region: &'a str,
    /// The hash of the content, for the guard against repeats; of recipient and text for our own answers; 0 when there is none.
    pub content: u64,
}

impl<'a> Question<'a> {
    /// About a message in the journal.
    #[must_use]
    pub fn of(account: &'a str, record: &'a MessageRecord) -> Question<'a> {
        Question {
            account,
            to: record.recipient(),
            from: record.sender(),
            class: record.class_of(),
            channel: record.channel(),
            campaign: record.campaign(),
            zone: record.zone(),
            region: record.region(),
            content: record.content,
        }
    }
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may go, until `closes` (excluded; `Time(i64::MAX)` when nothing closes).
    Go {
        /// The first instant at which it may not go any more.
        closes: Time,
    },
    /// It may go at `until` at the earliest, and must be asked about again then.
    Hold {
        /// When to ask again.
        until: Time,
        /// Why.
        why: Reason,
    },
    /// It will never go.
    Refuse {
        /// Why.
        why: Reason,
    },
}
