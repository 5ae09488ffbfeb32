//! The body that moves a message: `send_at` or `send_after`, nothing else.

use crate::base::{Span, Time};
use crate::pipeline::accept::desk::{trim_json, utf8};
use crate::pipeline::accept::draft::{Role, Values};
use crate::pipeline::accept::fault::{BodyFault, Code, Refusal};
use crate::pipeline::accept::fields::Field;
use crate::pipeline::accept::object;
use crate::pipeline::accept::when::when;

/// The instant a body asks for at `now`; `now` or a little before it for at once.
///
/// # Errors
/// As for the fields of a message; `unknown_field` for its other fields, `missing_schedule` when it asks for nothing.
pub fn moved(body: &[u8], now: Time) -> Result<Time, BodyFault> {
    read(body, now).map_err(|refusal| BodyFault::at("", refusal))
}

fn read(body: &[u8], now: Time) -> Result<Time, Refusal> {
    let text = trim_json(utf8(body)?);
    let mut values = Values::default();
    let end = object::read(text, &mut values, &mut String::new(), Role::Entry)?;
    if end != text.len() {
        return Err(Refusal::new(Code::MalformedJson, "", "there is something after the object"));
    }
    if let Some(field) = values.given_beside(&[Field::SendAt, Field::SendAfter]) {
        return Err(Refusal::new(Code::UnsupportedField, field.pointer(), "only send_at and send_after can be changed"));
    }
    if values.options.schedule.is_none() {
        return Err(Refusal::new(Code::MissingSchedule, "", "expected send_at or send_after"));
    }
    // Any lifetime: the message has its own already.
    let when = when(values.options.schedule, None, (Span::secs(1), Span::secs(1)), now)?;
    Ok(when.not_before.unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_moved_by_its_schedule_alone() {
        const NOW: Time = Time(1_800_000_000_000);
        let read = |body: &str| moved(body.as_bytes(), NOW).map_err(|fault| (fault.code, fault.pointer.into_owned()));
        assert_eq!(read(r#" {"send_after": "PT1H"} "#), Ok(Time(NOW.0 + 3_600_000)));
        assert_eq!(read(r#"{"send_at":"2027-01-15T10:00:00+01:00"}"#), Ok(Time(NOW.0 + 3_600_000)));
        assert_eq!(read(r#"{"send_after":"PT0S"}"#), Ok(NOW));
        for (body, code, pointer) in [
            ("{}", Code::MissingSchedule, ""),
            (r#"{"send_at":null}"#, Code::MissingSchedule, ""),
            (r#"{"send_at":"2027-01-15T10:00:00Z","send_after":"PT1H"}"#, Code::ConflictingFields, "/send_after"),
            (r#"{"send_after":"PT1H","text":"hi"}"#, Code::UnsupportedField, "/text"),
            (r#"{"send_after":"PT1H","class":"otp"}"#, Code::UnsupportedField, "/class"),
            (r#"{"sendat":"x"}"#, Code::UnknownField, "/sendat"),
            (r#"{"send_at":"2026-01-15T10:00:00Z"}"#, Code::ScheduleOutOfRange, "/send_at"),
            (r#"{"send_after":"PT1H"} x"#, Code::MalformedJson, ""),
            ("[]", Code::WrongType, ""),
        ] {
            assert_eq!(read(body), Err((code, pointer.to_owned())), "{body}");
        }
    }
}
