//! From a draft to an accepted message: the recipient is a number, the sender has a form carriers take and belongs to
//! the account, there is a text, schedule and lifetime are allowed; what was not said comes from the account. The text
//! itself (holes, encoding, segments), the route and the law are for later stages.

use std::fmt;
use std::sync::Arc;

use crate::base::{Msisdn, Price, Span, Time};
use crate::config::{ProtocolId, Substitute, Transliterate};
use crate::directory::Atlas;
use crate::directory::hours::zone::no_such as no_such_zone;
use crate::message::content::{Class, DoubtPolicy};
use crate::message::late::Moment;
use crate::pipeline::accept::country::Country;
use crate::pipeline::accept::draft::{Draft, Params, Words};
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::fields::EXPIRES_IN_MAX;
use crate::pipeline::accept::form::Form;
use crate::pipeline::accept::form_check;
use crate::pipeline::accept::options::{Binding, EncodingChoice, Split};
use crate::pipeline::accept::recipient::recipient;
use crate::pipeline::accept::when::{When, when};

/// Which senders an account may use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Senders {
    /// Any that has the form of one.
    #[default]
    Any,
    /// These, as they are written.
    Only(Vec<Box<str>>),
}

/// What the operator allows an account, and what holds when a message says nothing.
#[derive(Clone, Debug)]
pub struct AccountRules {
    /// The sender when none is given.
    pub from: Option<Box<str>>,
    /// The senders allowed.
    pub senders: Senders,
    /// The class when none is given.
    pub class: Class,
    /// What to do in doubt, by `Class::priority`.
    pub doubt: [DoubtPolicy; 4],
    /// How long a message may be sent, by `Class::priority`.
    pub lifetime: [Span; 4],
    /// The longest lifetime a message may ask for, at most 14 days.
    pub lifetime_max: Span,
    /// The most segments of a message, 1 to 64; a message may ask for fewer.
    pub max_segments: u8,
    /// How texts are encoded when nothing is said.
    pub encoding: EncodingChoice,
    /// How texts are cut when nothing is said.
    pub split: Split,
    /// Whose national notation `to` may be in; `None`: numbers have their country code.
    pub country: Option<Country>,
    /// What national numbers and names of zones are read with; without it they are refused.
    pub atlas: Option<Arc<Atlas>>,
    /// Whether what only looks better is replaced when nothing is said.
    pub substitute: Substitute,
    /// Whose letters are respelt when nothing is said.
    pub transliterate: Transliterate,
    /// What marketing texts must say; empty = nothing.
    pub stop_mention: Box<str>,
    /// Which TP-PIDs may be asked for.
    pub protocol_ids: Vec<ProtocolId>,
    /// Whether the same content may go to the same recipient again soon.
    pub repeats: Repeats,
    /// By whose clock texts speak that are made when they are sent, for recipients whose zone is not known; empty: UTC.
    pub zone: Box<str>,
}

/// Whether contents are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Repeats {
    /// Nobody asks.
    #[default]
    Sent,
    /// A guard asks: messages carry a hash of their content.
    Guarded,
}

impl Default for AccountRules {
    /// Codes are worth minutes, orders a day, the rest two. A second code annoys less than none; a second advertisement
    /// annoys more.
    fn default() -> AccountRules {
        AccountRules {
            from: None,
            senders: Senders::Any,
            class: Class::Transactional,
            doubt: [DoubtPolicy::ResendOnce, DoubtPolicy::ResendOnce, DoubtPolicy::AtMostOnce, DoubtPolicy::AtMostOnce],
            lifetime: [Span::secs(600), Span::secs(86_400), Span::secs(172_800), Span::secs(172_800)],
            lifetime_max: Span::secs(EXPIRES_IN_MAX),
            max_segments: 10,
            encoding: EncodingChoice::Auto,
            split: Split::Grapheme,
            country: None,
            atlas: None,
            substitute: Substitute::Off,
            transliterate: Transliterate::Off,
            stop_mention: Box::default(),
            protocol_ids: Vec::new(),
            repeats: Repeats::Sent,
            zone: Box::default(),
        }
    }
}

/// The form of a sender; decides its type of number towards a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SenderForm {
    /// 7 to 15 digits, with or without plus.
    Number,
    /// 3 to 6 digits.
    ShortCode,
    /// 1 to 11 characters, a letter among them.
    Name,
}

