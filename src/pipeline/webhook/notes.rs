//! What an endpoint keeps in the journal: how far it has been told (`cursor`), since when it takes nothing
//! (`failing`), events set aside (`parked/`) and given up (`dead/`). Keys and values; the courier reads and
//! writes them. A value that cannot be read is passed over: it was written by another version.

use crate::base::Time;
use crate::pipeline::webhook::body::push_event_id;
use crate::pipeline::webhook::tell::Telling;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A note to be written; `None` removes it.
pub type Note = (String, Option<Vec<u8>>);

/// Where all notes of an endpoint begin.
#[must_use]
pub fn prefix(endpoint: &str) -> String {
    format!("webhook/{endpoint}/")
}

/// The key of the position up to which everything is settled (u64, little endian).
#[must_use]
pub fn cursor_key(endpoint: &str) -> String {
    format!("webhook/{endpoint}/cursor")
}

/// The key of the instant since which nothing was taken (i64 milliseconds, little endian).
#[must_use]
pub fn failing_key(endpoint: &str) -> String {
    format!("webhook/{endpoint}/failing")
}

/// Where the dead letters of an endpoint begin; ascending keys are ascending in time.
#[must_use]
pub fn dead_prefix(endpoint: &str) -> String {
    format!("webhook/{endpoint}/dead/")
}

/// An event's place in the journal, as the end of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The log row.
    pub row: u64,
    /// The event in it.
    pub place: u32,
}

impl Place {
    /// Where a telling comes from.
    #[must_use]
    pub const fn of(telling: &Telling) -> Place {
        Place { row: telling.row, place: telling.place }
    }

    fn text(self) -> String {
        format!("{:020}-{:08}", self.row, self.place)
    }

    fn read(text: &str) -> Option<Place> {
        let (row, place) = text.split_once('-')?;
        Some(Place { row: row.parse().ok()?, place: place.parse().ok()? })
    }
}

/// The key of an event set aside.
#[must_use]
pub fn parked_key(endpoint: &str, place: Place) -> String {
    format!("webhook/{endpoint}/parked/{}", place.text())
}

/// The key of an event given up.
#[must_use]
pub fn dead_key(endpoint: &str, place: Place) -> String {
    format!("webhook/{endpoint}/dead/{}", place.text())
}

/// An event set aside, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParkedNote {
    /// When it was tried first.
    pub first: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// The event.
    pub telling: Telling,
}

#[derive(Deserialize)]
struct ParkedForm {
    first: i64,
    attempts: u32,
    message: u64,
    seq: u8,
    when: i64,
    event: Box<RawValue>,
}

impl ParkedNote {
    /// The value.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let Telling { message, seq, when, json, .. } = &self.telling;
        let head = format!(
            r#"{{"first":{},"attempts":{},"message":{message},"seq":{seq},"when":{},"event":"#,
            self.first.0, self.attempts, when.0
        );
        [head.as_bytes(), json, b"}"].concat()
    }

    fn read(place: Place, value: &[u8]) -> Option<ParkedNote> {
        let form: ParkedForm = serde_json::from_slice(value).ok()?;
        let telling = Telling {
            row: place.row,
            place: place.place,
            message: form.message,
            seq: form.seq,
            when: Time(form.when),
            json: Bytes::from(Box::<str>::from(form.event).into_string()),
        };
        Some(ParkedNote { first: Time(form.first), attempts: form.attempts, telling })
    }
}

/// An event given up, as it is kept and listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// Its place in the journal.
    pub place: Place,
    /// The event's id.
    pub id: String,
    /// When it was given up.
    pub at: Time,
    /// Why, in a few words.
    pub why: String,
    /// The event as it would have been sent: a JSON object.
    pub event: String,
}

#[derive(Deserialize)]
struct DeadForm {
    id: String,
    at: i64,
    why: String,
    event: Box<RawValue>,
}

