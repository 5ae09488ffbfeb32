//! The body that changes when a message may go: `send_at` or `send_after`, `expires_at` or `expires_in`, nothing else.

use crate::base::{Span, Time};
use crate::message::event::Moved;
use crate::pipeline::accept::desk::{trim_json, utf8};
use crate::pipeline::accept::draft::{Role, Values};
use crate::pipeline::accept::fault::{BodyFault, Code, Refusal};
use crate::pipeline::accept::fields::Field;
use crate::pipeline::accept::object;
use crate::pipeline::accept::options::{Expiry, Schedule};
use crate::pipeline::accept::when::when;

/// What may be changed.
const CHANGEABLE: [Field; 4] = [Field::SendAt, Field::SendAfter, Field::ExpiresAt, Field::ExpiresIn];

/// What a body asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    schedule: Option<Schedule>,
    expiry: Option<Expiry>,
}

/// How a message stands that is to be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The instant before which it does not go.
    pub not_before: Option<Time>,
    /// The instant from which on it is too late.
    pub expires: Time,
}

impl Move {
    /// Reads a body.
    ///
    /// # Errors
    /// As for the fields of a message; `unsupported_field` for its other fields, `missing_schedule` when it asks for nothing.
    pub fn read(body: &[u8]) -> Result<Move, BodyFault> {
        read(body).map_err(|refusal| BodyFault::at("", refusal))
    }

    /// What it changes at `now`, for an account that allows lifetimes up to `longest`: an instant and an expiry that are
    /// not asked for stay. A lifetime counts from the instant the message is scheduled for.
    ///
    /// # Errors
    /// `schedule_out_of_range`, `lifetime_out_of_range`, `conflicting_fields`.
    pub fn of(self, standing: Standing, longest: Span, now: Time) -> Result<Moved, Refusal> {
        let Move { schedule, expiry } = self;
        let wanted = schedule.or(standing.not_before.filter(|at| *at > now).map(Schedule::At));
        // Without an expiry any lifetime: the message has its own.
        let lifetimes = if expiry.is_some() { (longest, longest) } else { (Span::secs(1), Span::secs(1)) };
        let when = when(wanted, expiry, lifetimes, now)?;
        let due = schedule.map(|_| when.not_before.unwrap_or(now));
        let expires = expiry.map(|_| now.after(when.lifetime));
        if expires.is_none() && due.is_some_and(|due| due >= standing.expires) {
            let detail = format!("it lives until {}; give expires_at or expires_in with it", standing.expires.rfc3339());
            return Err(Refusal::new(Code::LifetimeOutOfRange, "", detail));
        }
        Ok(Moved { due, expires })
    }
}

fn read(body: &[u8]) -> Result<Move, Refusal> {
    let text = trim_json(utf8(body)?);
    let mut values = Values::default();
    let end = object::read(text, &mut values, &mut String::new(), Role::Entry)?;
    if end != text.len() {
        return Err(Refusal::new(Code::MalformedJson, "", "there is something after the object"));
    }
    if let Some(field) = values.given_beside(&CHANGEABLE) {
        let detail = "only send_at, send_after, expires_at and expires_in can be changed: cancel it and send another";
        return Err(Refusal::new(Code::UnsupportedField, field.pointer(), detail));
    }
    let (schedule, expiry) = (values.options.schedule, values.options.expiry);
    if schedule.is_none() && expiry.is_none() {
        return Err(Refusal::new(Code::MissingSchedule, "", "expected send_at or send_after, expires_at or expires_in"));
    }
    Ok(Move { schedule, expiry })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_000);
    const HOUR: u64 = 3_600;

    /// Hours from now.
    fn at(hours: u64) -> Time {
        NOW.after(Span::secs(hours * HOUR))
    }

    fn moved(body: &str, not_before: Option<Time>) -> Result<Moved, (Code, String)> {
        let standing = Standing { not_before, expires: at(48) };
        Move::read(body.as_bytes())
            .map_err(|fault| (fault.code, fault.pointer.into_owned()))?
            .of(standing, Span::secs(72 * HOUR), NOW)
            .map_err(|refusal| (refusal.code, refusal.pointer.into_owned()))
    }

    #[test]
    fn a_message_is_moved_by_its_schedule_and_its_expiry_and_nothing_else() {
        let read = |body: &str| moved(body, None);
        let due = |due| Ok(Moved { due: Some(due), expires: None });
        assert_eq!(read(r#" {"send_after": "PT1H"} "#), due(at(1)));
        assert_eq!(read(r#"{"send_at":"2027-01-15T10:00:00+01:00"}"#), due(at(1)));
        assert_eq!(read(r#"{"send_after":"PT0S"}"#), due(NOW));
        for (body, code, pointer) in [
            ("{}", Code::MissingSchedule, ""),
            (r#"{"send_at":null}"#, Code::MissingSchedule, ""),
            (r#"{"send_at":"2027-01-15T10:00:00Z","send_after":"PT1H"}"#, Code::ConflictingFields, "/send_after"),
            (r#"{"send_after":"PT1H","text":"hi"}"#, Code::UnsupportedField, "/text"),
            (r#"{"send_after":"PT1H","class":"otp"}"#, Code::UnsupportedField, "/class"),
            (r#"{"sendat":"x"}"#, Code::UnknownField, "/sendat"),
            (r#"{"send_at":"2026-01-15T10:00:00Z"}"#, Code::ScheduleOutOfRange, "/send_at"),
            (r#"{"send_after":"PT48H"}"#, Code::LifetimeOutOfRange, ""),
            (r#"{"send_after":"PT1H"} x"#, Code::MalformedJson, ""),
            ("[]", Code::WrongType, ""),
        ] {
            assert_eq!(read(body), Err((code, pointer.to_owned())), "{body}");
        }
    }

    #[test]
    fn a_lifetime_that_is_set_anew_counts_from_the_instant_it_is_scheduled_for_and_has_the_accounts_bound() {
        let both = |due: Option<u64>, expires| Ok(Moved { due: due.map(at), expires: Some(at(expires)) });
        let refused = |code, pointer: &str| Err((code, pointer.to_owned()));
        for (body, not_before, expected) in [
            (r#"{"send_after":"PT100H","expires_in":3600}"#, None, both(Some(100), 101)),
            (r#"{"send_after":"PT100H","expires_in":259200}"#, None, both(Some(100), 172)),
            (r#"{"send_after":"PT100H","expires_in":259201}"#, None, refused(Code::LifetimeOutOfRange, "/expires_in")),
            (r#"{"expires_in":3600}"#, None, both(None, 1)),
            (r#"{"expires_in":3600}"#, Some(at(5)), both(None, 6)),
            (r#"{"expires_in":3600}"#, Some(NOW), both(None, 1)),
            (r#"{"expires_at":"2027-01-15T20:00:00Z"}"#, Some(at(5)), both(None, 12)),
            (r#"{"expires_at":"2027-01-15T13:00:00Z"}"#, Some(at(5)), refused(Code::ConflictingFields, "/expires_at")),
            (r#"{"expires_at":"2027-01-15T07:00:00Z"}"#, None, refused(Code::LifetimeOutOfRange, "/expires_at")),
            (r#"{"send_after":"PT0S","expires_in":60}"#, Some(at(5)), Ok(Moved { due: Some(NOW), expires: Some(Time(NOW.0 + 60_000)) })),
        ] {
            assert_eq!(moved(body, not_before), expected, "{body}");
        }
    }
}
