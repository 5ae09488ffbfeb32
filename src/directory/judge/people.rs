//! A judge's questions about the recipient: has he opted out, and what does he prefer. It keeps the account it asked about
//! last, so that the messages of one lane look its name up once.

use super::question::{Question, Verdict};
use crate::base::Time;
use crate::directory::consent::{Ask, Consent, Prefers, Recipients, Stand};
use crate::message::outcome::Reason;
use std::sync::Arc;

/// One judge's.
#[derive(Debug, Default)]
pub(super) struct People {
    last: Option<Arc<Recipients>>,
}

/// What is known before the hours are asked.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing else matters.
    Settled(Verdict),
    /// The hours decide, and then the caps.
    Open(Option<Prefers>),
}

impl People {
    /// What the recipient prefers.
    pub(super) fn prefers(&mut self, consent: &Consent, question: &Question<'_>) -> Option<Prefers> {
        // The instant matters for answers to stops alone.
        match self.ask(consent, question, Time(i64::MAX)) {
            Before::Open(prefers) => prefers,
            Before::Settled(_) => None,
        }
    }

    /// Asks about the recipient.
    pub(super) fn ask(&mut self, consent: &Consent, question: &Question<'_>, now: Time) -> Before {
        if self.last.as_ref().is_none_or(|last| last.name() != question.account) {
            self.last = consent.of(question.account).cloned();
        }
        let Some(of) = &self.last else {
            // Nobody has opted out of an account that is not known; but in doubt it waits like the others.
            let wait = consent.is_unsure().then(|| held(now));
            return wait.map_or(Before::Open(None), Before::Settled);
        };
        let Question { to, from, class, channel, campaign, content, .. } = *question;
        match consent.ask(of, &Ask { to, from, class, channel, campaign, content }, now) {
            (Stand::Free, prefers) => Before::Open(prefers),
            (Stand::Answer, _) => Before::Settled(Verdict::Go { closes: Time(i64::MAX) }),
            (Stand::Stopped, _) => Before::Settled(Verdict::Refuse { why: Reason::OptedOut }),
            (Stand::Unsure, _) => Before::Settled(held(now)),
        }
    }
}

fn held(now: Time) -> Verdict {
    let (until, why) = Consent::unsure_until(now);
    Verdict::Hold { until, why }
}
