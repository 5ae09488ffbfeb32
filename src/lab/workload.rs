//! A repeatable campaign: recipients, names and texts from a seed, written as the bodies the API takes. Every
//! message has a token of its own, which is its `client_ref`, its `code` and stands between `#` in its text, so
//! that an SMSC and a sink can count it from outside.

use super::chance::mix;
use std::ops::Range;

/// What is sent. Message `n` is always the same.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Everything comes from here; also begins every token.
    pub seed: u64,
    /// The sender.
    pub from: String,
    /// Before the first name.
    pub greeting: String,
    /// Between the name and the code; keep it within the GSM alphabet unless UCS-2 is wanted.
    pub message: String,
    /// After the code.
    pub tail: String,
    /// Characters of every text: a third parameter, `place`, fills up what name, code and the words above leave. 0 =
    /// texts end after `tail`, as long as they happen to be.
    pub length: usize,
}

impl Default for Workload {
    fn default() -> Workload {
        let (from, greeting) = ("SHOP".into(), "Hello ".into());
        let message = ", your parcel is on its way. Code ".into();
        Workload { seed: 1, from, greeting, message, tail: String::new(), length: 0 }
    }
}

/// What the parameter `place` is cut from.
const PLACES: &str = "the shop in 24 Long Market Street, the kiosk at the Central Station, the lockers behind the Town Hall, \
                      or any post office within seven days of today; bring this code and a paper with your name on it please.";

const NAMES: [&str; 24] = [
    "Alice", "Bruno", "Chloe", "David", "Emma", "Felix", "Grace", "Hugo", "Ines", "Jules", "Karim", "Lea", "Marc", "Nina", "Oscar",
    "Paula", "Quentin", "Rosa", "Simon", "Tina", "Ulysse", "Vera", "Walter", "Zoe",
];

/// Numbers that look valid, by country.
struct Plan {
    /// Of `SHARES` recipients, so many.
    share: u64,
    heads: &'static [&'static str],
    middles: &'static [&'static str],
    /// How many digits follow.
    digits: u32,
}

/// The first two digits of a US exchange: never N11, never 555.
const EXCHANGES: [&str; 20] =
    ["22", "23", "24", "25", "26", "27", "28", "29", "32", "33", "34", "36", "37", "42", "43", "46", "62", "63", "72", "73"];

/// France, United States, United Kingdom, Germany, Spain.
const PLANS: [Plan; 5] = [
    Plan { share: 12, heads: &["+3361", "+3362", "+3365", "+3366", "+3367", "+3368"], middles: &[""], digits: 7 },
    Plan { share: 4, heads: &["+1212", "+1312", "+1415", "+1512", "+1617", "+1702", "+1713", "+1305"], middles: &EXCHANGES, digits: 5 },
    Plan { share: 2, heads: &["+44771", "+44772", "+44773", "+44774", "+44775", "+44776"], middles: &[""], digits: 7 },
    Plan { share: 1, heads: &["+49151", "+49160", "+49170", "+49171"], middles: &[""], digits: 7 },
    Plan { share: 1, heads: &["+3460", "+3461", "+3462", "+3463"], middles: &[""], digits: 7 },
];
const SHARES: u64 = 20;

impl Workload {
    /// The default campaign under another seed.
    #[must_use]
    pub fn new(seed: u64) -> Workload {
        Workload { seed, ..Workload::default() }
    }

    /// Texts of exactly 160 characters of the GSM alphabet with three parameters: one full segment.
    #[must_use]
    pub fn full(seed: u64) -> Workload {
        Workload { tail: ". Fetch it at ".into(), length: 160, ..Workload::new(seed) }
    }

    /// Texts of exactly 450 characters with three parameters: three segments (3GPP TS 23.040, 153 characters each).
    #[must_use]
    pub fn long(seed: u64) -> Workload {
        let tail = ". It left our house this morning and will be with you in two days at the latest. Nobody needs to be at home: it \
                    fits through the letter box. Should it not, a card will tell you where it waits for you and until when. If you \
                    have changed your mind you may send it back within thirty days, free of charge, in the box it came in. Fetch it at ";
        Workload { tail: tail.into(), length: 450, ..Workload::new(seed) }
    }

