//! Why a request or one of its entries is refused: one stable slug for each reason, the same in problem documents
//! (RFC 9457), in results per line and in metrics. Codes of later stages are here too, so that the API has one list.
//!
//! No code, pointer or detail holds a value the customer sent (INV-36): they reach logs and screens.

use std::borrow::Cow;

macro_rules! codes {
    ($($name:ident $slug:literal $status:literal $again:ident $advice:literal)*) => {
        /// A reason to refuse. The comment of each is the advice the customer reads.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $(#[doc = $advice] $name),*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The stable word, as the API shows it.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Code::$name => $slug),* }
            }

            /// The HTTP status when the whole request is refused for it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status),* }
            }

            /// How to mend it, in one line.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Code::$name => $advice),* }
            }

            /// Whether the same request is refused again, however often it is sent.
            #[must_use]
            pub const fn is_permanent(self) -> bool {
                match self { $(Code::$name => codes!(@ $again)),* }
            }
        }
    };
    (@ never) => { true };
    (@ later) => { false };
}

codes! {
    // The body as a whole.
    MalformedJson "malformed_json" 400 never "Send valid JSON (RFC 8259): quotes, commas and brackets must match."
    TruncatedBody "truncated_body" 400 later "The body ended too early; send the whole of it again."
    InvalidUtf8 "invalid_utf8" 400 never "Send UTF-8; other encodings are not read."
    PayloadTooLarge "payload_too_large" 413 never "Send less in one request."
    TooManyLines "too_many_lines" 413 never "Split the list over several requests."
    LineTooLong "line_too_long" 413 never "Shorten the entry; a line has an upper length."
    UnsupportedMediaType "unsupported_media_type" 415 never "Use application/json, application/x-ndjson or text/csv, in UTF-8."
    UnsupportedEncoding "unsupported_encoding" 415 never "Use gzip, zstd or no compression, one layer of it."
    DecompressionLimit "decompression_limit" 413 never "The body expands too much; send it with less compression or in parts."
    BadCompression "bad_compression" 400 never "The compressed body is damaged; compress and send it again."
    BadCsvHeader "bad_csv_header" 400 never "The first line names the columns: `to`, message fields, and parameters of the text, each once."
    MalformedCsv "malformed_csv" 400 never "Put cells with quotes, delimiters or line ends in quotes and double the quotes inside (RFC 4180)."
    ColumnCount "column_count" 400 never "Give each line as many cells as the header has."
    DefaultsAfterRecipients "defaults_after_recipients" 400 never "Put `defaults` before `recipients`: entries are read as they come."
    MissingRecipients "missing_recipients" 400 never "Give `recipients` or `messages`, a list."
    EmptyBatch "empty_batch" 400 never "Give at least one entry."
    TooDeep "too_deep" 400 never "Nest less: no field needs more than three levels."
    BadQuery "bad_query" 400 never "Correct the query parameters."
    BadIdempotencyKey "bad_idempotency_key" 400 never "Use 1 to 255 printable ASCII characters as Idempotency-Key."

    // The fields of an entry, as they are written.
    UnknownField "unknown_field" 400 never "Remove or correct the name of the field."
    UnsupportedField "unsupported_field" 400 never "Leave the field out; this release does not carry it out."
    DuplicateField "duplicate_field" 400 never "Give each field once."
    ConflictingFields "conflicting_fields" 400 never "Give only one of the fields that exclude each other."
    TooManyKeys "too_many_keys" 400 never "Give at most 64 parameters."
    WrongType "wrong_type" 400 never "Give the value in the type the field has."
    InvalidValue "invalid_value" 422 never "Give one of the values the field allows."
    OutOfRange "out_of_range" 422 never "Give a value within the allowed range."
    TooLong "too_long" 422 never "Shorten the value."
    InvalidUnicode "invalid_unicode" 400 never "Write characters beyond U+FFFF as both halves of the surrogate pair, or as they are."
    ControlCharacter "control_character" 422 never "Remove control characters."
    InvalidParamName "invalid_param_name" 400 never "Name parameters with a letter or `_`, then letters, digits, `_`, `.` or `-`; at most 64."
    UnsupportedChannel "unsupported_channel" 422 never "Use the channel `sms`, the only one of this release."

    // What an entry means.
    MissingTo "missing_to" 422 never "Give the recipient in `to`."
    InvalidNumber "invalid_number" 422 never "Give the number with its country code, such as +33612345678."
    MissingText "missing_text" 422 never "Give `text`, in the entry or in the defaults."
    EmptyText "empty_text" 422 never "Give a text that is not empty."
    MissingSender "missing_sender" 422 never "Give `from`; the account has no sender of its own."
    InvalidSender "invalid_sender" 422 never "Use 3 to 15 digits, or 1 to 11 letters, digits and spaces with a letter among them."
    SenderNotAllowed "sender_not_allowed" 403 never "Use a sender that is registered for the account."
    ProtocolNotAllowed "protocol_not_allowed" 403 never "Leave `protocol_id` out, or ask the operator to allow it."
    LifetimeOutOfRange "lifetime_out_of_range" 422 never "Let the message live at least a second and at most as long as the account allows."
    ScheduleOutOfRange "schedule_out_of_range" 422 never "Give an instant that is not over and at most 800 days ahead."
    UnknownTimeZone "unknown_time_zone" 422 never "Use a name of the IANA database, such as Europe/Paris."
    SenderNotAccepted "sender_not_accepted" 422 never "Use a sender that arrives in the recipient's country."
    MissingParam "missing_param" 422 never "Give a value for each parameter of the text."
    TemplateError "template_error" 422 never "Correct the holes of the text: `{{name}}`."
    TooManySegments "too_many_segments" 422 never "Shorten the text or raise `max_segments`."
    NotGsm7 "not_gsm7" 422 never "Remove the characters GSM-7 does not have, or use the encoding `auto`."
    PriceExceeded "price_exceeded" 422 never "Raise `max_price`, or shorten the text; without it nothing is asked about prices."
    NoRoute "no_route" 422 never "No carrier serves this number; ask the operator."

    MissingSchedule "missing_schedule" 422 never "Give `send_at`, `send_after`, `expires_at` or `expires_in`."

    // What forbids sending.
    OptedOut "opted_out" 422 never "The recipient has opted out; do not send."
    NoOpening "no_opening" 422 later "Let the message live until its rules are open, or give the recipient's time zone."
    FrequencyCap "frequency_cap" 422 later "The recipient has had as many as the account's cap allows; send later."
    DuplicateContent "duplicate_content" 422 later "The recipient has had this very text; send another, or later."
    NotNow "not_now" 422 later "It may not go within its lifetime; send later."

    // The request and its caller.
    MissingSelector "missing_selector" 422 never "Say which messages: by `cancel_key`, `client_ref`, `to` or `campaign`."
    Unauthorized "unauthorized" 401 never "Give a valid API key."
    Forbidden "forbidden" 403 never "Use a key that may do this."
    NotFound "not_found" 404 never "Check the address; the account has nothing of that name."
    MethodNotAllowed "method_not_allowed" 405 never "Use one of the methods in the Allow header."
    RequestTimeout "request_timeout" 408 later "Send the body without long pauses."
    IdempotencyInProgress "idempotency_in_progress" 409 later "The first request with this key is still running; ask again."
    BatchClosed "batch_closed" 409 never "The batch is finished; open another."
    TooLate "too_late" 409 never "The message is on its way; it cannot be called back."
    RulesRefused "rules_refused" 422 never "Correct the file or the key that is named; the rules in use stay."
    IdempotencyMismatch "idempotency_mismatch" 422 never "Use a new Idempotency-Key for another body."
    TooManyRequests "too_many_requests" 429 later "Wait as long as Retry-After says."
    Internal "internal" 500 later "This is our mistake; try again and tell the operator."
    StoreFull "store_full" 503 later "The gateway has no room now; wait as long as Retry-After says."
    Overloaded "overloaded" 503 later "The gateway is busy; wait as long as Retry-After says."
    ShuttingDown "shutting_down" 503 later "The gateway is being stopped; try another node or wait."
}