impl DeadLetter {
    /// The value of the note about an event given up at `at`. `why` is plain words without quotes.
    #[must_use]
    pub fn write(telling: &Telling, at: Time, why: &str) -> Vec<u8> {
        let mut out = br#"{"id":""#.to_vec();
        push_event_id(telling.message, telling.seq, &mut out);
        out.extend_from_slice(format!(r#"","at":{},"why":"{why}","event":"#, at.0).as_bytes());
        out.extend_from_slice(&telling.json);
        out.push(b'}');
        out
    }

    /// Reads a note under `dead_prefix(endpoint)`; `None` for anything else.
    #[must_use]
    pub fn read(endpoint: &str, key: &str, value: &[u8]) -> Option<DeadLetter> {
        let place = Place::read(key.strip_prefix(&dead_prefix(endpoint))?)?;
        let form: DeadForm = serde_json::from_slice(value).ok()?;
        let event = Box::<str>::from(form.event).into_string();
        Some(DeadLetter { place, id: form.id, at: Time(form.at), why: form.why, event })
    }
}

/// The message, or message from a handset, a note about an event tells of; `None` for other notes.
#[must_use]
pub fn message_in(key: &str, value: &[u8]) -> Option<u64> {
    let (_, kind) = key.strip_prefix("webhook/")?.split_once('/')?;
    if kind.starts_with("parked/") {
        return serde_json::from_slice::<ParkedForm>(value).ok().map(|form| form.message);
    }
    if !kind.starts_with("dead/") {
        return None;
    }
    let form: DeadForm = serde_json::from_slice(value).ok()?;
    let (message, _) = form.id.strip_prefix("evt_")?.split_once('_')?;
    format!("msg_{message}").parse::<crate::base::MessageId>().ok().map(|id| id.0)
}

/// All notes of an endpoint, read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Notes {
    /// How far it was told; `None` for an endpoint that is new.
    pub cursor: Option<u64>,
    /// Since when it takes nothing.
    pub failing: Option<Time>,
    /// Events set aside, oldest first.
    pub parked: Vec<ParkedNote>,
    /// Events given up, oldest first.
    pub dead: Vec<Place>,
}

impl Notes {
    /// Reads what `Archive::notes(prefix(endpoint))` gave.
    #[must_use]
    pub fn read(endpoint: &str, notes: &[(String, Vec<u8>)]) -> Notes {
        let mut read = Notes::default();
        let prefix = prefix(endpoint);
        for (key, value) in notes {
            let Some(key) = key.strip_prefix(&prefix) else { continue };
            let eight = <[u8; 8]>::try_from(value.as_slice());
            match (key, key.split_once('/')) {
                ("cursor", _) => read.cursor = eight.ok().map(u64::from_le_bytes),
                ("failing", _) => read.failing = eight.ok().map(|ms| Time(i64::from_le_bytes(ms))),
                (_, Some(("parked", place))) => {
                    read.parked.extend(Place::read(place).and_then(|place| ParkedNote::read(place, value)));
                }
                (_, Some(("dead", place))) => read.dead.extend(Place::read(place)),
                _ => {}
            }
        }
        read.parked.sort_by_key(|parked| Place::of(&parked.telling));
        read.dead.sort_unstable();
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling() -> Telling {
        let json = Bytes::from_static(br#"{"type":"message.inbound","message":{"text":"a \"b\""}}"#);
        Telling { row: 77, place: 3, message: 64, seq: 2, when: Time(5), json }
    }

    #[test]
    fn every_note_is_read_as_it_was_written() {
        let parked = ParkedNote { first: Time(9), attempts: 4, telling: telling() };
        let place = Place { row: 77, place: 3 };
        let dead = DeadLetter::write(&telling(), Time(11), "answered 404");
        let notes = vec![
            (cursor_key("crm"), 12u64.to_le_bytes().to_vec()),
            (dead_key("crm", place), dead.clone()),
            (failing_key("crm"), 13i64.to_le_bytes().to_vec()),
            (parked_key("crm", place), parked.write()),
        ];
        assert!(notes.iter().all(|(key, _)| key.starts_with(&prefix("crm"))));
        let expect = Notes { cursor: Some(12), failing: Some(Time(13)), parked: vec![parked], dead: vec![place] };
        assert_eq!(Notes::read("crm", &notes), expect);
        let letter = DeadLetter::read("crm", &dead_key("crm", place), &dead).expect("a dead letter");
        assert_eq!((letter.id.as_str(), letter.at, letter.why.as_str()), ("evt_0000000000020_2", Time(11), "answered 404"));
        assert_eq!(letter.event.as_bytes(), telling().json);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let notes = [
            ("webhook/crm/cursor".into(), vec![1, 2]),
            ("webhook/crm/parked/7".into(), vec![]),
            ("webhook/crm/parked/7-1".into(), b"{}".to_vec()),
            ("webhook/crm/dead/x-y".into(), vec![]),
            ("webhook/other/cursor".into(), 1u64.to_le_bytes().to_vec()),
            ("webhook/crm/future".into(), vec![]),
        ];
        assert_eq!(Notes::read("crm", &notes), Notes::default());
        assert_eq!(DeadLetter::read("crm", "webhook/crm/dead/7-1", b"null"), None);
    }

    #[test]
    fn keys_sort_as_the_journal_does() {
        let key = |row, place| dead_key("crm", Place { row, place });
        assert!(key(9, 0) < key(10, 0) && key(10, 2) < key(10, 11) && key(10, 99) < key(11, 0));
    }
}