    /// The token of message `n`.
    #[must_use]
    pub fn token(&self, n: u64) -> String {
        let mut out = Vec::new();
        self.push_token(n, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// The recipient of message `n`, with its plus. All different for the first 80 million messages.
    #[must_use]
    pub fn recipient(&self, n: u64) -> String {
        let mut out = Vec::new();
        self.push_recipient(n, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// The text of message `n`, as the recipient reads it.
    #[must_use]
    pub fn text(&self, n: u64) -> String {
        format!("{}{}{}#{}#{}{}", self.greeting, self.name(n), self.message, self.token(n), self.tail, self.place(n))
    }

    /// The template of which `text` is made.
    #[must_use]
    pub fn template(&self) -> String {
        let place = if self.length > 0 { "{{place}}" } else { "" };
        format!("{}{{{{first}}}}{}#{{{{code}}}}#{}{place}", self.greeting, self.message, self.tail)
    }

    /// Consecutive ranges of at most `size` that cover `total` messages.
    pub fn chunks(total: u64, size: u64) -> impl Iterator<Item = Range<u64>> {
        let size = size.max(1);
        (0..total.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(total))
    }

    /// Appends a JSON batch: defaults, then recipients with their parameters.
    pub fn json(&self, messages: Range<u64>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"defaults\":{\"from\":");
        push_json(&self.from, out);
        out.extend_from_slice(b",\"text\":");
        push_json(&self.template(), out);
        out.extend_from_slice(b"},\"recipients\":[");
        for n in messages.clone() {
            if n > messages.start {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"to\":\"");
            self.push_recipient(n, out);
            out.extend_from_slice(b"\",");
            self.push_params(n, out);
        }
        out.extend_from_slice(b"]}");
    }

    /// Appends one message as a JSON object with its parameters, as the single call takes it.
    pub fn single(&self, n: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"to\":\"");
        self.push_recipient(n, out);
        out.extend_from_slice(b"\",\"from\":");
        push_json(&self.from, out);
        out.extend_from_slice(b",\"text\":");
        push_json(&self.template(), out);
        out.push(b',');
        self.push_params(n, out);
    }

    /// The rest of an object: parameters and reference.
    fn push_params(&self, n: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"params\":{\"first\":\"");
        out.extend_from_slice(self.name(n).as_bytes());
        out.extend_from_slice(b"\",\"code\":\"");
        self.push_token(n, out);
        if self.length > 0 {
            out.extend_from_slice(b"\",\"place\":\"");
            out.extend_from_slice(self.place(n).as_bytes());
        }
        out.extend_from_slice(b"\"},\"client_ref\":\"");
        self.push_token(n, out);
        out.extend_from_slice(b"\"}");
    }

    /// Appends one JSON object a line, each whole.
    pub fn ndjson(&self, messages: Range<u64>, out: &mut Vec<u8>) {
        let (mut from, mut greeting, mut message, mut tail) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        push_json(&self.tail, &mut tail);
        push_json(&self.from, &mut from);
        push_json(&self.greeting, &mut greeting);
        push_json(&self.message, &mut message);
        for n in messages {
            out.extend_from_slice(b"{\"to\":\"");
            self.push_recipient(n, out);
            out.extend_from_slice(b"\",\"from\":");
            out.extend_from_slice(&from);
            out.extend_from_slice(b",\"text\":");
            // The parts are JSON strings: the quotes where they meet are dropped.
            out.extend_from_slice(&greeting[..greeting.len() - 1]);
            out.extend_from_slice(self.name(n).as_bytes());
            out.extend_from_slice(&message[1..message.len() - 1]);
            out.push(b'#');
            self.push_token(n, out);
            out.push(b'#');
            out.extend_from_slice(&tail[1..tail.len() - 1]);
            out.extend_from_slice(self.place(n).as_bytes());
            out.extend_from_slice(b"\",\"client_ref\":\"");
            self.push_token(n, out);
            out.extend_from_slice(b"\"}\n");
        }
    }

    /// Appends `to,first,code,client_ref` and a line for each message; the text is the template's. For texts of no set
    /// length: `place` has commas.
    pub fn csv(&self, messages: Range<u64>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"to,first,code,client_ref\n");
        for n in messages {
            self.push_recipient(n, out);
            out.push(b',');
            out.extend_from_slice(self.name(n).as_bytes());
            for end in [b',', b'\n'] {
                if end == b',' {
                    out.push(b',');
                }
                self.push_token(n, out);
                out.push(end);
            }
        }
    }

