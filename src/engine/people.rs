//! Opt-outs at the edge: read from the store at start, before anything can be leased; and at a shard, what a message from
//! a handset brings is gathered for the commit that holds the message.

use crate::base::{Span, Time};
use crate::channel::{Composer, RouteText, Wanted};
use crate::config::{self, Config};
use crate::directory::consent::{Answer, Consent, Hearing, Replies, Said, StopRule, StopScope, content_hash};
use crate::directory::judge::Law;
use crate::engine::mailbox::Mailbox;
use crate::engine::report::{Complaint, Reporter};
use crate::engine::writer::ToWriter;
use crate::message::event::{Event, Keyword};
use crate::message::{Class, Composed, DoubtPolicy, Extras, Reference};
use crate::pipeline::accept::Sender;
use crate::pipeline::desk::Now;
use crate::pipeline::journal::drafts::Start;
use crate::pipeline::journal::{Drafts, FrameDraft, Turn};
use crate::storage::{Archive, PersonChange, Recovered, StoreFault};
use crate::telemetry::Metrics;
use std::sync::Arc;

/// Rows read from the store at once.
const ROWS: usize = 10_000;

/// Segments of an answer.
const SEGMENTS_MAX: usize = 3;

/// An answer that has not left by then is not sent (47 CFR 64.1200(a)(12): a confirmation comes within five minutes).
const ANSWER_FOR: Span = Span::secs(300);

/// What all shards hear with.
#[derive(Clone)]
pub(crate) struct Ears {
    consent: Arc<Consent>,
    hearing: Arc<Hearing>,
}

impl Ears {
    pub(crate) fn new(consent: Arc<Consent>, config: &Config) -> Ears {
        let reply = |reply: &config::Reply| Replies {
            accounts: reply.accounts.clone(),
            countries: reply.countries.clone(),
            stop: reply.stop.clone(),
            start: reply.start.clone(),
            help: reply.help.clone(),
        };
        // Any reasonable wording counts in the United States (47 CFR 64.1200(a)(10)).
        let review_stops = config.consent.review_stops.iter().cloned().chain(["US".to_owned()]).collect();
        let hearing = Hearing::new(review_stops, config.consent.replies.iter().map(reply).collect());
        Ears { consent, hearing: Arc::new(hearing) }
    }
}

/// Reads who has opted out. Nothing may be leased before it has returned.
///
/// # Errors
/// When the store cannot be read for other reasons than damage: with damage, marketing and service messages wait instead.
pub(crate) fn load(config: &Config, recovered: &Recovered, archive: &dyn Archive, metrics: &Metrics) -> Result<Consent, StoreFault> {
    let rules = config.accounts.iter().map(|account| (account.name.clone(), stop_rule(account)));
    let mut consent = Consent::new(rules, config.consent.suppressions_max);
    let mut is_lost = recovered.people_lost;
    match load_rows(&mut consent, archive) {
        Ok(()) => {}
        Err(StoreFault::Damaged { .. }) => is_lost = true,
        Err(fault) => return Err(fault),
    }
    if is_lost {
        tracing::error!("opt-outs were lost: restore consent.db from a copy, or import them again");
        match config.consent.after_loss {
            config::AfterLoss::Hold => consent.doubt(),
            config::AfterLoss::Send => tracing::warn!("consent.after_loss says to send all the same"),
        }
    }
    metrics.consent.unsure.set(i64::from(consent.is_unsure()));
    metrics.consent.suppressions.set(i64::try_from(consent.entries()).unwrap_or(i64::MAX));
    Ok(consent)
}

/// The note of the instant before which it is not known whole what was sent.
const DOUBT_NOTE: &str = "caps.unknown";

/// Reads what was sent for as long as a cap reaches back. Nothing may be leased before it has returned. When what was
/// sent is not known whole, a note says before when.
///
/// # Errors
/// As `load`: with damage, marketing messages of accounts with caps wait until no cap reaches back to it.
pub(crate) fn load_caps(
    config: &Config,
    recovered: &Recovered,
    archive: &dyn Archive,
    law: &Law,
    now: Time,
    writer: &Mailbox<ToWriter>,
) -> Result<(), StoreFault> {
    law.caps.reach(law.consent.longest_cap());
    // What is older than the retention is not there to be read.
    law.hours.limits().into_iter().for_each(|limit| law.caps.reach_of(limit, config.journal.retention));
    let longest = law.caps.longest();
    let mut is_lost = recovered.spent_lost;
    if longest > Span::ZERO {
        let from = Time(now.0.saturating_sub(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX)));
        match archive.spent(from, &mut |row| is_lost |= !law.caps.load(row, now)) {
            Ok(()) => {}
            Err(StoreFault::Damaged { .. }) => is_lost = true,
            Err(fault) => return Err(fault),
        }
    }
    let noted = archive.notes(DOUBT_NOTE)?;
    let noted = noted.first().and_then(|(_, value)| value.first_chunk::<8>()).map(|before| i64::from_le_bytes(*before));
    // What a file that was set aside knew is missed until no cap reaches back to it, whatever restarts come between.
    let before = if is_lost { noted.max(Some(now.0)) } else { noted };
    let Some(before) = before.map(Time).filter(|before| now < before.after(longest)) else { return Ok(()) };
    match config.consent.after_loss {
        config::AfterLoss::Hold => {
            let until = before.after(longest).rfc3339();
            tracing::error!(until, "what was sent is not known whole: marketing of accounts with caps waits");
            law.caps.doubt(before);
        }
        config::AfterLoss::Send => tracing::warn!("what was sent is not known whole; consent.after_loss says to send all the same"),
    }
    let (reply, _) = tokio::sync::oneshot::channel();
    writer.force(ToWriter::Notes { notes: vec![(DOUBT_NOTE.to_owned(), Some(before.0.to_le_bytes().to_vec()))], reply });
    Ok(())
}

