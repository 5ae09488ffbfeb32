//! Advice without sending: what a number is, when a message may go, what a reply means. Nothing is
//! stored. The answers come from the same code the journey uses or will use, so the numbers agree by construction.

use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::{Span, Time};
use crate::config::Scope;
use crate::directory::hours::{Ask, CalendarRef, Channel, Zone, zone};
use crate::directory::judge::{Question, Verdict};
use crate::directory::keywords::{Class as Meaning, Keywords};
use crate::message::Class;
use axum::extract::Request;
use hyper::StatusCode;
use serde_json::json as document;
use std::sync::Arc;

/// What a number is.
pub(super) async fn lookup(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Read)?;
    let numbers = &api.atlas.numbers;
    let mut region = None;
    for (name, value) in query::read(request.uri().query())? {
        match &*name {
            "region" if region.is_none() && numbers.is_region(&value) => region = Some(value),
            "region" => return Err(Problem::query("region", "expected one two-letter region such as FR")),
            _ => return Err(Problem::query("", "expected region alone")),
        }
    }
    let written = request.uri().path().rsplit('/').next().unwrap_or_default();
    let pair = query::read(Some(written))?.into_iter().next();
    let written = pair.map(|(name, _)| name.strip_prefix(' ').map(|rest| format!("+{rest}")).unwrap_or(name)).unwrap_or_default();
    let Ok(number) = numbers.parse(&written, region.as_deref()) else {
        return Ok(json(StatusCode::OK, &document!({ "valid": false, "e164": null, "region": null, "type": "UNKNOWN", "time_zones": [] })));
    };
    let zones: Vec<&str> = numbers.zones(&number).iter().map(|zone| zone.name()).collect();
    Ok(json(
        StatusCode::OK,
        &document!({
            "valid": number.is_valid(),
            "possible": number.possible.name(),
            "e164": number.written(),
            "region": number.region.map(|region| region.as_str().to_owned()),
            "type": number.kind.name(),
            "state": numbers.state(&number),
            "time_zones": zones,
        }),
    ))
}

/// What `GET /v1/next-opening` was asked.
#[derive(Default)]
struct Opening {
    to: Option<String>,
    channel: Option<Channel>,
    class: Option<Class>,
    at: Option<Time>,
    rules: Vec<String>,
    zones: Vec<String>,
    region: Option<String>,
    calendar: Option<String>,
}

impl Opening {
    fn read(query: Option<&str>) -> Result<Opening, Problem> {
        let mut asked = Opening::default();
        for (name, value) in query::read(query)? {
            let wrong = |what: &'static str| Problem::query("", what);
            match &*name {
                "to" => asked.to = Some(value.trim().to_owned()),
                "channel" => asked.channel = Some(Channel::from_word(&value).ok_or_else(|| wrong("channel: expected sms, mms or voice"))?),
                "class" => {
                    asked.class =
                        Some(Class::from_word(&value).ok_or_else(|| wrong("class: expected otp, transactional, service or marketing"))?)
                }
                "at" => {
                    // A plus sign of an offset that was not escaped has become a space.
                    let at = Time::parse_rfc3339(&value.replace(' ', "+"));
                    asked.at = Some(at.ok_or_else(|| wrong("at: expected an RFC 3339 instant with an offset"))?);
                }
                "rule" if asked.rules.len() < 16 => asked.rules.push(value),
                "zone" if asked.zones.len() < 64 => asked.zones.push(value),
                "region" => asked.region = Some(value),
                "calendar" => asked.calendar = Some(value),
                _ => return Err(wrong("expected to, channel, class, region and at, or rule, zone, calendar and at")),
            }
        }
        Ok(asked)
    }
}

