//! An explanation: the lines, as many as are listed, and totals of all of them.

use crate::api::preview::shown;
use crate::api::state::Api;
use crate::api::wait::Wait;
use crate::base::{Price, Time};
use crate::channel::Preview;
use crate::channel::sms::profile::sender_address;
use crate::directory::judge::{Question, Verdict};
use crate::message::{Composed, Encoding, Reason};
use crate::pipeline::accept::{Code, Refusal, SenderForm, Source};
use crate::pipeline::intake::sender::Arrival;
use crate::pipeline::intake::{Admitted, Sink, question};
use crate::pipeline::journal::Start;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What would become of the lines so far.
pub(super) struct Explained<'a> {
    api: &'a Api,
    account: &'a str,
    /// The instant of acceptance of the lines that come next.
    pub(super) now: Time,
    lines: Vec<LineView>,
    lines_max: usize,
    /// Of the line that comes next, if it is listed.
    preview: Option<Preview>,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    received: u32,
    refused_by: BTreeMap<&'static str, u32>,
    scheduled: u32,
    held_by: BTreeMap<&'static str, u32>,
    /// By number of segments.
    histogram: BTreeMap<u8, u32>,
    encodings: BTreeMap<&'static str, u32>,
    /// By place of the carrier: messages and segments.
    carriers: BTreeMap<u16, (u32, u64)>,
    /// By currency, in millionths.
    prices: BTreeMap<[u8; 3], u64>,
    unpriced: u32,
    /// The first and the last instant.
    span: Option<(Time, Time)>,
}

impl<'a> Explained<'a> {
    pub(super) fn new(api: &'a Api, account: &'a str) -> Explained<'a> {
        let lines_max = api.config().http.explain_lines_max as usize;
        Explained { api, account, now: Time(0), lines: Vec::new(), lines_max, preview: None, totals: Totals::default() }
    }

    /// The answer.
    pub(super) fn document(self) -> impl Serialize {
        let Explained { api, lines, totals, .. } = self;
        let refused = totals.refused_by.values().sum::<u32>();
        let price = |(currency, micros): (&[u8; 3], &u64)| Price { micros: *micros, currency: *currency }.to_string();
        let carrier = |(place, (messages, segments)): (&u16, &(u32, u64))| {
            (api.carriers[usize::from(*place)].clone(), PerCarrier { messages: *messages, segments: *segments })
        };
        Document {
            received: totals.received,
            accepted: totals.received - refused,
            refused,
            refused_by: totals.refused_by,
            scheduled: totals.scheduled,
            held: totals.held_by.values().sum(),
            held_by: totals.held_by,
            segments: Segments {
                total: totals.histogram.iter().map(|(segments, count)| u64::from(*segments) * u64::from(*count)).sum(),
                histogram: totals.histogram,
            },
            encodings: totals.encodings,
            carriers: totals.carriers.iter().map(carrier).collect(),
            price: totals.prices.iter().map(price).collect(),
            unpriced: totals.unpriced,
            earliest: totals.span.map(|(earliest, _)| earliest.rfc3339()),
            latest: totals.span.map(|(_, latest)| latest.rfc3339()),
            lines_left_off: totals.received - lines.len() as u32,
            lines,
        }
    }
}

impl Sink for Explained<'_> {
    fn admitted(&mut self, line: u32, admitted: &Admitted<'_>) {
        let segments = admitted.composed.ends.len();
        let totals = &mut self.totals;
        totals.received += 1;
        match Wait::of(admitted.start) {
            Some(Wait { why: Reason::Scheduled, .. }) => totals.scheduled += 1,
            Some(Wait { why, .. }) => *totals.held_by.entry(why.word()).or_default() += 1,
            None => {}
        }
        *totals.histogram.entry(segments as u8).or_default() += 1;
        *totals.encodings.entry(admitted.composed.encoding.word()).or_default() += 1;
        let (messages, of_carrier) = totals.carriers.entry(admitted.carrier).or_default();
        (*messages, *of_carrier) = (*messages + 1, *of_carrier + segments as u64);
        match admitted.price {
            Some(price) => {
                let sum = totals.prices.entry(price.currency).or_default();
                *sum = sum.saturating_add(price.times(segments as u64).micros);
            }
            None => totals.unpriced += 1,
        }
        let at = admitted.start.due.max(self.now);
        totals.span = Some(totals.span.map_or((at, at), |(earliest, latest)| (earliest.min(at), latest.max(at))));
        if self.lines.len() < self.lines_max {
            let preview = self.preview.take();
            self.lines.push(LineView::admitted(self.api, self.account, line, admitted, preview.as_ref(), self.now));
        }
    }

    fn refused(&mut self, line: u32, source: Source, refusal: Refusal) {
        self.totals.received += 1;
        *self.totals.refused_by.entry(refusal.code.slug()).or_default() += 1;
        if self.lines.len() < self.lines_max {
            self.preview = None;
            self.lines.push(LineView::refused(line, source, refusal));
        }
    }

    fn wants_preview(&self) -> bool {
        self.lines.len() < self.lines_max
    }

    fn previewed(&mut self, preview: Preview) {
        self.preview = Some(preview);
    }
}

