//! What a recipient prefers, as the customer tells it: a cap, a time zone, a language.

use crate::api::caller::Caller;
use crate::api::object::{self, Object};
use crate::api::people::{admits, problem_of};
use crate::api::problem::{Problem, Spot};
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::base::{Msisdn, Span};
use crate::config::Scope;
use crate::directory::hours::zone::no_such as no_such_zone;
use crate::pipeline::accept::{Code, Format};
use crate::storage::{Archive, PersonChange, Preference};
use axum::extract::Request;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json as document;
use std::sync::Arc;

/// The longest period of a recipient's cap: a year.
const PERIOD_SECONDS_MAX: u32 = 366 * 86_400;
/// The greatest count of a recipient's cap.
const COUNT_MAX: u32 = 10_000;
/// Characters of a language tag (BCP 47 clause 4.4.1 asks for 35 at least).
const LOCALE_CHARS_MAX: usize = 35;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object::optional")]
    cap: Option<Cap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Cap {
    count: u32,
    period_seconds: u32,
}

#[derive(Serialize)]
struct View {
    number: String,
    #[serde(flatten)]
    wanted: Wanted,
    since: String,
}

fn number_in(path: &str) -> Result<Msisdn, Problem> {
    let text = path.strip_prefix("/v1/preferences/").unwrap_or_default().replace("%2B", "+").replace("%2b", "+");
    Msisdn::parse(&text).map_err(|_| Problem::not_found())
}

/// Replaces a recipient's preferences.
pub(super) async fn put(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let number = number_in(request.uri().path())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "expected application/json"));
    }
    let mut upload = Upload::new(&api, request.into_body(), api.config().http.body_bytes_max, None)?;
    let body = upload.whole(&api, coding).await?;
    let Object(wanted) = serde_json::from_slice::<Object<Wanted>>(&body).map_err(|error| problem_of(&error))?;
    let wrong =
        |field: &'static str, detail: &'static str| Problem { spot: Spot::Body(field.into()), ..Problem::new(Code::InvalidValue, detail) };
    let kept = api.engine.config.journal.retention;
    let cap = wanted.cap.as_ref().map_or((0, 0), |cap| (cap.count, cap.period_seconds));
    if wanted.cap.is_some() && !((1..=COUNT_MAX).contains(&cap.0) && (1..=PERIOD_SECONDS_MAX).contains(&cap.1)) {
        return Err(wrong("/cap", "expected a count of 1 to 10,000 and a period of a second to a year"));
    }
    if Span::secs(u64::from(cap.1)) > kept {
        return Err(wrong("/cap/period_seconds", "expected no more than journal.retention: what was sent is known for so long"));
    }
    let zone = wanted.time_zone.clone().unwrap_or_default();
    if !zone.is_empty() && api.engine.rules.law.hours.hours().zone_by_name(&zone).is_none() {
        return Err(Problem { detail: no_such_zone(&zone).into(), ..wrong("/time_zone", "") });
    }
    let locale = wanted.locale.clone().unwrap_or_default();
    if locale.len() > LOCALE_CHARS_MAX || !locale.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') {
        return Err(wrong("/locale", "expected a language tag such as fr-FR"));
    }
    admits(&api, 1)?;
    let one = Preference { account: caller.name().to_owned(), number: number.as_u64(), cap, zone, locale, since: api.engine.world.now() };
    let shown = view(&one);
    api.engine.say(vec![PersonChange::Prefer(one)]).await?;
    Ok(json(StatusCode::OK, &shown))
}

/// Shows a recipient's preferences.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    let found = find(&api, &caller, number_in(request.uri().path())?).await?;
    Ok(json(StatusCode::OK, &view(&found)))
}

/// Forgets them.
pub(super) async fn delete(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let found = find(&api, &caller, number_in(request.uri().path())?).await?;
    api.engine.say(vec![PersonChange::Forget { account: found.account, number: found.number }]).await?;
    Ok(json(StatusCode::OK, &document!({ "removed": 1 })))
}

async fn find(api: &Api, caller: &Caller, number: Msisdn) -> Result<Preference, Problem> {
    let (account, number) = (caller.name().to_owned(), number.as_u64());
    let look = move |archive: &dyn Archive| {
        let found = archive.preferences(Some((&account, number - 1)), 1)?;
        Ok(found.into_iter().find(|one| one.account == account && one.number == number))
    };
    let found: Result<Option<Preference>, crate::storage::StoreFault> = api.engine.reader.call(look).await;
    found?.ok_or(Problem::not_found())
}

fn view(one: &Preference) -> View {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let (count, period_seconds) = one.cap;
    let cap = (count > 0).then_some(Cap { count, period_seconds });
    let wanted = Wanted { cap, time_zone: some(&one.zone), locale: some(&one.locale) };
    View { number: format!("+{}", one.number), wanted, since: one.since.rfc3339() }
}