    fn name(&self, n: u64) -> &'static str {
        NAMES[(mix(self.seed ^ mix(n)) % NAMES.len() as u64) as usize]
    }

    /// What fills the text up to its length.
    fn place(&self, n: u64) -> &'static str {
        if self.length == 0 {
            return "";
        }
        let taken = self.greeting.chars().count()
            + self.name(n).len()
            + self.message.chars().count()
            + 3
            + digits(self.seed)
            + digits(n)
            + self.tail.chars().count();
        &PLACES[..self.length.saturating_sub(taken).min(PLACES.len())]
    }

    fn push_token(&self, n: u64, out: &mut Vec<u8>) {
        push_number(self.seed, out);
        out.push(b'-');
        push_number(n, out);
    }

    fn push_recipient(&self, n: u64, out: &mut Vec<u8>) {
        // Which country, by place in each twenty; which number in it, by a bijection of its count.
        let (mut place, mut before) = (n % SHARES, 0);
        let plan = PLANS.iter().find(|plan| {
            let found = place < plan.share;
            if !found {
                place -= plan.share;
                before += plan.share;
            }
            found
        });
        let plan = plan.expect("the shares add up to SHARES");
        let tail = 10u64.pow(plan.digits);
        let (heads, middles) = (plan.heads.len() as u64, plan.middles.len() as u64);
        let space = tail * middles * heads;
        let count = n / SHARES * plan.share + place;
        // The factor is a prime that divides no space.
        let number = (count % space * 7_368_787 + mix(self.seed ^ before) % space) % space;
        out.extend_from_slice(plan.heads[(number / tail / middles) as usize].as_bytes());
        out.extend_from_slice(plan.middles[(number / tail % middles) as usize].as_bytes());
        let mut digits = number % tail;
        let start = out.len();
        out.resize(start + plan.digits as usize, b'0');
        for slot in out[start..].iter_mut().rev() {
            *slot = b'0' + (digits % 10) as u8;
            digits /= 10;
        }
    }
}

fn digits(n: u64) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

fn push_number(mut n: u64, out: &mut Vec<u8>) {
    let (mut buffer, mut at) = ([0; 20], 20);
    while n > 0 || at == 20 {
        at -= 1;
        buffer[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.extend_from_slice(&buffer[at..]);
}

fn push_json(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text into memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Msisdn;
    use std::collections::HashSet;

    #[test]
    fn recipients_look_valid_and_are_all_different() {
        let workload = Workload::new(7);
        let mut seen = HashSet::new();
        for n in 0..400_000 {
            let to = workload.recipient(n);
            let number = Msisdn::parse(&to).expect("E.164");
            assert_eq!(number.e164(), to);
            let length = if to.starts_with("+44") || to.starts_with("+49") { 13 } else { 12 };
            assert_eq!(to.len(), length, "{to}");
            assert!(seen.insert(to));
        }
    }

    #[test]
    fn every_body_says_the_same_and_is_well_formed() {
        let workload = Workload { from: "SH\"OP".into(), ..Workload::new(3) };
        let (mut json, mut ndjson, mut csv) = (Vec::new(), Vec::new(), Vec::new());
        workload.json(5..8, &mut json);
        workload.ndjson(5..8, &mut ndjson);
        workload.csv(5..8, &mut csv);
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let ndjson: Vec<serde_json::Value> =
            ndjson.split(|o| *o == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).expect("JSON")).collect();
        let csv: Vec<Vec<&str>> = std::str::from_utf8(&csv).expect("UTF-8").lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(csv[0], ["to", "first", "code", "client_ref"]);
        assert_eq!((ndjson.len(), csv.len()), (3, 4));
        assert_eq!(json["defaults"]["from"], "SH\"OP");
        for (i, n) in (5..8).enumerate() {
            let recipient = &json["recipients"][i];
            let text = json["defaults"]["text"].as_str().expect("text");
            let first = recipient["params"]["first"].as_str().expect("text");
            let text = text.replace("{{first}}", first).replace("{{code}}", recipient["params"]["code"].as_str().expect("text"));
            assert_eq!(text, workload.text(n));
            assert_eq!(ndjson[i]["text"], workload.text(n));
            assert_eq!(ndjson[i]["from"], "SH\"OP");
            for to in [recipient["to"].as_str(), ndjson[i]["to"].as_str(), Some(csv[i + 1][0])] {
                assert_eq!(to, Some(workload.recipient(n).as_str()));
            }
            for token in [recipient["client_ref"].as_str(), ndjson[i]["client_ref"].as_str(), Some(csv[i + 1][3]), Some(csv[i + 1][2])] {
                assert_eq!(token, Some(workload.token(n).as_str()));
            }
        }
    }

    #[test]
    fn texts_of_a_set_length_have_it_whatever_their_parameters() {
        for (workload, length) in [(Workload::full(3), 160), (Workload::long(90), 450)] {
            for n in (0..200).chain([99_999, 9_999_999]) {
                let text = workload.text(n);
                assert_eq!((text.len(), text.matches('#').count()), (length, 2), "{text}");
                let mut body = Vec::new();
                workload.single(n, &mut body);
                let single: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                let filled = ["first", "code", "place"].iter().fold(workload.template(), |text, name| {
                    text.replace(&format!("{{{{{name}}}}}"), single["params"][name].as_str().expect("text"))
                });
                assert_eq!(filled, text);
            }
        }
    }

    #[test]
    fn chunks_cover_everything_once() {
        assert_eq!(Workload::chunks(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(Workload::chunks(0, 4).count(), 0);
    }
}