/// A sender that has the form of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender<'a> {
    /// As the customer wrote it.
    pub text: &'a str,
    /// What it is.
    pub form: SenderForm,
}

impl<'a> Sender<'a> {
    /// Reads a sender: `+33612345678`, `36123`, `SHOP`. Names have letters, digits, space and `& - _ . ! ' + * / # ,`:
    /// characters of the GSM alphabet that take one septet (TS 23.040 clause 9.1.2.5: 11 of them fit the address).
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Sender<'a>> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let form = match (digits.len(), digits.len() == text.len()) {
                (3..=6, true) => SenderForm::ShortCode,
                (7..=15, _) if !digits.starts_with('0') => SenderForm::Number,
                _ => return None,
            };
            return Some(Sender { text, form });
        }
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b" &-_.!'+*/#,".contains(&b);
        let is_name = text.len() <= 11
            && text.bytes().all(is_allowed)
            && text.bytes().any(|b| b.is_ascii_alphabetic())
            && !text.starts_with(' ')
            && !text.ends_with(' ');
        is_name.then_some(Sender { text, form: SenderForm::Name })
    }
}

/// A message that is believed: only its text is still as it was written.
#[derive(Clone, Copy)]
pub struct Accepted<'a> {
    /// As in [`Draft::line`].
    pub line: u32,
    /// The recipient.
    pub to: Msisdn,
    /// The sender.
    pub from: Sender<'a>,
    /// The texts, at least one, perhaps with holes.
    pub words: Words<'a>,
    /// The values for the holes.
    pub params: Params<'a>,
    /// The customer's reference; empty when none.
    pub client_ref: &'a str,
    /// What it is for.
    pub class: Class,
    /// What to do in doubt.
    pub doubt: DoubtPolicy,
    /// The instant before which it is not to go.
    pub not_before: Option<Time>,
    /// How long after `now` it may be sent; more than zero.
    pub lifetime: Span,
    /// The key under which messages are cancelled together; empty when none.
    pub cancel_key: &'a str,
    /// The campaign; empty when none.
    pub campaign: &'a str,
    /// The customer's name of the consent; empty when none.
    pub consent_ref: &'a str,
    /// The recipient's own time zone; empty when the number must tell.
    pub zone: &'a str,
    /// The state or province of the recipient's address (`US-TX`); empty when not given.
    pub region: &'a str,
    /// The most segments, 1 to 64.
    pub max_segments: u8,
    /// How to encode it.
    pub encoding: EncodingChoice,
    /// How to cut it.
    pub split: Split,
    /// How it is to look on the handset.
    pub form: Form<'a>,
    /// Whether it carries a hash of its content.
    pub repeats: Repeats,
    /// When its text is made.
    pub render: Render<'a>,
    /// What all segments together may cost.
    pub max_price: Option<Price>,
}

/// When a text is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Render<'a> {
    /// Now.
    Accept,
    /// When it is sent; until then it counts as what it would be at `moment`. `zone` is the account's.
    Send { moment: Moment, zone: &'a str },
}

/// Debug shows no text and no full number.
impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("line", &self.line).field("to", &self.to).field("class", &self.class).finish_non_exhaustive()
    }
}