fn load_rows(consent: &mut Consent, archive: &dyn Archive) -> Result<(), StoreFault> {
    let mut after = None;
    loop {
        let rows =
            if crate::base::planted::is("stop-forgotten-at-restart") { Vec::new() } else { archive.suppressions(after.as_ref(), ROWS)? };
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        rows.into_iter().for_each(|row| consent.load(&PersonChange::Suppress(row)));
    }
    let mut after: Option<(String, u64)> = None;
    loop {
        let rows = archive.preferences(after.as_ref().map(|(account, number)| (account.as_str(), *number)), ROWS)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.account.clone(), last.number));
        rows.into_iter().for_each(|row| consent.load(&PersonChange::Prefer(row)));
    }
}

fn stop_rule(account: &config::Account) -> StopRule {
    let bit = |class: &config::Class| {
        let class = match class {
            config::Class::Otp => Class::Otp,
            config::Class::Transactional => Class::Transactional,
            config::Class::Service => Class::Service,
            config::Class::Marketing => Class::Marketing,
        };
        1 << class.priority()
    };
    let scope = match account.stop_scope {
        config::StopScope::Account => StopScope::Account,
        config::StopScope::Sender => StopScope::Sender,
    };
    StopRule { classes: account.stop_classes.iter().map(bit).sum(), scope }
}

/// One shard's ear: what was heard since its last turn.
pub(crate) struct Ear {
    ears: Ears,
    composer: Composer,
    people: Vec<PersonChange>,
    frames: Vec<FrameDraft>,
}

impl Ear {
    pub(crate) fn new(ears: Ears) -> Ear {
        Ear { ears, composer: Composer::default(), people: Vec::new(), frames: Vec::new() }
    }

    /// A message came: what it asks for. A stop holds from now on.
    pub(crate) fn hear(&mut self, carrier: &str, said: Said<'_>, now: Now, reporter: &Reporter) -> Keyword {
        let heard = self.ears.hearing.hear(&self.ears.consent, said, now.wall);
        reporter.asked(heard.keyword, heard.is_unread);
        self.people.extend(heard.changes);
        if let Some(answer) = heard.answer
            && let Some(draft) = self.draft(carrier, said, &answer, |complaint| reporter.may_say(complaint, now.mono))
        {
            self.frames.push(draft);
        }
        heard.keyword
    }

    /// The same for an event: what it asks for is put into it, if it is a message.
    pub(crate) fn listen(&mut self, mut event: Event, now: Now, reporter: &Reporter) -> Event {
        if let Event::Inbound { carrier, account, from, to, text, keyword, .. } = &mut event {
            *keyword = self.hear(carrier, Said { account, from, to, text }, now, reporter);
        }
        event
    }

    /// Takes over what another has heard, but answers nobody: nobody knows how long ago it was said.
    pub(crate) fn join(&mut self, other: Ear) {
        self.people.extend(other.people);
    }

    /// The same commit that holds the message holds what it brings.
    pub(crate) fn give(&mut self, turn: &mut Turn) {
        if crate::base::planted::is("stop-not-committed") {
            self.people.clear();
        }
        turn.people.append(&mut self.people);
        turn.frames.append(&mut self.frames);
    }

    /// An answer from the number that was written to, over the carrier it came from.
    fn draft(&mut self, carrier: &str, said: Said<'_>, answer: &Answer, may_say: impl Fn(Complaint) -> bool) -> Option<FrameDraft> {
        let Some(from) = Sender::parse(said.to) else {
            if may_say(Complaint::NoSender) {
                tracing::warn!(carrier, "a message from a handset is not answered: it was written to what cannot be a sender");
            }
            return None;
        };
        let size =
            self.composer.compose(&answer.text, &Wanted::plain(config::Split::Grapheme, config::Concat::EightBit), &RouteText::default());
        if size.ends.len() > SEGMENTS_MAX {
            if may_say(Complaint::LongAnswer) {
                tracing::warn!(carrier, "an answer of consent.replies is too long in its alphabet and is not sent");
            }
            return None;
        }
        let composed = Composed {
            to: answer.to,
            from: from.text,
            client_ref: "",
            encoding: size.encoding,
            octets: size.octets,
            ends: size.ends,
            reference: Reference::Narrow,
            class: Class::Service,
            // A second copy annoys who has just asked for silence.
            doubt: DoubtPolicy::AtMostOnce,
            lifetime: ANSWER_FOR,
            line: 0,
            extras: Extras { content: content_hash(answer.to, &answer.text), ..Extras::default() },
        };
        let mut drafts = Drafts::new(said.account, None, &[carrier.to_owned()], 1);
        drafts.push(&composed, 0, Start::NOW);
        drafts.take().pop()
    }
}
