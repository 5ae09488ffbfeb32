//! Opt-outs as customers bring, see and take back theirs: one or many in a document, page by page, or all of them as a
//! stream. Lists too long for a document are `import`'s.

use crate::api::caller::Caller;
use crate::api::list::limit;
use crate::api::object::Object;
use crate::api::problem::{Problem, Spot};
use crate::api::query;
use crate::api::reply::{Reply, json, plain, with};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::base::{Msisdn, Time};
use crate::config::Scope as KeyScope;
use crate::directory::consent::{EVERY_CLASS, Scope};
use crate::message::Class;
use crate::pipeline::accept::{Code, Format};
use crate::storage::{Archive, Origin, PersonChange, StoreFault, Suppression, SuppressionKey};
use axum::body::Body;
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json as document;
use std::sync::Arc;

/// Opt-outs in one document: what one commit takes without holding others up.
const MANY_MAX: usize = 2_000;
/// Opt-outs of a page when the request does not say.
const PAGE_USUAL: usize = 50;
/// Rows of an export that are in memory at once.
const EXPORT_ROWS: usize = 1_000;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 256;
/// Characters of a source.
const SOURCE_CHARS_MAX: usize = 64;
/// Characters of a way to write a number that is looked at.
const NUMBER_CHARS_MAX: usize = 64;

/// An opt-out, as customers write it.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) number: String,
    #[serde(default)]
    pub(super) scope: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    suppressions: Vec<Object<Entry>>,
}

/// What is wrong with an entry: the code, the field, and what was expected.
pub(super) type Wrong = (Code, &'static str, &'static str);

impl Entry {
    /// The row it asks for.
    pub(super) fn row(self, account: &str, source: &str, now: Time) -> Result<Suppression, Wrong> {
        let is_plain = |text: &str, chars_max| text.chars().count() <= chars_max && !text.chars().any(char::is_control);
        if self.number.len() > NUMBER_CHARS_MAX {
            return Err((Code::InvalidNumber, "number", "too long for a number"));
        }
        let number = Msisdn::parse(&self.number).map_err(|_| (Code::InvalidNumber, "number", "expected a number with its country code"))?;
        let scope = match &self.scope {
            None => Scope::All,
            Some(text) => Scope::parse(text).ok_or((
                Code::InvalidValue,
                "scope",
                "expected all, sender:NAME, campaign:NAME, channel:sms, mms or voice, or class:marketing, service, transactional or otp",
            ))?,
        };
        let (reason, source) = (self.reason.unwrap_or_default(), self.source.unwrap_or_else(|| source.to_owned()));
        if !is_plain(&reason, REASON_CHARS_MAX) {
            return Err((Code::InvalidValue, "reason", "expected at most 256 characters, none of them a control character"));
        }
        if !is_plain(&source, SOURCE_CHARS_MAX) {
            return Err((Code::InvalidValue, "source", "expected at most 64 characters, none of them a control character"));
        }
        let since = match self.since {
            None => now,
            Some(text) => Time::parse_rfc3339(&text).ok_or((Code::InvalidValue, "since", "expected an instant (RFC 3339)"))?,
        };
        let key = SuppressionKey { account: account.to_owned(), number: number.as_u64(), origin: Origin::Customer, scope: scope.text() };
        Ok(Suppression { key, classes: scope.classes(), source, reason, since })
    }
}

/// Takes opt-outs in: all of the document or nothing.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), KeyScope::Send)?;
    query::none(request.uri().query())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "lists go to /v1/suppressions/import"));
    }
    let mut upload = Upload::new(&api, request.into_body(), api.config().http.body_bytes_max, None)?;
    let body = upload.whole(&api, coding).await?;
    let entries = read(&body)?;
    let (now, is_one) = (api.engine.world.now(), entries.1);
    let mut changes = Vec::with_capacity(entries.0.len());
    for (place, entry) in entries.0.into_iter().enumerate() {
        let row = entry.row(caller.name(), "api", now).map_err(|(code, field, detail)| {
            let pointer = if is_one { format!("/{field}") } else { format!("/suppressions/{place}/{field}") };
            Problem { code, spot: Spot::Body(pointer.into()), detail: detail.into(), retry_after: None }
        })?;
        changes.push(PersonChange::Suppress(row));
    }
    admits(&api, changes.len())?;
    let added = changes.len();
    api.engine.say(changes).await?;
    Ok(json(StatusCode::OK, &document!({ "added": added })))
}

/// Whether there is room for so many more.
pub(super) fn admits(api: &Api, more: usize) -> Result<(), Problem> {
    let full = "as many opt-outs as the operator allows (consent.suppressions_max)";
    api.engine.consent.admits(more as u64).map_err(|_| Problem::new(Code::StoreFull, full))
}

