//! `GET /v1/messages`: by client reference, by recipient, by campaign, by bulk, or the newest; a page at a time.

use crate::api::caller::Caller;
use crate::api::message::{Found, Fullness, View, events_of, find};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::{BatchId, MessageId, MessageRef, Msisdn, Time};
use crate::config::Scope;
use crate::engine::erasures::Erasures;
use crate::message::Event;
use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Archive, StoreFault};
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Messages of one page.
pub(super) const LIMIT_MAX: usize = 100;
const LIMIT_USUAL: usize = 50;
/// Look-ups of one page: a hash that many share must not make one request endless.
const ROUNDS_MAX: usize = 8;

/// Lists messages.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    let wanted = Wanted::read(query::read(request.uri().query())?)?;
    let (account, now) = (caller.name().to_owned(), api.engine.world.now());
    let erasures = api.engine.erasures.clone();
    let page = api.engine.reader.call(move |archive| wanted.page((archive, &erasures), &account, now)).await?;
    page.map(|page| json(StatusCode::OK, &page)).ok_or(Problem::not_found())
}

/// How many a page has.
pub(super) fn limit(text: &str) -> Result<usize, Problem> {
    let number = text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
    number.ok_or(Problem::query("limit", "expected a whole number from 1 to 100"))
}

/// Where a page ends; opaque to callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    /// The list it belongs to.
    pub(super) list: u8,
    pub(super) id: u64,
    pub(super) ordinal: u32,
}

impl Cursor {
    pub(super) fn write(self) -> String {
        let mut octets = vec![self.list];
        octets.extend_from_slice(&self.id.to_be_bytes());
        octets.extend_from_slice(&self.ordinal.to_be_bytes());
        URL_SAFE_NO_PAD.encode(octets)
    }

    pub(super) fn read(text: &str, list: u8) -> Result<Cursor, Problem> {
        let octets: Option<[u8; 13]> = URL_SAFE_NO_PAD.decode(text).ok().and_then(|octets| octets.try_into().ok());
        let wrong = Problem::query("cursor", "expected what `next` of the page before says, for the same list");
        let Some([found, i0, i1, i2, i3, i4, i5, i6, i7, o0, o1, o2, o3]) = octets else { return Err(wrong) };
        if found != list {
            return Err(wrong);
        }
        Ok(Cursor { list, id: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]), ordinal: u32::from_be_bytes([o0, o1, o2, o3]) })
    }
}

const SEARCH: u8 = 1;
const NEWEST: u8 = 2;
const BULK: u8 = 3;

enum By {
    Reference(String),
    Recipient(Msisdn),
    Campaign(String),
    Batch(BatchId),
    Newest,
}

struct Wanted {
    by: By,
    limit: usize,
    after: Option<Cursor>,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<View>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What is stored, and what of it is not shown any more.
type Shown<'a> = (&'a dyn Archive, &'a Erasures);

impl Wanted {
    fn read(pairs: Vec<(String, String)>) -> Result<Wanted, Problem> {
        let (mut by, mut size, mut cursor) = (None, None, None);
        for (name, value) in pairs {
            let found = match &*name {
                "client_ref" => By::Reference(value),
                "to" => By::Recipient(Msisdn::parse(&value).map_err(|_| Problem::query("to", "expected a number with its country code"))?),
                "campaign" => By::Campaign(value),
                "batch" => By::Batch(value.parse().map_err(|()| Problem::query("batch", "expected the id of a bulk"))?),
                "limit" if size.is_none() => {
                    size = Some(limit(&value)?);
                    continue;
                }
                "cursor" if cursor.is_none() => {
                    cursor = Some(value);
                    continue;
                }
                _ => return Err(Problem::query("", "expected one of client_ref, to, campaign, batch, and limit and cursor, each once")),
            };
            if by.replace(found).is_some() {
                return Err(Problem::query("", "expected only one of client_ref, to, campaign, batch"));
            }
        }
        let by = by.unwrap_or(By::Newest);
        let list = match by {
            By::Reference(_) | By::Recipient(_) | By::Campaign(_) => SEARCH,
            By::Batch(_) => BULK,
            By::Newest => NEWEST,
        };
        let after = cursor.map(|text| Cursor::read(&text, list)).transpose()?;
        Ok(Wanted { by, limit: size.unwrap_or(LIMIT_USUAL), after })
    }

