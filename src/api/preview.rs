//! `POST /v1/preview`: what a message would cost, or a list of them, by the very code that believes, composes and prices
//! what is sent. The body is that of a message, with two liberties: `to` may be left out (then no route is asked), and
//! `recipients` may be a list, of which the segments are counted. Nothing is stored.

use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::{Api, Customer};
use crate::api::upload::{Upload, media};
use crate::base::Time;
use crate::channel::{Preview, RouteText};
use crate::config::Scope;
use crate::directory::judge::Judge;
use crate::message::Encoding;
use crate::pipeline::accept::{AccountRules, Code, Defaults, Format, MessageReader, Refusal, Senders, check};
use crate::pipeline::compose::Composing;
use crate::pipeline::intake::{preferred, settle_clock};
use axum::extract::Request;
use hyper::StatusCode;
use serde_json::{Map, Value, json as document};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands in for a recipient that was not given: the number of nobody (ITU-T E.164: no country code begins with 0, and 999
/// is kept in reserve).
const NOBODY: &str = "+9990000000";
/// Lines composed before others get their turn on this thread: about a millisecond of work.
const TURN_LINES: usize = 100;
/// Refusals told in full.
const REFUSALS_MAX: usize = 100;
/// Characters told apart that cost UCS-2.
const CHARACTERS_MAX: usize = 32;
/// The most segments a message can have at all.
const SEGMENTS_MAX: u8 = 64;

/// What a text becomes on the network.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "expected application/json"));
    }
    let mut upload = Upload::new(&api, request.into_body(), api.config().http.body_bytes_max, None)?;
    let body = upload.whole(&api, coding).await?;
    let Ok(Value::Object(mut message)) = serde_json::from_slice::<Value>(&body) else {
        return Err(Problem::new(Code::MalformedJson, "expected an object: a message, or one with recipients"));
    };
    let recipients = message.remove("recipients");
    let customer = caller.customer();
    let mut counter = Counter::new(&api, customer, message);
    let answer = match recipients {
        None => counter.one(None)?,
        Some(Value::Array(lines)) => {
            if lines.len() > api.config().http.preview_lines_max as usize {
                return Err(Problem::new(Code::TooManyLines, "more recipients than a preview takes"));
            }
            counter.shared()?;
            let mut counts = Counts::default();
            for (place, line) in lines.iter().enumerate() {
                counter.count(place, line, &mut counts);
                if place % TURN_LINES == TURN_LINES - 1 {
                    tokio::task::yield_now().await;
                }
            }
            let worst = counts.worst.map(|(_, line)| counter.one(lines.get(line))).transpose()?;
            counts.document(lines.len(), worst)
        }
        Some(_) => return Err(Problem::new(Code::WrongType, "recipients is a list")),
    };
    Ok(json(StatusCode::OK, &answer))
}

/// Composes lines as if they were sent.
struct Counter<'a> {
    api: &'a Api,
    customer: &'a Customer,
    rules: AccountRules,
    /// What all lines share.
    message: Map<String, Value>,
    reader: MessageReader,
    composing: Composing,
    nowhere: RouteText,
    judge: Judge,
    now: Time,
}

impl<'a> Counter<'a> {
    fn new(api: &'a Api, customer: &'a Customer, message: Map<String, Value>) -> Counter<'a> {
        // Who sends and how much is allowed is not the question: whatever its length, the size is told.
        let from = Some("PREVIEW".into());
        let rules = AccountRules { from, senders: Senders::Any, max_segments: SEGMENTS_MAX, ..customer.rules.clone() };
        let judge = Judge::new(api.engine.rules.law.clone());
        let (reader, composing, nowhere) = (MessageReader::default(), Composing::default(), RouteText::default());
        Counter { api, customer, rules, message, reader, composing, nowhere, judge, now: api.engine.world.now() }
    }

    /// The body of one line, as a message: its own fields, then those of all. Parameters are joined.
    fn body(&self, line: Option<&Value>) -> Result<Vec<u8>, Refusal> {
        let mut message = self.message.clone();
        match line {
            None => {}
            Some(Value::String(to)) => drop(message.insert("to".to_owned(), Value::String(to.clone()))),
            Some(Value::Object(own)) => {
                for (name, value) in own {
                    match (message.get_mut(name), value) {
                        (Some(Value::Object(all)), Value::Object(own)) => all.extend(own.clone()),
                        _ => drop(message.insert(name.clone(), value.clone())),
                    }
                }
            }
            Some(_) => return Err(Refusal::new(Code::WrongType, "", "expected an object")),
        }
        message.entry("to").or_insert_with(|| NOBODY.into());
        // With several wordings the length decides which is taken.
        if message.get("variants").or(message.get("texts")).is_none() {
            message.remove("max_segments");
        }
        Ok(Value::Object(message).to_string().into_bytes())
    }

    /// What all lines share can be read: a mistake in it is the request's, as one in `defaults` is, and not each line's.
    fn shared(&mut self) -> Result<(), Refusal> {
        let (body, defaults) = (self.body(None)?, Defaults::default());
        let read = self.reader.read(&body, &defaults, body.len());
        read.map(|_| ()).map_err(|fault| Refusal::new(fault.code, fault.pointer, fault.detail))
    }

    /// One line, in full.
    fn one(&mut self, line: Option<&Value>) -> Result<Value, Problem> {
        Ok(self.preview(line).map(|preview| shown(&preview))?)
    }

    fn preview(&mut self, line: Option<&Value>) -> Result<Preview, Refusal> {
        let body = self.body(line)?;
        let defaults = Defaults::default();
        let draft =
            self.reader.read(&body, &defaults, body.len()).map_err(|fault| Refusal::new(fault.code, fault.pointer, fault.detail))?;
        let mut accepted = check(&draft, &self.rules, self.now)?;
        let locale = preferred(&mut self.judge, &self.customer.name, &accepted);
        accepted.words.locale = accepted.words.locale.or(locale.as_deref());
        settle_clock(&mut self.judge, &self.customer.name, &mut accepted);
        let route = self.api.routes.route(accepted.to).map_or(&self.nowhere, |route| route.text);
        self.composing.preview(&accepted, self.customer.concat, route)
    }

    fn count(&mut self, place: usize, line: &Value, counts: &mut Counts) {
        match self.preview(Some(line)) {
            Ok(preview) => counts.add(place, &preview),
            Err(refusal) => {
                counts.refused += 1;
                if counts.refusals.len() < REFUSALS_MAX {
                    counts.refusals.push(document!({ "line": place, "code": refusal.code.slug(), "pointer": refusal.pointer }));
                }
            }
        }
    }
}

