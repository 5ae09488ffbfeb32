//! `POST /v1/cancel`: everything that has not left of a chain, a reference, a recipient or a campaign. Found by the journal's search,
//! newest first, so many as one call may look at; the counts say what became of each, and `next` where another call goes on.
//! Repeating it does no harm: what is canceled stays so.

use crate::api::caller::Caller;
use crate::api::list::Cursor;
use crate::api::message::{Found, events_of, find};
use crate::api::problem::{Problem, Spot};
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::{Api, Customer};
use crate::api::upload::{Upload, media};
use crate::base::{MessageId, Msisdn};
use crate::config::Scope;
use crate::engine::erasures::Erasures;
use crate::message::{Event, Status};
use crate::pipeline::accept::{Code, Format, Refusal, is_param_name, recipient};
use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Archive, StoreFault};
use axum::extract::Request;
use futures_util::future::join_all;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Messages canceled at once: they share a commit, and a shard's mailbox is never full of them.
const TOGETHER: usize = 64;
/// Longest key or reference, in characters.
const CHARS_MAX: usize = 64;

/// Cancels what a selector finds.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "expected application/json"));
    }
    let mut upload = Upload::new(&api, request.into_body(), api.config().http.line_bytes_max, None)?;
    let body = upload.whole(&api, coding).await?;
    let selector = Arc::new(Selector::read(&body, caller.customer())?);
    let counts = revoke(&api, caller.name(), selector).await?;
    Ok(json(StatusCode::OK, &counts))
}

/// What became of the messages that were found. `canceled`, `already_canceled` and `too_late` add up to `found`.
#[derive(Serialize, Default)]
struct Counts {
    found: u32,
    canceled: u32,
    already_canceled: u32,
    too_late: u32,
    /// Whether there may be others, beyond what one call looks at.
    more: bool,
    /// The `cursor` of the call that looks at those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Its cursors are for no list.
const REVOKED: u8 = 4;

async fn revoke(api: &Arc<Api>, account: &str, selector: Arc<Selector>) -> Result<Counts, Problem> {
    let mut counts = Counts::default();
    let (mut left, mut before) = (api.config().http.cancel_messages_max as usize, selector.before);
    loop {
        if left == 0 {
            counts.more = true;
            counts.next = before.map(|id| Cursor { list: REVOKED, id: id.0, ordinal: 0 }.write());
            return Ok(counts);
        }
        let (wanted, by, owner, erasures) = (left.min(TOGETHER), selector.clone(), account.to_owned(), api.engine.erasures.clone());
        let page = api.engine.reader.call(move |archive| by.page((archive, &erasures), &owner, before, wanted)).await?;
        let asked = join_all(page.found.into_iter().map(|found| cancel(api, found))).await;
        let mut late = Vec::new();
        for outcome in asked {
            let (found, is_canceled) = outcome?;
            counts.found += 1;
            if is_canceled { counts.canceled += 1 } else { late.push(found) }
        }
        if !late.is_empty() {
            let (canceled, count) = (api.engine.reader.call(move |archive| canceled_of(archive, &late)).await?, counts.found);
            counts.already_canceled += canceled;
            counts.too_late = count - counts.canceled - counts.already_canceled;
        }
        left -= page.looked_at.min(left);
        before = page.last;
        if page.is_end {
            return Ok(counts);
        }
    }
}

/// Asks the message's shard. One whose carrier is not configured any more cannot be reached: it does not go either.
async fn cancel(api: &Api, found: Found) -> Result<(Found, bool), Problem> {
    let carrier = &found.frame.head.lane.carrier;
    if !api.carriers.contains(carrier) {
        return Ok((found, false));
    }
    let is_canceled = api.engine.cancel(carrier, found.at).await?;
    Ok((found, is_canceled))
}

/// How many of these were canceled before.
fn canceled_of(archive: &dyn Archive, late: &[Found]) -> Result<u32, StoreFault> {
    let mut events: BTreeMap<MessageId, Vec<Event>> = BTreeMap::new();
    let mut canceled = 0;
    for found in late {
        let of_frame = match events.entry(found.at.frame) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(events_of(archive, found.at.frame, None)?),
        };
        canceled += u32::from(found.life(of_frame).status == Status::Canceled);
    }
    Ok(canceled)
}

