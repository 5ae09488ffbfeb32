//! What is done about a message from a handset: the keyword, the change it brings, and the one answer. In: who wrote what
//! to which number of ours. Out: rows to be committed with the message itself, and a text. Nothing is changed or sent here.

use super::ask::StopScope;
use super::register::Consent;
use super::scope::{EVERY_CLASS, Scope, sender_form};
use crate::base::{Msisdn, Time};
use crate::directory::keywords::{Class as Word, Keywords};
use crate::directory::number::Numbers;
use crate::message::event::Keyword;
use crate::storage::{Origin, PersonChange, Suppression, SuppressionKey};
use std::sync::Arc;

/// Octets of a keyword kept as the reason of an opt-out.
const REASON_OCTETS_MAX: usize = 64;

/// The texts of answers for some countries and accounts; an empty one is not sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replies {
    /// The accounts; none named: all.
    pub accounts: Vec<String>,
    /// The countries (ISO 3166, two capitals); none named: all.
    pub countries: Vec<String>,
    /// To a stop that is new.
    pub stop: String,
    /// To a start that took a stop back.
    pub start: String,
    /// To a call for help.
    pub help: String,
}

/// What hearing needs. Made once, shared by all shards.
pub struct Hearing {
    numbers: Arc<Numbers>,
    review_stops: Vec<String>,
    replies: Vec<Replies>,
}

/// A message from a handset.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The account whose number was written to.
    pub account: &'a str,
    /// The handset, as the carrier writes it.
    pub from: &'a str,
    /// Our number, as the carrier writes it.
    pub to: &'a str,
    /// The text.
    pub text: &'a str,
}

/// What follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// What it asks for.
    pub keyword: Keyword,
    /// To be committed with the message.
    pub changes: Vec<PersonChange>,
    /// To be sent, if any.
    pub answer: Option<Answer>,
    /// It asks for something, and its sender's number cannot be read: nothing could be done.
    pub is_unread: bool,
}

/// An answer, from the number that was written to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Who gets it.
    pub to: Msisdn,
    /// The text.
    pub text: String,
}

impl Hearing {
    /// `review_stops` are the countries where any wording that may mean stop counts as stop.
    #[must_use]
    pub fn new(review_stops: Vec<String>, replies: Vec<Replies>) -> Hearing {
        Hearing { numbers: Numbers::shared(), review_stops, replies }
    }

    /// What a message asks for, and what is to be done about it. A stop is in force in `consent` when this returns; what
    /// a start takes back is not until its commit (`Consent::apply`).
    #[must_use]
    pub fn hear(&self, consent: &Consent, said: Said<'_>, now: Time) -> Heard {
        let number = Msisdn::parse(said.from).ok();
        let parsed = number.and_then(|number| self.numbers.parse(&number.e164(), None).ok());
        let country = parsed.as_ref().and_then(|number| number.region).map(|region| region.as_str().to_owned());
        let found = Keywords::builtin().classify(said.text, country.as_deref());
        let (keyword, acts_as) = match found.class {
            Word::Stop => (Keyword::Stop, Word::Stop),
            Word::Start => (Keyword::Start, Word::Start),
            Word::Help => (Keyword::Help, Word::Help),
            Word::Review if country.as_ref().is_some_and(|country| self.review_stops.contains(country)) => (Keyword::Review, Word::Stop),
            Word::Review => (Keyword::Review, Word::None),
            Word::None => (Keyword::None, Word::None),
        };
        let mut heard = Heard { keyword, changes: Vec::new(), answer: None, is_unread: false };
        if acts_as == Word::None {
            return heard;
        }
        let Some(to) = number else {
            heard.is_unread = true;
            return heard;
        };
        let speaks = match acts_as {
            Word::Stop => {
                let row = self.stop(consent, said, to, found.word.unwrap_or_default(), now);
                let is_new = consent.stop_now(&row);
                heard.changes.push(PersonChange::Suppress(row));
                is_new
            }
            Word::Start => {
                heard.changes = consent.stops_of(said.account, to.as_u64(), said.to).into_iter().map(PersonChange::Lift).collect();
                !heard.changes.is_empty()
            }
            _ => true,
        };
        let text = self.reply(said.account, country.as_deref(), acts_as);
        if speaks && !text.is_empty() && consent.may_answer(said.account, to, acts_as, text, now) {
            heard.answer = Some(Answer { to, text: text.to_owned() });
        }
        heard
    }

    fn stop(&self, consent: &Consent, said: Said<'_>, number: Msisdn, word: &str, now: Time) -> Suppression {
        let rule = consent.stop_rule(said.account);
        let scope = match rule.scope {
            StopScope::Account => Scope::All,
            StopScope::Sender => Scope::Sender(sender_form(said.to)),
        };
        let key =
            SuppressionKey { account: said.account.to_owned(), number: number.as_u64(), origin: Origin::Recipient, scope: scope.text() };
        // Only the word of our own list: what people write besides may be anything.
        let reason = word.chars().take(REASON_OCTETS_MAX / 4).collect();
        Suppression { key, classes: rule.classes & EVERY_CLASS, source: "sms".to_owned(), reason, since: now }
    }

    fn reply(&self, account: &str, country: Option<&str>, word: Word) -> &str {
        let fits = |names: &[String], name: Option<&str>| names.is_empty() || name.is_some_and(|name| names.iter().any(|one| one == name));
        let found = self.replies.iter().find(|one| fits(&one.accounts, Some(account)) && fits(&one.countries, country));
        found.map_or("", |one| match word {
            Word::Stop => &one.stop,
            Word::Start => &one.start,
            _ => &one.help,
        })
    }
}