#[derive(Serialize)]
struct Document {
    received: u32,
    accepted: u32,
    refused: u32,
    refused_by: BTreeMap<&'static str, u32>,
    scheduled: u32,
    held: u32,
    held_by: BTreeMap<&'static str, u32>,
    segments: Segments,
    encodings: BTreeMap<&'static str, u32>,
    carriers: BTreeMap<String, PerCarrier>,
    price: Vec<String>,
    unpriced: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<String>,
    lines: Vec<LineView>,
    lines_left_off: u32,
}

#[derive(Serialize)]
struct Segments {
    total: u64,
    histogram: BTreeMap<u8, u32>,
}

#[derive(Serialize)]
struct PerCarrier {
    messages: u32,
    segments: u64,
}

/// What would become of one line.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum LineView {
    /// It would be sent.
    Sent(Box<Sent>),
    /// It would not.
    Refused { line: u32, verdict: &'static str, error: Error },
}

/// A line that would be sent.
#[derive(Serialize)]
pub(super) struct Sent {
    line: u32,
    verdict: &'static str,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    hours: Hours,
    expires_at: String,
    to: String,
    class: &'static str,
    carrier: String,
    sender: SenderView,
    encoding: &'static str,
    units: usize,
    segments: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    /// `send`: made when it is sent; units, segments and price are those of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    render: Option<&'static str>,
    /// As `POST /v1/preview` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Value>,
}

/// What the send windows say at the instant asked about.
#[derive(Serialize)]
struct Hours {
    allowed: bool,
    reason: &'static str,
    /// The state or province that the line gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    rules: Vec<String>,
    zones: Vec<String>,
    version: String,
}

/// A sender as the carrier is given it.
#[derive(Serialize)]
struct SenderView {
    text: String,
    form: &'static str,
    ton: u8,
    npi: u8,
    arrives: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Why a line would not be sent.
#[derive(Serialize)]
pub(super) struct Error {
    code: &'static str,
    pointer: String,
    detail: String,
}

impl LineView {
    /// A line that would be sent, if it were accepted at `now`.
    pub(super) fn admitted(api: &Api, account: &str, line: u32, admitted: &Admitted<'_>, preview: Option<&Preview>, now: Time) -> LineView {
        let Admitted { composed, form, arrival, carrier, price, start } = admitted;
        let hours = hours(api, composed, &question(account, composed), *start, composed.extras.not_before.unwrap_or(now).max(now));
        let wait = Wait::of(*start);
        let addresses = &api.config().carriers[usize::from(*carrier)].addresses;
        let address = sender_address(addresses, composed.from);
        let segments = composed.ends.len();
        LineView::Sent(Box::new(Sent {
            line,
            verdict: wait.map_or("send", |wait| wait.status().word()),
            at: start.due.max(now).rfc3339(),
            reason: wait.and_then(Wait::reason),
            hours,
            expires_at: now.after(composed.lifetime).rfc3339(),
            to: composed.to.e164(),
            class: composed.class.word(),
            carrier: api.carriers[usize::from(*carrier)].clone(),
            sender: SenderView {
                text: composed.from.to_owned(),
                form: match form {
                    SenderForm::Number => "number",
                    SenderForm::ShortCode => "short_code",
                    SenderForm::Name => "name",
                },
                ton: address.ton,
                npi: address.npi,
                arrives: arrival.word(),
                why: if let Arrival::Refused(fault) = arrival { Some(fault.to_string()) } else { None },
            },
            encoding: composed.encoding.word(),
            units: composed.octets.len() / if composed.encoding == Encoding::Ucs2 { 2 } else { 1 },
            segments,
            price: price.map(|price| price.times(segments as u64).to_string()),
            render: (!composed.extras.late.is_empty()).then_some("send"),
            preview: preview.map(shown),
        }))
    }

    fn refused(line: u32, source: Source, Refusal { code, pointer, detail }: Refusal) -> LineView {
        let detail = if detail.is_empty() { Code::advice(code).to_owned() } else { detail.into_owned() };
        let error = Error { code: code.slug(), pointer: source.pointer(line, &pointer), detail };
        LineView::Refused { line, verdict: "refused", error }
    }
}

/// The rules and zones that were asked: at the instant it is wanted for, or, when it is another bound that moved it from
/// there into closed hours, just before they open.
fn hours(api: &Api, composed: &Composed<'_>, question: &Question<'_>, start: Start, wanted: Time) -> Hours {
    let law = &api.engine.rules.law;
    let mut advice = law.advise(question, wanted);
    let is_closed = start.due > Time(0) && start.why == Reason::WindowClosed;
    if is_closed && matches!(advice.verdict, Verdict::Go { .. }) {
        advice = law.advise(question, Time(start.due.0 - 1));
    }
    Hours {
        allowed: matches!(advice.verdict, Verdict::Go { .. }),
        region: Some(composed.extras.region.to_owned()).filter(|region| !region.is_empty()),
        reason: advice.reason,
        rules: advice.rules,
        zones: advice.zones,
        version: advice.version,
    }
}