/// Believes a draft, or says why not. `now` is the instant of acceptance.
///
/// # Errors
/// The first of: `missing_to`, `invalid_value` (country), `invalid_number`, `missing_sender`, `invalid_sender`,
/// `sender_not_allowed`, `conflicting_fields`, `protocol_not_allowed`, `missing_text`, `empty_text`, `unknown_time_zone`, `unknown_region`,
/// `schedule_out_of_range`, `lifetime_out_of_range`.
pub fn check<'a>(draft: &Draft<'a>, rules: &'a AccountRules, now: Time) -> Result<Accepted<'a>, Refusal> {
    let atlas = rules.atlas.as_deref();
    let to = recipient(draft.to, country(draft, rules)?)?;
    let from = sender(draft.from, rules)?;
    let options = &draft.options;
    let encoding = options.encoding.unwrap_or(rules.encoding);
    let form = form_check::check(draft, encoding, &rules.protocol_ids)?;
    if !draft.words.has_text() && encoding != EncodingChoice::Binary {
        return Err(Refusal::new(Code::MissingText, "/text", "expected a text"));
    }
    if draft.words.text == Some("") {
        return Err(Refusal::new(Code::EmptyText, "/text", "expected a text"));
    }
    if draft.words.text.is_some() && draft.words.variants.is_some() {
        return Err(Refusal::new(Code::ConflictingFields, "/variants", "text and variants exclude each other"));
    }
    let labels = &draft.labels;
    let class = options.class.unwrap_or(rules.class);
    let index = usize::from(class.priority());
    let zone = labels.time_zone.unwrap_or_default();
    if !zone.is_empty() && atlas.and_then(|atlas| atlas.hours.zone_by_name(zone)).is_none() {
        return Err(Refusal::new(Code::UnknownTimeZone, "/time_zone", no_such_zone(zone)));
    }
    let region = labels.region.unwrap_or_default();
    if !region.is_empty() && !atlas.is_some_and(|atlas| atlas.knows_region(region)) {
        return Err(Refusal::new(Code::UnknownRegion, "/region", "expected a country and a state or province such as US-TX"));
    }
    let When { not_before, lifetime } = when(options.schedule, options.expiry, (rules.lifetime[index], rules.lifetime_max), now)?;
    Ok(Accepted {
        line: draft.line,
        to,
        from,
        words: draft.words,
        params: draft.params,
        client_ref: draft.client_ref.unwrap_or_default(),
        class,
        doubt: options.doubt.unwrap_or(rules.doubt[index]),
        not_before,
        lifetime,
        cancel_key: labels.cancel_key.unwrap_or_default(),
        campaign: labels.campaign.unwrap_or_default(),
        consent_ref: labels.consent_ref.unwrap_or_default(),
        zone,
        region,
        max_segments: options.max_segments.unwrap_or(rules.max_segments).min(rules.max_segments),
        encoding,
        split: options.split.unwrap_or(rules.split),
        form: Form {
            substitute: options.substitute.unwrap_or(rules.substitute),
            transliterate: options.transliterate.unwrap_or(rules.transliterate),
            mention: if class == Class::Marketing { &rules.stop_mention } else { "" },
            ..form
        },
        repeats: rules.repeats,
        render: match options.render.unwrap_or_default() {
            Binding::Accept => Render::Accept,
            Binding::Send if encoding == EncodingChoice::Binary => {
                return Err(Refusal::new(Code::ConflictingFields, "/render", "octets are not made from a text"));
            }
            // Whose clock it is, is for those who know recipients.
            Binding::Send => Render::Send { moment: Moment { at: now, offset: 0 }, zone: &rules.zone },
        },
        max_price: options.max_price,
    })
}

/// Whose national notation `to` may be in.
fn country<'r>(draft: &'r Draft<'_>, rules: &'r AccountRules) -> Result<Option<(&'r str, &'r Atlas)>, Refusal> {
    let Some(atlas) = rules.atlas.as_deref() else { return Ok(None) };
    let given = draft.options.country.as_ref();
    if given.is_some_and(|country| !atlas.numbers.is_region(country.as_str())) {
        return Err(Refusal::new(Code::InvalidValue, "/country", "no such country"));
    }
    Ok(given.or(rules.country.as_ref()).map(|country| (country.as_str(), atlas)))
}

impl AccountRules {
    /// Whose national notation numbers may be in when nothing is said, with what is needed to read it.
    #[must_use]
    pub fn country_of(&self) -> Option<(&str, &Atlas)> {
        Some((self.country.as_ref()?.as_str(), self.atlas.as_deref()?))
    }
}