/// Whether a message may go at an instant, and when next.
pub(super) async fn next_opening(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    let asked = Opening::read(request.uri().query())?;
    let at = asked.at.unwrap_or_else(|| api.engine.world.now());
    let office = &api.engine.rules.law.hours;
    let hours = office.hours();
    if let Some(name) = asked.zones.iter().find(|name| hours.zone_by_name(name).is_none()) {
        return Err(Problem { detail: zone::no_such(name).into(), ..Problem::query("zone", "") });
    }
    if asked.region.as_deref().is_some_and(|region| !api.atlas.knows_region(region)) {
        return Err(Problem::query("region", "expected a country and a state or province such as US-TX"));
    }
    if asked.to.is_some() {
        return of_number(&api, &caller, &asked, at);
    }
    if asked.rules.is_empty() || asked.zones.is_empty() || asked.region.is_some() {
        return Err(Problem::query("", "expected to, or rule and zone"));
    }
    let zones: Vec<Zone> = asked.zones.iter().filter_map(|name| hours.zone_by_name(name)).collect();
    let rule = |name: &String| hours.rule_by_name(name).ok_or_else(|| Problem::query("rule", "no such rule"));
    let rules = asked.rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let calendar = match &asked.calendar {
        None => CalendarRef::OfRules,
        Some(name) => hours.calendar_by_name(name).ok_or_else(|| Problem::query("calendar", "no such calendar"))?,
    };
    let decision = hours.decide(&Ask { rules: &rules, zones: &zones, calendar, margin: Span::ZERO }, at);
    Ok(json(
        StatusCode::OK,
        &document!({
            "at": at.rfc3339(),
            "allowed": decision.allowed,
            "next_open_at": decision.next_open.map(Time::rfc3339),
            "closes_at": decision.closes_at.map(Time::rfc3339),
            "reason": decision.reason.word(),
            "rules": asked.rules,
            "zones": asked.zones,
            "version": hours.version().to_string(),
        }),
    ))
}

/// The answer for a recipient: what the judge says of a message of the caller's account, with its margin and overrides.
fn of_number(api: &Api, caller: &Caller, asked: &Opening, at: Time) -> Result<Reply, Problem> {
    let written = asked.to.as_deref().unwrap_or_default();
    let written = if written.starts_with('+') { written.to_owned() } else { format!("+{written}") };
    let number = api.atlas.numbers.parse(&written, None).ok().and_then(|number| number.e164());
    let to = number.ok_or_else(|| Problem::query("to", "expected a number with its country code"))?;
    if asked.zones.len() > 1 || !asked.rules.is_empty() || asked.calendar.is_some() {
        return Err(Problem::query("", "expected with to at most one zone, the recipient's own, and no rule or calendar"));
    }
    let question = Question {
        account: caller.name(),
        to,
        from: "",
        class: asked.class.unwrap_or(Class::Marketing),
        channel: asked.channel.unwrap_or(Channel::Sms),
        campaign: "",
        zone: asked.zones.first().map_or("", String::as_str),
        region: asked.region.as_deref().unwrap_or_default(),
        content: 0,
    };
    let advice = api.engine.rules.law.advise(&question, at);
    let (allowed, opens, closes) = match advice.verdict {
        Verdict::Go { closes } => (true, Some(at), Some(closes).filter(|closes| closes.0 < i64::MAX)),
        Verdict::Hold { until, .. } => (false, Some(until), None),
        Verdict::Refuse { .. } => (false, None, None),
    };
    Ok(json(
        StatusCode::OK,
        &document!({
            "at": at.rfc3339(),
            "allowed": allowed,
            "next_open_at": opens.map(Time::rfc3339),
            "closes_at": closes.map(Time::rfc3339),
            "reason": advice.reason,
            "region": asked.region,
            "rules": advice.rules,
            "zones": advice.zones,
            "version": advice.version,
        }),
    ))
}

/// What a reply from a handset means.
pub(super) async fn classify(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Read)?;
    let (mut text, mut country) = (None, None);
    for (name, value) in query::read(request.uri().query())? {
        match &*name {
            "text" if text.is_none() => text = Some(value),
            "country" if country.is_none() => country = Some(value),
            _ => return Err(Problem::query("", "expected text and country, each once")),
        }
    }
    let text = text.ok_or_else(|| Problem::query("text", "expected a text"))?;
    let found = Keywords::builtin().classify(&text, country.as_deref());
    let class = match found.class {
        Meaning::Stop => "stop",
        Meaning::Start => "start",
        Meaning::Help => "help",
        Meaning::Review => "review",
        Meaning::None => "none",
    };
    Ok(json(StatusCode::OK, &document!({ "class": class, "word": found.word })))
}
