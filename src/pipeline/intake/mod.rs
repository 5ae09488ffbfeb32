//! Intake: everything that is decided about a message before it is durable, in one path. A draft is believed or not
//! (`accept`), composed, routed, and the law is asked. In: drafts and `now`. Out: a message with its carrier and its
//! start, or a refusal. Who sends puts them into frames, who explains counts them: neither decides anything of his own,
//! so an explanation is what would happen.
//!
//! One `Intake` belongs to one request; nothing in it is locked.

pub mod fate;
pub mod sender;

use crate::base::{Price, Time};
use crate::channel::Preview;
use crate::config;
use crate::directory::judge::{Judge, Law, Question};
use crate::message::{Composed, Encoding, Moment};
use crate::pipeline::accept::{Accepted, AccountRules, Code, Draft, Item, Refusal, Render, SenderForm, Source, check};
use crate::pipeline::compose::Composing;
use crate::pipeline::journal::Start;
use crate::pipeline::route::Routes;
use fate::fate;
use sender::{Arrival, Arrivals};
use std::sync::Arc;

/// What holds for all messages of an account.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The account's name.
    pub account: &'a str,
    /// What it may do, and what holds when a message says nothing.
    pub rules: &'a AccountRules,
    /// How segments are joined.
    pub concat: config::Concat,
    /// What a sender that does not arrive is worth.
    pub sender_check: config::SenderCheck,
    /// Which carrier takes which number.
    pub routes: &'a Routes,
}

/// See the module.
#[derive(Debug)]
pub struct Intake<'a> {
    terms: Terms<'a>,
    law: Arc<Law>,
    judge: Judge,
    arrivals: Arrivals,
    composing: Composing,
    /// The language the recipient of the message at hand prefers.
    locale: Arc<str>,
}

/// A message that will be sent, borrowed from its request and the intake's buffers.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'m> {
    /// The message.
    pub composed: Composed<'m>,
    /// What its sender is.
    pub form: SenderForm,
    /// How its sender fares where the recipient is.
    pub arrival: Arrival,
    /// The place of its carrier in the configuration.
    pub carrier: u16,
    /// What a segment costs there.
    pub price: Option<Price>,
    /// When it may go.
    pub start: Start,
}