fn sender<'a>(given: Option<&'a str>, rules: &'a AccountRules) -> Result<Sender<'a>, Refusal> {
    let text = given.or(rules.from.as_deref()).ok_or_else(|| Refusal::new(Code::MissingSender, "/from", "expected a sender"))?;
    let sender = Sender::parse(text)
        .ok_or_else(|| Refusal::new(Code::InvalidSender, "/from", "expected digits or a name of at most 11 characters"))?;
    if let Senders::Only(allowed) = &rules.senders
        && !allowed.iter().any(|other| **other == *text)
    {
        return Err(Refusal::new(Code::SenderNotAllowed, "/from", "not a sender of the account"));
    }
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::accept::draft::Defaults;
    use crate::pipeline::accept::single::MessageReader;

    const NOW: Time = Time(1_800_000_000_000);

    fn rules() -> AccountRules {
        AccountRules { from: Some("SHOP".into()), ..AccountRules::default() }
    }

    #[track_caller]
    fn refused(body: &str, rules: &AccountRules, code: Code, pointer: &str) {
        let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
        let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
        let refusal = check(&draft, rules, NOW).expect_err(body);
        assert_eq!((refusal.code, &*refusal.pointer), (code, pointer), "{body}");
    }

    #[test]
    fn what_is_not_said_comes_from_the_account_and_its_class() {
        let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
        let draft = reader.read(br#"{"to":"0033 612345678","text":"hi","class":"otp"}"#, &defaults, 65_536).expect("a draft");
        let rules = rules();
        let accepted = check(&draft, &rules, NOW).expect("right");
        assert_eq!((accepted.to.e164().as_str(), accepted.from.text, accepted.from.form), ("+33612345678", "SHOP", SenderForm::Name));
        assert_eq!((accepted.class, accepted.doubt, accepted.lifetime), (Class::Otp, DoubtPolicy::ResendOnce, Span::secs(600)));
        assert_eq!((accepted.max_segments, accepted.client_ref, accepted.words.text), (10, "", Some("hi")));
    }

    #[test]
    fn what_is_said_holds_within_what_the_account_allows() {
        let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
        let body = br#"{"to":"+33612345678","from":"36123","text":"hi","class":"marketing","doubt":"resend_once","max_segments":64,
            "expires_at":"2027-01-15T10:00:00+01:00","encoding":"ucs2","split":"codepoint","client_ref":"A-1","channel":"sms"}"#;
        let draft = reader.read(body, &defaults, 65_536).expect("a draft");
        let rules = rules();
        let accepted = check(&draft, &rules, NOW).expect("right");
        assert_eq!((accepted.class, accepted.doubt, accepted.max_segments), (Class::Marketing, DoubtPolicy::ResendOnce, 10));
        assert_eq!((accepted.encoding, accepted.split, accepted.client_ref), (EncodingChoice::Ucs2, Split::Codepoint, "A-1"));
        assert_eq!(
            (NOW.after(accepted.lifetime).rfc3339().as_str(), accepted.from.form),
            ("2027-01-15T09:00:00.000Z", SenderForm::ShortCode)
        );
    }

    #[test]
    fn what_cannot_be_believed_says_why() {
        let none = AccountRules::default();
        let only = AccountRules { senders: Senders::Only(vec!["SHOP".into()]), ..rules() };
        for (body, rules, code, pointer) in [
            (r#"{"text":"hi"}"#, &rules(), Code::MissingTo, "/to"),
            (r#"{"to":"","text":"hi"}"#, &rules(), Code::MissingTo, "/to"),
            (r#"{"to":null,"text":"hi"}"#, &rules(), Code::MissingTo, "/to"),
            (r#"{"to":"0612345678","text":"hi"}"#, &rules(), Code::InvalidNumber, "/to"),
            (r#"{"to":"+33 6 12 3","text":"hi"}"#, &rules(), Code::InvalidNumber, "/to"),
            (r#"{"to":"+336123456x8","text":"hi"}"#, &rules(), Code::InvalidNumber, "/to"),
            (r#"{"to":"+33612345678 +33612345679","text":"hi"}"#, &rules(), Code::InvalidNumber, "/to"),
            (r#"{"to":"3.3612E+10","text":"hi"}"#, &rules(), Code::InvalidNumber, "/to"),
            (r#"{"to":"+33612345678"}"#, &rules(), Code::MissingText, "/text"),
            (r#"{"to":"+33612345678","text":""}"#, &rules(), Code::EmptyText, "/text"),
            (r#"{"to":"+33612345678","text":"hi"}"#, &none, Code::MissingSender, "/from"),
            (r#"{"to":"+33612345678","from":"","text":"hi"}"#, &rules(), Code::InvalidSender, "/from"),
            (r#"{"to":"+33612345678","from":"TWELVE CHARS","text":"hi"}"#, &rules(), Code::InvalidSender, "/from"),
            (r#"{"to":"+33612345678","from":"Crédit","text":"hi"}"#, &rules(), Code::InvalidSender, "/from"),
            (r#"{"to":"+33612345678","from":"ΑΒΓ","text":"hi"}"#, &rules(), Code::InvalidSender, "/from"),
            (r#"{"to":"+33612345678","from":"BANK","text":"hi"}"#, &only, Code::SenderNotAllowed, "/from"),
            (r#"{"to":"+33612345678","text":"hi","expires_at":"2027-01-15T08:00:00Z"}"#, &rules(), Code::LifetimeOutOfRange, "/expires_at"),
            (r#"{"to":"+33612345678","text":"hi","expires_at":"2028-01-15T08:00:00Z"}"#, &rules(), Code::LifetimeOutOfRange, "/expires_at"),
            (r#"{"to":"+33612345678","text":"hi","expires_at":"1970-01-01T00:00:00Z"}"#, &rules(), Code::LifetimeOutOfRange, "/expires_at"),
        ] {
            // 1,800,000,000 is 2027-01-15T08:00:00Z, the instant itself.
            refused(body, rules, code, pointer);
        }
        let short = AccountRules { lifetime_max: Span::secs(60), ..rules() };
        refused(r#"{"to":"+33612345678","text":"hi","expires_in":61}"#, &short, Code::LifetimeOutOfRange, "/expires_in");
    }

    #[test]
    fn what_most_do_without_is_carried_along() {
        let rules = AccountRules { atlas: Some(Arc::new(Atlas::shipped())), ..rules() };
        let defaults = Defaults::from_pairs([("campaign", "xmas"), ("cancel_key", "all"), ("country", "fr")]).expect("right");
        let mut reader = MessageReader::default();
        let body = br#"{"to":"06 12 34 56 78","text":"hi","send_after":"PT1H","cancel_key":"cart:8812","consent_ref":"c_77",
            "time_zone":"Indian/Reunion"}"#;
        let draft = reader.read(body, &defaults, 65_536).expect("a draft");
        let accepted = check(&draft, &rules, NOW).expect("right");
        assert_eq!((accepted.to.e164().as_str(), accepted.not_before), ("+33612345678", Some(NOW.after(Span::secs(3_600)))));
        assert_eq!((accepted.cancel_key, accepted.campaign, accepted.consent_ref), ("cart:8812", "xmas", "c_77"));
        assert_eq!((accepted.zone, accepted.lifetime), ("Indian/Reunion", Span::secs(90_000)));
        for (body, code, pointer) in [
            (r#"{"to":"+33612345678","text":"hi","time_zone":"Europe/Nowhere"}"#, Code::UnknownTimeZone, "/time_zone"),
            (r#"{"to":"+33612345678","text":"hi","time_zone":"CEST+1"}"#, Code::UnknownTimeZone, "/time_zone"),
            (r#"{"to":"+33612345678","text":"hi","region":"US-XX"}"#, Code::UnknownRegion, "/region"),
            (r#"{"to":"+33612345678","text":"hi","region":"us-tx"}"#, Code::UnknownRegion, "/region"),
            (r#"{"to":"+33612345678","text":"hi","region":"TX"}"#, Code::UnknownRegion, "/region"),
            (r#"{"to":"+33612345678","text":"hi","country":"ZZ"}"#, Code::InvalidValue, "/country"),
            (r#"{"to":"0612345678","text":"hi","country":"US"}"#, Code::InvalidNumber, "/to"),
            (r#"{"to":"+33612345678","text":"hi","send_at":"2026-01-15T08:00:00Z"}"#, Code::ScheduleOutOfRange, "/send_at"),
        ] {
            refused(body, &rules, code, pointer);
        }
    }

    #[test]
    fn senders_are_numbers_short_codes_or_names() {
        for (text, form) in [
            ("+33612345678", Some(SenderForm::Number)),
            ("33612345678", Some(SenderForm::Number)),
            ("1234567", Some(SenderForm::Number)),
            ("36123", Some(SenderForm::ShortCode)),
            ("112", Some(SenderForm::ShortCode)),
            ("12", None),
            ("+112", None),
            ("0612345678", None),
            ("1234567890123456", None),
            ("SHOP", Some(SenderForm::Name)),
            ("My Shop 24", Some(SenderForm::Name)),
            ("H&M", Some(SenderForm::Name)),
            ("A", Some(SenderForm::Name)),
            (" SHOP", None),
            ("SHOP ", None),
            ("SHOP[1]", None),
            ("12 34", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(Sender::parse(text).map(|sender| sender.form), form, "{text}");
        }
    }
}