    /// `None` when the bulk is not the account's.
    fn page(&self, (archive, erasures): Shown<'_>, account: &str, now: Time) -> Result<Option<Page>, StoreFault> {
        let (found, next) = match &self.by {
            By::Reference(reference) => {
                let key = search_key(SearchKind::Reference, account, reference);
                self.search((archive, erasures), account, key, |found| found.record.reference() == reference)?
            }
            By::Recipient(to) => {
                let mut buffer = [0; 15];
                let digits = std::str::from_utf8(to.digits(&mut buffer)).expect("digits are ASCII");
                let key = search_key(SearchKind::Recipient, account, digits);
                self.search((archive, erasures), account, key, |found| found.record.recipient() == *to)?
            }
            By::Campaign(campaign) => {
                let key = search_key(SearchKind::Campaign, account, campaign);
                self.search((archive, erasures), account, key, |found| found.record.campaign() == campaign)?
            }
            By::Batch(batch) => {
                if archive.batch(*batch)?.is_none_or(|row| row.account != account) {
                    return Ok(None);
                }
                self.bulk((archive, erasures), *batch)?
            }
            By::Newest => self.newest((archive, erasures), account)?,
        };
        // The only one of its frame that is shown needs no more than its own story.
        let mut alone: BTreeMap<MessageId, Option<u32>> = BTreeMap::new();
        found.iter().for_each(|one| _ = alone.entry(one.at.frame).and_modify(|one| *one = None).or_insert(Some(one.at.ordinal)));
        let mut events: BTreeMap<MessageId, Vec<Event>> = BTreeMap::new();
        let mut messages = Vec::with_capacity(found.len());
        for one in found {
            let of_frame = match events.entry(one.at.frame) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(events_of(archive, one.at.frame, alone[&one.at.frame])?),
            };
            messages.push(one.view(of_frame, Fullness::Line, now));
        }
        Ok(Some(Page { messages, next: next.map(Cursor::write) }))
    }

    fn search(
        &self,
        (archive, erasures): Shown<'_>,
        account: &str,
        key: u64,
        is_meant: impl Fn(&Found) -> bool,
    ) -> Result<(Vec<Found>, Option<Cursor>), StoreFault> {
        let (mut found, mut before) = (Vec::new(), self.after.map(|cursor| MessageId(cursor.id)));
        for _ in 0..ROUNDS_MAX {
            // One more than wanted: whether there is another page is then known.
            let wanted = self.limit - found.len() + 1;
            let ids = archive.search(key, before, wanted)?;
            let is_last = ids.len() < wanted;
            for id in ids {
                if found.len() == self.limit {
                    return Ok((found, before.map(|id| Cursor { list: SEARCH, id: id.0, ordinal: 0 })));
                }
                before = Some(id);
                // Another message may share the hash.
                found.extend(find(archive, id, account, erasures)?.filter(&is_meant));
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, before.map(|id| Cursor { list: SEARCH, id: id.0, ordinal: 0 })))
    }

    fn newest(&self, (archive, erasures): Shown<'_>, account: &str) -> Result<(Vec<Found>, Option<Cursor>), StoreFault> {
        let before = self.after.map(|cursor| MessageId(cursor.id));
        let mut found = Vec::new();
        for head in archive.frames_of_account(account, before, self.limit + 1)? {
            let Some(frame) = archive.frame(head.first)? else { continue };
            for ordinal in (0..head.count).rev() {
                let at = MessageRef { frame: head.first, ordinal };
                if before.is_some_and(|before| at.id() >= before) {
                    continue;
                }
                if found.len() == self.limit {
                    let last = found.last().map(|last: &Found| Cursor { list: NEWEST, id: last.at.id().0, ordinal: 0 });
                    return Ok((found, last));
                }
                found.extend(Found::new(at, frame.clone(), erasures));
            }
        }
        Ok((found, None))
    }

    fn bulk(&self, (archive, erasures): Shown<'_>, batch: BatchId) -> Result<(Vec<Found>, Option<Cursor>), StoreFault> {
        // The frame in which the page before ended is looked at again.
        let after = self.after.map(|cursor| (MessageId(cursor.id), cursor.ordinal));
        let mut found = Vec::new();
        for head in archive.frames_of_batch(batch, after.map(|(frame, _)| MessageId(frame.0.saturating_sub(1))), self.limit + 2)? {
            let from = after.filter(|(frame, _)| *frame == head.first).map_or(0, |(_, ordinal)| ordinal.saturating_add(1));
            if from >= head.count {
                continue;
            }
            let Some(frame) = archive.frame(head.first)? else { continue };
            for ordinal in from..head.count {
                if found.len() == self.limit {
                    let last = found.last().map(|last: &Found| Cursor { list: BULK, id: last.at.frame.0, ordinal: last.at.ordinal });
                    return Ok((found, last));
                }
                found.extend(Found::new(MessageRef { frame: head.first, ordinal }, frame.clone(), erasures));
            }
        }
        Ok((found, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let cursor = Cursor { list: BULK, id: u64::MAX - 7, ordinal: 4_095 };
        assert_eq!(Cursor::read(&cursor.write(), BULK), Ok(cursor));
        assert!(Cursor::read(&cursor.write(), SEARCH).is_err());
        for wrong in ["", "AAAA", "!", &"A".repeat(1_000)] {
            assert!(Cursor::read(wrong, BULK).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_has_one_filter_and_known_parameters() {
        let read = |pairs: &[(&str, &str)]| {
            Wanted::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).is_ok()
        };
        assert!(read(&[]) && read(&[("to", "+33612345678"), ("limit", "100")]));
        for wrong in [
            &[("to", "0612345678")][..],
            &[("to", "+33612345678"), ("client_ref", "a")],
            &[("campaign", "xmas"), ("client_ref", "a")],
            &[("batch", "msg_0000000000001")],
            &[("limit", "0")],
            &[("limit", "101")],
            &[("limit", "1"), ("limit", "1")],
            &[("status", "sent")],
        ] {
            assert!(!read(wrong), "{wrong:?}");
        }
    }
}