/// One entry, or many; and whether it was one.
fn read(body: &[u8]) -> Result<(Vec<Entry>, bool), Problem> {
    let entries = match serde_json::from_slice::<Object<Many>>(body) {
        Ok(Object(many)) => (many.suppressions.into_iter().map(|Object(entry)| entry).collect(), false),
        Err(_) => {
            let Object(one) = serde_json::from_slice::<Object<Entry>>(body).map_err(|error| problem_of(&error))?;
            (vec![one], true)
        }
    };
    if entries.0.len() > MANY_MAX {
        return Err(Problem::new(Code::TooManyLines, "at most 2,000 in one document; longer lists go to /v1/suppressions/import"));
    }
    Ok(entries)
}

/// What a document that is not what was expected has wrong.
pub(super) fn problem_of(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        return Problem {
            spot: Spot::Body("".into()),
            ..Problem::new(Code::InvalidValue, "a field is missing, unknown, given twice or not of its type")
        };
    }
    Problem::new(Code::MalformedJson, "not JSON")
}

/// What a request about opt-outs names.
#[derive(Default)]
struct Named {
    number: Option<u64>,
    scope: Option<String>,
    origin: Option<Origin>,
    limit: Option<usize>,
    cursor: Option<(u64, Origin, String)>,
}

fn named(query: Option<&str>) -> Result<Named, Problem> {
    let mut named = Named::default();
    for (name, value) in query::read(query)? {
        match &*name {
            "number" if named.number.is_none() => {
                let number = Msisdn::parse(&value).map_err(|_| Problem::query("number", "expected a number with its country code"))?;
                named.number = Some(number.as_u64());
            }
            "scope" if named.scope.is_none() => {
                let scope = Scope::parse(&value).ok_or(Problem::query("scope", "expected a scope such as all or class:marketing"))?;
                named.scope = Some(scope.text());
            }
            "origin" if named.origin.is_none() => {
                named.origin = Some(match &*value {
                    "recipient" => Origin::Recipient,
                    "customer" => Origin::Customer,
                    _ => return Err(Problem::query("origin", "expected recipient or customer")),
                });
            }
            "limit" if named.limit.is_none() => named.limit = Some(limit(&value)?),
            "cursor" if named.cursor.is_none() => {
                named.cursor = Some(read_cursor(&value).ok_or(Problem::query("cursor", "not one of ours"))?);
            }
            _ => return Err(Problem::query("", "expected number, scope, origin, limit and cursor, each once")),
        }
    }
    Ok(named)
}

/// Shows opt-outs, in the order of numbers.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), KeyScope::Read)?;
    let named = named(request.uri().query())?;
    let size = named.limit.unwrap_or(PAGE_USUAL);
    let account = caller.name().to_owned();
    let rows = api.engine.reader.call(move |archive| page(archive, &account, &named, size + 1)).await?;
    let next = (rows.len() > size).then(|| write_cursor(&rows[size - 1].key));
    let shown: Vec<View<'_>> = rows.iter().take(size).map(View::of).collect();
    Ok(json(StatusCode::OK, &Page { suppressions: shown, next }))
}

/// Rows that answer a request, at most `size`; a filter that fits few is looked through page by page.
fn page(archive: &dyn Archive, account: &str, named: &Named, size: usize) -> Result<Vec<Suppression>, StoreFault> {
    let key = |number, origin, scope: &str| SuppressionKey { account: account.to_owned(), number, origin, scope: scope.to_owned() };
    let from = named.number.unwrap_or(0);
    let mut after = match &named.cursor {
        Some((number, origin, scope)) => key(*number, *origin, scope),
        None => key(from, Origin::Recipient, ""),
    };
    let mut found = Vec::new();
    loop {
        let rows = archive.suppressions(Some(&after), EXPORT_ROWS)?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.key.clone();
        for row in rows {
            if row.key.account != account || named.number.is_some_and(|number| row.key.number != number) {
                return Ok(found);
            }
            let fits = named.origin.is_none_or(|origin| row.key.origin == origin)
                && named.scope.as_ref().is_none_or(|scope| row.key.scope == *scope);
            if fits {
                found.push(row);
            }
            if found.len() == size {
                return Ok(found);
            }
        }
    }
}