/// Where entries come from; decides how a pointer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The body is the entry.
    Single,
    /// An element of `recipients`.
    Recipients,
    /// An element of `messages`.
    Messages,
    /// A line of NDJSON.
    Lines,
    /// A row of CSV.
    Rows,
}

impl Source {
    /// The JSON pointer (RFC 6901) in the body of what `relative` points to in the entry `line`. For NDJSON and CSV
    /// the line is not part of it: it is told beside the pointer.
    #[must_use]
    pub fn pointer(self, line: u32, relative: &str) -> String {
        match self {
            Source::Single | Source::Lines | Source::Rows => relative.to_owned(),
            Source::Recipients => format!("/recipients/{line}{relative}"),
            Source::Messages => format!("/messages/{line}{relative}"),
        }
    }
}

/// Why one entry is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .code.slug())]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// JSON pointer to the field, relative to the entry; empty for the entry itself.
    pub pointer: Cow<'static, str>,
    /// What was expected, in words; never what was sent.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of the field at `pointer`.
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, pointer: pointer.into(), detail: detail.into() }
    }
}

/// Why a request as a whole is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .code.slug())]
pub struct BodyFault {
    /// The reason.
    pub code: Code,
    /// JSON pointer into the body; empty for the whole.
    pub pointer: Cow<'static, str>,
    /// What was expected, in words; never what was sent.
    pub detail: Cow<'static, str>,
}

impl BodyFault {
    /// A fault at `pointer`.
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> BodyFault {
        BodyFault { code, pointer: pointer.into(), detail: detail.into() }
    }

    /// The refusal of something that is not an entry and lies at `base`.
    #[must_use]
    pub fn at(base: &str, refusal: Refusal) -> BodyFault {
        BodyFault { code: refusal.code, pointer: format!("{base}{}", refusal.pointer).into(), detail: refusal.detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slugs_are_different_and_in_snake_case() {
        let slugs: HashSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
        assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')));
    }

    #[test]
    fn statuses_are_of_errors_and_those_of_our_side_are_worth_another_try() {
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(code.status() < 500 || !code.is_permanent(), "{code:?}");
            assert!(code.advice().ends_with('.') || code.advice().ends_with("`."), "{code:?}");
        }
    }

    #[test]
    fn pointers_name_the_entry_where_the_body_is_one_document() {
        assert_eq!(Source::Recipients.pointer(17, "/to"), "/recipients/17/to");
        assert_eq!(Source::Messages.pointer(0, ""), "/messages/0");
        assert_eq!(Source::Lines.pointer(17, "/params/a"), "/params/a");
    }
}
