//! Advice without sending: what a number is, when a message may go, what a reply means. Nothing is
//! stored. The answers come from the same code the journey uses or will use, so the numbers agree by construction.

use crate::api::advisors::Advisors;
use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::{Span, Time};
use crate::config::Scope;
use crate::directory::hours::{Ask, CalendarRef, Channel, Zone};
use crate::directory::keywords::{Class as Meaning, Keywords};
use crate::message::Class;
use axum::extract::Request;
use hyper::StatusCode;
use serde_json::json as document;
use std::sync::Arc;

/// What a number is.
pub(super) async fn lookup(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Read)?;
    let numbers = &api.advisors.numbers;
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
                "calendar" => asked.calendar = Some(value),
                _ => return Err(wrong("expected to, channel, class and at, or rule, zone, calendar and at")),
            }
        }
        Ok(asked)
    }
}

/// Whether a message may go at an instant, and when next.
pub(super) async fn next_opening(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Read)?;
    let asked = Opening::read(request.uri().query())?;
    let Advisors { numbers, hours } = &api.advisors;
    let at = asked.at.unwrap_or_else(|| api.engine.world.now());
    let zone = |name: &str| hours.zone_by_name(name).ok_or_else(|| Problem::query("zone", "no such time zone"));
    let (rules, zones, calendar): (Vec<_>, Vec<Zone>, _) = match &asked.to {
        Some(to) => {
            let to = if to.starts_with('+') { to.clone() } else { format!("+{to}") };
            let number = numbers.parse(&to, None).map_err(|_| Problem::query("to", "expected a number with its country code"))?;
            let country = number.region.map(|region| region.as_str().to_owned()).unwrap_or_default();
            let state = numbers.state(&number);
            let (channel, class) = (asked.channel.unwrap_or(Channel::Sms), asked.class.unwrap_or(Class::Marketing));
            let zones = numbers.zones(&number).iter().filter_map(|zone| hours.zone_by_name(zone.name())).collect();
            (hours.rules_for(&country, state, channel, class).to_vec(), zones, hours.calendar_for(&country, state))
        }
        None if asked.rules.is_empty() || asked.zones.is_empty() => return Err(Problem::query("", "expected to, or rule and zone")),
        None => {
            let rule = |name: &String| hours.rule_by_name(name).ok_or_else(|| Problem::query("rule", "no such rule"));
            let calendar = match &asked.calendar {
                None => CalendarRef::OfRules,
                Some(name) => hours.calendar_by_name(name).ok_or_else(|| Problem::query("calendar", "no such calendar"))?,
            };
            let rules = asked.rules.iter().map(rule).collect::<Result<_, _>>()?;
            (rules, asked.zones.iter().map(|name| zone(name)).collect::<Result<_, _>>()?, calendar)
        }
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
            "rules": rules.iter().map(|rule| hours.rule_name(*rule)).collect::<Vec<_>>(),
            "zones": zones.iter().map(|zone| hours.zone_name(*zone)).collect::<Vec<_>>(),
            "version": hours.version().to_string(),
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