/// Takes opt-outs of one number back: the customer's own, or with `origin=recipient` those the recipient sent.
pub(super) async fn delete(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), KeyScope::Send)?;
    let mut named = named(request.uri().query())?;
    if named.number.is_none() || named.limit.is_some() || named.cursor.is_some() {
        return Err(Problem::query("number", "expected number, and scope and origin if not all of the customer's are meant"));
    }
    named.origin = named.origin.or(Some(Origin::Customer));
    let account = caller.name().to_owned();
    let rows = api.engine.reader.call(move |archive| page(archive, &account, &named, MANY_MAX)).await?;
    let removed = rows.len();
    if removed > 0 {
        api.engine.say(rows.into_iter().map(|row| PersonChange::Lift(row.key)).collect()).await?;
    }
    Ok(json(StatusCode::OK, &document!({ "removed": removed })))
}

/// All opt-outs of the account, a line each, as JSON.
pub(super) async fn export(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), KeyScope::Read)?;
    query::none(request.uri().query())?;
    let account = caller.name().to_owned();
    let first = SuppressionKey { account: account.clone(), number: 0, origin: Origin::Recipient, scope: String::new() };
    let lines = futures_util::stream::unfold(Some(first), move |after| {
        let (api, account) = (api.clone(), account.clone());
        async move {
            let after = after?;
            let read = api.engine.reader.call(move |archive| archive.suppressions(Some(&after), EXPORT_ROWS)).await;
            match read {
                Ok(rows) => {
                    let mine: Vec<&Suppression> = rows.iter().take_while(|row| row.key.account == account).collect();
                    let next = if mine.len() == EXPORT_ROWS { mine.last().map(|row| row.key.clone()) } else { None };
                    let mut out = Vec::with_capacity(mine.len() * 160);
                    for row in mine {
                        serde_json::to_writer(&mut out, &View::of(row)).expect("documents of ours are JSON");
                        out.push(b'\n');
                    }
                    Some((Ok(plain(out)), next))
                }
                // The body breaks off, so that nobody takes a part for the whole.
                Err(fault) => {
                    tracing::error!(%fault, "an export of opt-outs cannot go on");
                    Some((Err(std::io::Error::other("the archive cannot be read")), None))
                }
            }
        }
    });
    Ok(with(StatusCode::OK, "application/x-ndjson", Body::from_stream(lines)))
}

#[derive(Serialize)]
struct Page<'a> {
    suppressions: Vec<View<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct View<'a> {
    number: String,
    scope: &'a str,
    origin: &'static str,
    classes: Vec<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    since: String,
}

impl View<'_> {
    fn of(row: &Suppression) -> View<'_> {
        let classes = Class::ALL.iter().filter(|class| row.classes & EVERY_CLASS & (1 << class.priority()) != 0);
        View {
            number: format!("+{}", row.key.number),
            scope: &row.key.scope,
            origin: match row.key.origin {
                Origin::Recipient => "recipient",
                Origin::Customer => "customer",
            },
            classes: classes.map(|class| class.word()).collect(),
            source: &row.source,
            reason: &row.reason,
            since: row.since.rfc3339(),
        }
    }
}

fn write_cursor(key: &SuppressionKey) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}.{}", key.number, key.origin as u8, key.scope))
}

fn read_cursor(text: &str) -> Option<(u64, Origin, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let mut parts = text.splitn(3, '.');
    let (number, origin, scope) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    Some((number, Origin::from_number(origin)?, scope.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let key = SuppressionKey { account: "shop".into(), number: 33_612_345_678, origin: Origin::Customer, scope: "sender:a.b".into() };
        assert_eq!(read_cursor(&write_cursor(&key)), Some((key.number, key.origin, key.scope)));
        for text in ["", "!", "MQ", "MS41LmFsbA"] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }

    #[test]
    fn an_entry_says_what_is_wrong_with_it() {
        let entry = |text: &str| serde_json::from_str::<Entry>(text).expect("JSON").row("shop", "api", Time(5));
        let row = entry(r#"{"number":"+33 6 12 34 56 78","scope":"sender:Shop","reason":"letter"}"#).expect("a row");
        assert_eq!(
            (row.key.number, row.key.scope.as_str(), row.source.as_str(), row.since),
            (33_612_345_678, "sender:SHOP", "api", Time(5))
        );
        for (text, field) in [
            (r#"{"number":"0612345678"}"#, "number"),
            (r#"{"number":"+33612345678","scope":"planet:mars"}"#, "scope"),
            (r#"{"number":"+33612345678","since":"yesterday"}"#, "since"),
            (r#"{"number":"+33612345678","reason":"a\u0000"}"#, "reason"),
        ] {
            assert_eq!(entry(text).expect_err(text).1, field);
        }
        for text in ["{}", r#"{"number":1}"#, r#"{"number":"1","who":"me"}"#, r#"{"number":"1","number":"2"}"#] {
            assert!(serde_json::from_str::<Entry>(text).is_err(), "{text}");
        }
    }
}
