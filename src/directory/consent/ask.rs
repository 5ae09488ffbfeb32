//! What is asked about a recipient, what is answered, and by what rule a plain stop is read. Data only.

use crate::base::{Msisdn, Span};
use crate::message::content::{Channel, Class};
use std::sync::Arc;

/// How far a recipient's stop reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StopScope {
    /// Over the account.
    #[default]
    Account,
    /// Over the sender it was written to.
    Sender,
}

/// What a plain stop stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopRule {
    /// The classes: bit n is the class of priority n.
    pub classes: u8,
    /// How far.
    pub scope: StopScope,
}

impl Default for StopRule {
    fn default() -> StopRule {
        StopRule { classes: 1 << Class::Marketing.priority() | 1 << Class::Service.priority(), scope: StopScope::Account }
    }
}

/// What a recipient prefers, as a judge uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefers {
    /// The time zone; empty when not known.
    pub zone: Arc<str>,
    /// The language (BCP 47); empty when not known.
    pub locale: Arc<str>,
    /// At most so many messages in so long; `None`: no cap of its own.
    pub cap: Option<(u32, Span)>,
}

/// A message, as it is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The recipient.
    pub to: Msisdn,
    /// The sender, as the customer wrote it.
    pub from: &'a str,
    /// What it is for.
    pub class: Class,
    /// How it travels.
    pub channel: Channel,
    /// The campaign; empty when none.
    pub campaign: &'a str,
    /// The hash of recipient and content; 0 when there is none.
    pub content: u64,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// Nobody minds.
    Free,
    /// It is the answer to the recipient's own stop or call for help: no cap holds it either.
    Answer,
    /// The recipient has opted out.
    Stopped,
    /// It is not known: it waits.
    Unsure,
}