/// Which messages: those that have all that is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Selector {
    cancel_key: Option<String>,
    client_ref: Option<String>,
    to: Option<Msisdn>,
    campaign: Option<String>,
    /// Only those with an id below this one: where a call before ended.
    before: Option<MessageId>,
}

/// Some of what was found.
struct Page {
    found: Vec<Found>,
    /// How many the search gave, others of the same hash included.
    looked_at: usize,
    last: Option<MessageId>,
    is_end: bool,
}

impl Selector {
    fn read(body: &[u8], customer: &Customer) -> Result<Selector, Problem> {
        let fields: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| Problem::new(Code::MalformedJson, "expected an object with cancel_key, client_ref, to or campaign"))?;
        let mut selector = Selector::default();
        for (name, value) in fields {
            let wrong = |code, detail| {
                let pointer = if is_param_name(&name) { format!("/{name}") } else { String::new() };
                Problem { spot: Spot::Body(pointer.into()), ..Problem::new(code, detail) }
            };
            let text = match value {
                Value::Null => continue,
                Value::String(text) if (1..=CHARS_MAX).contains(&text.chars().count()) => text,
                Value::String(_) => return Err(wrong(Code::OutOfRange, "expected 1 to 64 characters")),
                _ => return Err(wrong(Code::WrongType, "expected a string")),
            };
            match &*name {
                "cancel_key" => selector.cancel_key = Some(text),
                "client_ref" => selector.client_ref = Some(text),
                "campaign" => selector.campaign = Some(text),
                "cursor" => {
                    let cursor = Cursor::read(&text, REVOKED);
                    selector.before = Some(MessageId(cursor.map_err(|_| wrong(Code::InvalidValue, "expected what `next` said"))?.id));
                }
                "to" => selector.to = Some(recipient(Some(&text), customer.rules.country_of())?),
                _ => return Err(wrong(Code::UnknownField, "expected cancel_key, client_ref, to or campaign, and cursor")),
            }
        }
        if selector == (Selector { before: selector.before, ..Selector::default() }) {
            return Err(Refusal::new(Code::MissingSelector, "", "expected cancel_key, client_ref, to or campaign").into());
        }
        Ok(selector)
    }

    /// The key that finds the fewest.
    fn key(&self, account: &str) -> u64 {
        if let Some(key) = &self.cancel_key {
            return search_key(SearchKind::CancelKey, account, key);
        }
        if let Some(reference) = &self.client_ref {
            return search_key(SearchKind::Reference, account, reference);
        }
        if let Some(to) = self.to {
            let mut buffer = [0; 15];
            let digits = std::str::from_utf8(to.digits(&mut buffer)).expect("digits are ASCII");
            return search_key(SearchKind::Recipient, account, digits);
        }
        search_key(SearchKind::Campaign, account, self.campaign.as_deref().unwrap_or_default())
    }

    fn is_met(&self, found: &Found) -> bool {
        let record = &found.record;
        let is = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
        is(&self.cancel_key, record.cancel_key())
            && is(&self.client_ref, record.reference())
            && is(&self.campaign, record.campaign())
            && self.to.is_none_or(|to| to == record.recipient())
    }

    fn page(
        &self,
        (archive, erasures): (&dyn Archive, &Erasures),
        account: &str,
        before: Option<MessageId>,
        wanted: usize,
    ) -> Result<Page, StoreFault> {
        let ids = archive.search(self.key(account), before, wanted)?;
        let mut page = Page { found: Vec::new(), looked_at: ids.len(), last: ids.last().copied(), is_end: ids.len() < wanted };
        for id in ids {
            // Another message may share the hash, and one of another account too.
            page.found.extend(find(archive, id, account, erasures)?.filter(|found| self.is_met(found)));
        }
        Ok(page)
    }
}