/// Where decided lines go.
pub trait Sink {
    /// It will be sent.
    fn admitted(&mut self, line: u32, admitted: &Admitted<'_>);
    /// It will not.
    fn refused(&mut self, line: u32, source: Source, refusal: Refusal);
    /// Whether `previewed` is wanted of the next line; who sends wants none.
    fn wants_preview(&self) -> bool {
        false
    }
    /// What the text of the line that comes next becomes, if it can be composed.
    fn previewed(&mut self, _preview: Preview) {}
}

impl<'a> Intake<'a> {
    /// An intake for one request.
    #[must_use]
    pub fn new(terms: Terms<'a>, law: Arc<Law>) -> Intake<'a> {
        let arrivals = Arrivals::new(terms.sender_check);
        Intake { terms, judge: Judge::new(law.clone()), law, arrivals, composing: Composing::default(), locale: "".into() }
    }

    /// Decides about one draft at `now`.
    ///
    /// # Errors
    /// `sender_not_accepted`, what [`check`] and [`Composing::compose`] refuse, `no_route`, `price_exceeded`, and what the law
    /// forbids: `opted_out`, `no_opening`, `frequency_cap`, `duplicate_content`, `not_now`.
    pub fn admit<'m>(&'m mut self, draft: &Draft<'m>, now: Time) -> Result<Admitted<'m>, Refusal>
    where
        'a: 'm,
    {
        let Intake { terms, law, judge, arrivals, composing, locale } = self;
        let mut accepted = check(draft, terms.rules, now)?;
        let arrival = arrivals.of(terms.rules, accepted.from.text, accepted.to)?;
        let route = terms.routes.route(accepted.to).ok_or_else(no_route)?;
        if let Some(preferred) = preferred(judge, terms.account, &accepted) {
            *locale = preferred;
            accepted.words.locale = Some(locale);
        }
        settle_clock(judge, terms.account, &mut accepted);
        let mut composed = composing.compose(&accepted, terms.concat, route.text)?;
        composed.extras.price = route.price;
        if let Some(most) = accepted.max_price {
            affordable(most, route.price, composed.ends.len())?;
        }
        let start = fate(judge, law, &question(terms.account, &composed), &composed, now)?;
        Ok(Admitted { composed, form: accepted.from.form, arrival, carrier: route.carrier, price: route.price, start })
    }

    /// What the text of a draft becomes on its route, with what costs and what would save: composed once more, so only for
    /// those who ask.
    ///
    /// # Errors
    /// What [`check`] and [`Composing::preview`] refuse, and `no_route`.
    pub fn preview(&mut self, draft: &Draft<'_>, now: Time) -> Result<Preview, Refusal> {
        let accepted = check(draft, self.terms.rules, now)?;
        let route = self.terms.routes.route(accepted.to).ok_or_else(no_route)?;
        self.composing.preview(&accepted, self.terms.concat, route.text)
    }

    /// Decides about one entry of a bulk at `now`, and tells the sink.
    pub fn sort(&mut self, item: Item<'_>, now: Time, sink: &mut impl Sink) {
        match item {
            Item::Refused { line, source, refusal } => sink.refused(line, source, refusal),
            Item::Draft(draft) => {
                if sink.wants_preview()
                    && let Ok(preview) = self.preview(&draft, now)
                {
                    sink.previewed(preview);
                }
                match self.admit(&draft, now) {
                    Ok(admitted) => sink.admitted(draft.line, &admitted),
                    Err(refusal) => sink.refused(draft.line, draft.source, refusal),
                }
            }
        }
    }
}

/// The locale a message takes from its recipient's preferences: it has texts by locale, and names none itself.
pub fn preferred(judge: &mut Judge, account: &str, accepted: &Accepted<'_>) -> Option<Arc<str>> {
    let is_open = accepted.words.texts.is_some() && accepted.words.locale.is_none();
    if is_open { judge.locale(&asked(account, accepted)) } else { None }
}

/// Sets the clock of a text that is made when it is sent to the recipient's.
pub fn settle_clock(judge: &mut Judge, account: &str, accepted: &mut Accepted<'_>) {
    if let Render::Send { moment, zone } = accepted.render {
        let offset = judge.offset(&asked(account, accepted), zone, moment.at);
        accepted.render = Render::Send { moment: Moment { offset, ..moment }, zone };
    }
}

/// What is asked about the recipient of a message before it is composed.
fn asked<'m>(account: &'m str, accepted: &Accepted<'m>) -> Question<'m> {
    let Accepted { to, class, campaign, zone, region, .. } = *accepted;
    // However it will be encoded, it travels as texts do.
    let channel = Encoding::Gsm7.channel();
    Question { account, to, from: accepted.from.text, class, channel, campaign, zone, region, content: 0 }
}

/// What the law is asked about a message.
#[must_use]
pub fn question<'m>(account: &'m str, message: &Composed<'m>) -> Question<'m> {
    Question {
        account,
        to: message.to,
        from: message.from,
        class: message.class,
        channel: message.encoding.channel(),
        campaign: message.extras.campaign,
        zone: message.extras.zone,
        region: message.extras.region,
        // What is made when it is sent is not known yet: the guard against repeats is asked at the lease.
        content: if message.extras.late.is_empty() { message.extras.content } else { 0 },
    }
}

/// Whether a message costs at most so much. A route whose price is not known, or is in another currency, may cost anything.
fn affordable(most: Price, segment: Option<Price>, segments: usize) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::new(Code::PriceExceeded, "/max_price", detail));
    match segment.map(|price| price.times(segments as u64)) {
        Some(price) if price.currency == most.currency && price.micros <= most.micros => Ok(()),
        Some(price) => refused(format!("it costs {price}")),
        None => refused("its route has no price".to_owned()),
    }
}

#[cold]
fn no_route() -> Refusal {
    Refusal::new(Code::NoRoute, "/to", "no route begins like this number")
}