/// What a list costs.
#[derive(Default)]
struct Counts {
    /// Messages by their segments.
    histogram: BTreeMap<usize, u64>,
    encodings: BTreeMap<&'static str, u64>,
    total: u64,
    /// The total if each message were substituted where that saves.
    total_substituted: u64,
    /// Messages by the character that cost them UCS-2.
    forced_by: BTreeMap<char, u64>,
    /// Messages that another character forced.
    forced_by_others: u64,
    /// The most segments, and the first line that has them.
    worst: Option<(usize, usize)>,
    refused: u64,
    refusals: Vec<Value>,
}

impl Counts {
    fn add(&mut self, line: usize, preview: &Preview) {
        *self.histogram.entry(preview.segments).or_default() += 1;
        *self.encodings.entry(preview.encoding.word()).or_default() += 1;
        self.total += preview.segments as u64;
        let substituted = preview.with_substitution.as_ref().map_or(preview.segments, |with| with.segments.min(preview.segments));
        self.total_substituted += substituted as u64;
        if let Some((character, _)) = preview.forced_by {
            match self.forced_by.len() < CHARACTERS_MAX || self.forced_by.contains_key(&character) {
                true => *self.forced_by.entry(character).or_default() += 1,
                false => self.forced_by_others += 1,
            }
        }
        if self.worst.is_none_or(|(most, _)| preview.segments > most) {
            self.worst = Some((preview.segments, line));
        }
    }

    fn document(self, lines: usize, worst: Option<Value>) -> Value {
        let worst = self.worst.zip(worst).map(|((_, line), mut worst)| {
            worst["line"] = line.into();
            worst
        });
        let histogram: Map<String, Value> =
            self.histogram.iter().map(|(segments, count)| (segments.to_string(), (*count).into())).collect();
        let mut forced_by: Vec<(char, u64)> = self.forced_by.into_iter().collect();
        forced_by.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
        let forced_by: Vec<Value> =
            forced_by.iter().map(|(character, messages)| document!({ "character": character, "messages": messages })).collect();
        document!({
            "recipients": lines,
            "refused": self.refused,
            "refusals": self.refusals,
            "segments_total": self.total,
            "histogram": histogram,
            "encodings": self.encodings,
            "forced_by": forced_by,
            "forced_by_others": self.forced_by_others,
            "with_substitution": { "segments_total": self.total_substituted, "saved": self.total - self.total_substituted },
            "worst": worst,
        })
    }
}

/// A preview as it is answered, here and by an explanation.
pub(super) fn shown(preview: &Preview) -> Value {
    let [locking, single] = preview.tables.map(|table| table.map(|language| format!("{language:?}").to_lowercase()));
    let has_tables = locking.is_some() || single.is_some();
    let with = preview.with_substitution.as_ref().map(|with| {
        let replaced: Vec<Value> =
            with.replaced.iter().map(|one| document!({ "from": one.from, "to": one.to, "count": one.count })).collect();
        let saved = preview.segments.saturating_sub(with.segments);
        document!({ "encoding": with.encoding.word(), "segments": with.segments, "saved": saved, "replaced": replaced })
    });
    document!({
        "encoding": preview.encoding.word(),
        "units": preview.units,
        "unit": match preview.encoding { Encoding::Gsm7 => "septet", Encoding::Ucs2 => "utf16", Encoding::Binary => "octet" },
        "segments": preview.segments,
        "per_segment_units": preview.per_segment_units,
        "units_left": preview.units_left,
        "forced_by": preview.forced_by.map(|(character, at)| document!({ "character": character, "at": at })),
        "spelling": preview.spelling.word(),
        "changed_characters": preview.changed,
        "text": preview.text,
        "national": has_tables.then(|| document!({ "locking": locking, "single": single })),
        "one_part": preview.is_one_part,
        "with_substitution": with,
    })
}
