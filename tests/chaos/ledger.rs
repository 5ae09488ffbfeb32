//! The judge: joins what was acknowledged with what the SMSC saw, what the webhook was told and what the API says.

use crate::common::peers::{Event, Submit};
use crate::load::{Acknowledged, Doubt, doubt, parts, recipient};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// All that is known from outside at the end of a run.
pub struct Ledger<'a> {
    /// What the gateway answered for.
    pub acknowledged: &'a [Acknowledged],
    /// What the API says of each, in the same order.
    pub messages: &'a [Value],
    /// What the SMSC saw.
    pub submits: &'a [Submit],
    /// What the webhook was told.
    pub events: &'a [Event],
    /// Numbers that were called back, or whose time was over: nobody may have seen them.
    pub unsent: &'a [usize],
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Messages acknowledged.
    pub accepted: usize,
    /// Those of them in each final status.
    pub finals: BTreeMap<String, usize>,
    /// Labelled `possible_duplicate`.
    pub labelled: usize,
    /// Parts the SMSC took twice.
    pub doubled: usize,
    /// Messages that never reached the SMSC.
    pub unseen: usize,
}

impl Ledger<'_> {
    /// Checks everything that holds for every run; panics at the first thing that does not.
    pub fn check(&self) -> Sum {
        assert_eq!(self.acknowledged.len(), self.messages.len());
        let mut sum = Sum { accepted: self.acknowledged.len(), ..Sum::default() };
        let (seen, told) = (self.seen(), self.told());
        for (one, message) in self.acknowledged.iter().zip(self.messages) {
            self.one(one, message, &seen, &told, &mut sum);
        }
        let known: HashSet<String> = self.acknowledged.iter().map(|one| recipient(one.number)).collect();
        let strangers = seen.keys().find(|(dest, _)| !known.contains(*dest));
        assert_eq!(strangers, None, "nothing was sent that was not acknowledged");
        sum
    }

    fn one(
        &self,
        one: &Acknowledged,
        message: &Value,
        seen: &HashMap<(&str, u8), Vec<&Submit>>,
        told: &HashMap<&str, &Event>,
        sum: &mut Sum,
    ) {
        let (id, dest) = (one.id.as_str(), recipient(one.number));
        let status = message["status"].as_str().expect("a status").to_owned();
        assert_eq!((&message["id"], &message["final"]), (&json!(id), &json!(true)), "INV-1: {message:#}");
        let event = told.get(one.number.to_string().as_str()).unwrap_or_else(|| panic!("INV-24: {id} was never told"));
        assert_eq!(event.message.as_deref(), Some(id), "INV-8: one key, one message");
        assert_eq!(event.status.as_deref(), Some(status.as_str()), "INV-23: {id} has one final status");
        let copies: Vec<usize> = (1..=parts(one.number)).map(|part| seen.get(&(dest.as_str(), part)).map_or(0, Vec::len)).collect();
        let is_labelled = message["possible_duplicate"] == true;
        if self.unsent.contains(&one.number) {
            assert!(copies.iter().all(|copies| *copies == 0), "INV-16: {id} was sent all the same: {message:#}");
            assert!(["canceled", "expired", "refused"].contains(&status.as_str()), "{message:#}");
        } else if copies.contains(&0) {
            // Leased and never written when the process died, and the customer forbade a second try (or it was the second).
            // Or the carrier itself refused it for good.
            let why = (status.as_str(), message["reason"]["code"].as_str().unwrap_or_default());
            assert!(matches!(why, ("unknown", "in_doubt") | ("rejected", "carrier_refused")), "INV-1: {message:#}");
            sum.unseen += 1;
        }
        let most = copies.iter().max().copied().unwrap_or(0);
        assert!(most <= 2, "INV-10: {id} was sent {most} times");
        if most > 1 {
            assert!(is_labelled, "INV-11: {id} was sent twice and is not labelled: {message:#}");
            assert_eq!(doubt(one.number), Doubt::ResendOnce, "INV-12: {id} was sent twice against its customer's word");
        }
        sum.doubled += copies.iter().map(|copies| copies.saturating_sub(1)).sum::<usize>();
        sum.labelled += usize::from(is_labelled);
        *sum.finals.entry(status).or_default() += 1;
    }

    /// The accepted copies of each part, by recipient.
    pub fn seen(&self) -> HashMap<(&str, u8), Vec<&Submit>> {
        let mut seen: HashMap<_, Vec<_>> = HashMap::new();
        for submit in self.submits.iter().filter(|submit| submit.status == 0) {
            seen.entry((submit.dest.as_str(), submit.part.map_or(1, |part| part.2))).or_default().push(submit);
        }
        seen
    }

    /// The one final event of each message, by client_ref: it may be told again, but never otherwise.
    fn told(&self) -> HashMap<&str, &Event> {
        let mut told: HashMap<&str, &Event> = HashMap::new();
        for event in self.events.iter().filter(|event| event.kind == "message.final") {
            let before = told.insert(event.client_ref.as_deref().expect("every message has one"), event);
            let same =
                before.is_none_or(|before| (&before.id, &before.message, &before.status) == (&event.id, &event.message, &event.status));
            assert!(same, "INV-23: {event:?} after {before:?}");
        }
        told
    }
}
