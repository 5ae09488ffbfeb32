//! Text into segments: the one code path that counts, prices, paces and encodes an SMS, and that tries whether another
//! spelling is cheaper. In: a text or octets, what the customer wants, what the route allows. Out: octets, cuts, and what
//! the header must say. Nothing can fail; how many segments are too many is the caller's question.
//!
//! Order: what must be said is appended, characters a carrier would spoil are replaced, then the text is counted as it
//! is, substituted, and respelt; a later spelling is taken only if it saves a segment, or UCS-2 without costing one.

mod kept;

use super::mention;
use crate::config::{self, Alphabet, ClassForm, Joining, Substitute, Transliterate};
use crate::message::{Encoding, Spelling};
use crate::wire::gsm::national::{Allowed, AtEqualCost, Language, NationalRules, NationalSegmented, Shift, Tables, segment_national};
use crate::wire::gsm::substitute::{Replaced, Substituted, substitute};
use crate::wire::gsm::transliterate::transliterate;
use crate::wire::gsm::{self, ConcatRef, SplitRule};

/// Octets of user data in a message (3GPP TS 23.040 clause 9.2.3.24).
const USER_DATA_OCTETS: usize = 140;

/// What a route and its carrier mean for texts.
#[derive(Clone, Debug)]
pub struct RouteText {
    alphabet: Alphabet,
    joining: Joining,
    message_class_as: ClassForm,
    bmp_only: bool,
    national: Box<[Allowed]>,
    at_equal_cost: AtEqualCost,
}

impl RouteText {
    /// From the configuration.
    #[must_use]
    pub fn new(route: &config::Route, carrier: &config::Carrier) -> RouteText {
        // Septets behind a header of tables mean nothing in another alphabet, and a carrier that cuts itself cannot repeat it.
        let has_tables = matches!(carrier.alphabet, Alphabet::Gsm7 | Alphabet::Gsm7Packed) && carrier.joining != Joining::Payload;
        let languages = route.national.iter().filter(|_| has_tables).filter_map(|id| Language::of_id(*id));
        RouteText {
            alphabet: carrier.alphabet,
            joining: carrier.joining,
            message_class_as: carrier.message_class_as,
            bmp_only: carrier.ucs2_bmp_only,
            national: languages.map(|language| Allowed { language, shift: Shift::Both }).collect(),
            at_equal_cost: if route.national_first { AtEqualCost::National } else { AtEqualCost::Ucs2 },
        }
    }

    /// The last character that fits where data_coding is 0, if not all of the GSM alphabet does.
    fn last_char(&self, has_class: bool) -> Option<char> {
        match self.alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => None,
            // A class makes data_coding say GSM, whatever the carrier's own alphabet is.
            _ if has_class && self.message_class_as != ClassForm::Subunit => None,
            Alphabet::Latin1 => Some('\u{FF}'),
            Alphabet::Ascii => Some('\u{7F}'),
        }
    }
}

impl Default for RouteText {
    /// GSM 7-bit and UCS-2, joined by headers, no tables: what nearly every carrier takes.
    fn default() -> RouteText {
        RouteText {
            alphabet: Alphabet::Gsm7,
            joining: Joining::Udh,
            message_class_as: ClassForm::General,
            bmp_only: false,
            national: Box::default(),
            at_equal_cost: AtEqualCost::Ucs2,
        }
    }
}

/// What a customer wants of a text.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where it may be cut.
    pub split: config::Split,
    /// How wide the reference of its parts is.
    pub concat: config::Concat,
    /// UCS-2 whatever it holds.
    pub force_ucs2: bool,
    /// Whether what only looks better may be replaced.
    pub substitute: Substitute,
    /// Whose letters may be respelt.
    pub transliterate: Transliterate,
    /// What it must say somewhere; empty = nothing.
    pub mention: &'a str,
    /// Whether it has a message class.
    pub has_class: bool,
}

impl Wanted<'_> {
    /// A text as it is.
    #[must_use]
    pub const fn plain(split: config::Split, concat: config::Concat) -> Wanted<'static> {
        Wanted {
            split,
            concat,
            force_ucs2: false,
            substitute: Substitute::Off,
            transliterate: Transliterate::Off,
            mention: "",
            has_class: false,
        }
    }

    fn rule(&self) -> SplitRule {
        match self.split {
            config::Split::Grapheme => SplitRule::Grapheme,
            config::Split::Codepoint => SplitRule::CodePoint,
        }
    }

    /// The width of the reference.
    #[must_use]
    pub const fn width(&self) -> ConcatRef {
        match self.concat {
            config::Concat::EightBit => ConcatRef::Bits8,
            config::Concat::SixteenBit => ConcatRef::Bits16,
        }
    }
}

/// A composed text, borrowed from the composer.
#[derive(Clone, Copy, Debug)]
pub struct Size<'a> {
    /// How the octets were made.
    pub encoding: Encoding,
    /// All octets, segment after segment.
    pub octets: &'a [u8],
    /// Where each segment ends.
    pub ends: &'a [u32],
    /// The character that forced UCS-2 and its place (in characters), if one did.
    pub forced_by: Option<(char, u32)>,
    /// National tables: the locking one in the high octet, the single shift one in the low; 0 none.
    pub shift: u16,
    /// Segments that travel in one part because the carrier cuts them; 0: each is a part.
    pub at_once: u8,
    /// Which spelling it has.
    pub spelling: Spelling,
    /// How many characters of the text as it was written are spelt otherwise.
    pub changed: u32,
    /// Units that fit a message of one segment, and each segment of several.
    pub capacity: (u32, u32),
}

/// What is known of the text composed last beside its octets.
#[derive(Clone, Copy, Debug)]
struct Made {
    encoding: Encoding,
    shift: u16,
    at_once: u8,
    spelling: Spelling,
    changed: u32,
    capacity: (u32, u32),
}

impl Default for Made {
    fn default() -> Made {
        Made { encoding: Encoding::Gsm7, shift: 0, at_once: 0, spelling: Spelling::AsWritten, changed: 0, capacity: (0, 0) }
    }
}

/// Reusable buffers for composing; one per worker.
#[derive(Debug, Default)]
pub struct Composer {
    made: Made,
    best: NationalSegmented,
    trial: NationalSegmented,
    text: String,
    substituted: Substituted,
    respelt: String,
    octets: Vec<u8>,
    ends: Vec<u32>,
}

impl Composer {
    /// Encodes and cuts a text.
    pub fn compose(&mut self, text: &str, wanted: &Wanted<'_>, route: &RouteText) -> Size<'_> {
        let Composer { best, trial, text: made, substituted, respelt, .. } = self;
        let text = prepared(text, wanted, route, made);
        encode(text, wanted, route, best);
        let (mut spelling, mut changed, mut replaced) = (Spelling::AsWritten, 0, 0);
        let may_gain = !wanted.force_ucs2 && (best.segmented.encoding == gsm::Encoding::Ucs2 || best.segmented.segments() > 1);
        let mut spelt = text;
        if may_gain && wanted.substitute == Substitute::Smart {
            substitute(text, substituted);
            if !substituted.replaced.is_empty() {
                spelt = &substituted.text;
                replaced = substituted.replaced.iter().map(|one| one.count).sum();
                if try_spelling(spelt, wanted, route, best, trial) {
                    (spelling, changed) = (Spelling::Substituted, replaced);
                }
            }
        }
        if may_gain && wanted.transliterate != Transliterate::Off {
            respelt.clear();
            let letters = transliterate(spelt, wanted.transliterate, respelt);
            if letters > 0 && try_spelling(respelt, wanted, route, best, trial) {
                (spelling, changed) = (Spelling::Transliterated, replaced + letters);
            }
        }
        let (segmented, tables) = (&self.best.segmented, self.best.tables);
        let segments = segmented.segments();
        let (encoding, capacity) = match segmented.encoding {
            gsm::Encoding::Gsm7 => (Encoding::Gsm7, (tables.single_units(), tables.part_units(wanted.width()))),
            gsm::Encoding::Ucs2 => {
                let ucs2 = gsm::Encoding::Ucs2;
                (Encoding::Ucs2, (ucs2.single_units(), ucs2.part_units(wanted.width())))
            }
        };
        let at_once = if segments > 1 && route.joining == Joining::Payload { u8::try_from(segments).unwrap_or(u8::MAX) } else { 0 };
        self.made = Made { encoding, shift: shift(tables), at_once, spelling, changed, capacity };
        self.size()
    }

    /// The text that was composed last.
    #[must_use]
    pub fn size(&self) -> Size<'_> {
        let Made { encoding, shift, at_once, spelling, changed, capacity } = self.made;
        let segmented = &self.best.segmented;
        let (octets, ends, forced_by) = (&segmented.octets, &segmented.ends, segmented.first_ucs2_char);
        Size { encoding, octets, ends, forced_by, shift, at_once, spelling, changed, capacity }
    }

    /// Cuts octets of the customer's own behind a header of his own (with its length octet; may be empty).
    pub fn binary(&mut self, octets: &[u8], header: &[u8], concat: config::Concat) -> Size<'_> {
        let width = Wanted::plain(config::Split::Codepoint, concat).width();
        let single = USER_DATA_OCTETS.saturating_sub(header.len());
        // The concatenation goes into the same header: its length octet is there once.
        let part = USER_DATA_OCTETS.saturating_sub(width.header_octets() + header.len().saturating_sub(1)).max(1);
        self.octets.clear();
        self.octets.extend_from_slice(octets);
        self.ends.clear();
        if octets.len() > single {
            self.ends.extend((1..octets.len().div_ceil(part)).map(|index| (index * part) as u32));
        }
        self.ends.push(octets.len() as u32);
        Size {
            encoding: Encoding::Binary,
            octets: &self.octets,
            ends: &self.ends,
            forced_by: None,
            shift: 0,
            at_once: 0,
            spelling: Spelling::AsWritten,
            changed: 0,
            capacity: (single as u32, part as u32),
        }
    }

    /// The text that was last composed, in the spelling that was taken. `text` is what was given.
    #[must_use]
    pub fn spelt<'t>(&'t self, text: &'t str, spelling: Spelling) -> &'t str {
        match spelling {
            Spelling::AsWritten if self.text.is_empty() => text,
            Spelling::AsWritten => &self.text,
            Spelling::Substituted => &self.substituted.text,
            Spelling::Transliterated => &self.respelt,
        }
    }

    /// What substitution replaced, if it was tried last.
    #[must_use]
    pub fn replaced(&self) -> &[Replaced] {
        &self.substituted.replaced
    }
}

/// The text with what it must say, and without what the carrier would spoil; in `made` if it is not the text as given.
fn prepared<'t>(text: &'t str, wanted: &Wanted<'_>, route: &RouteText, made: &'t mut String) -> &'t str {
    made.clear();
    let lacks = !wanted.mention.is_empty() && !mention::is_in(text, wanted.mention);
    let spoils = route.bmp_only && text.chars().any(|c| c > '\u{FFFF}');
    if !lacks && !spoils {
        return text;
    }
    made.extend(text.chars().map(|c| if spoils && c > '\u{FFFF}' { char::REPLACEMENT_CHARACTER } else { c }));
    if lacks {
        if !text.ends_with(char::is_whitespace) {
            made.push(' ');
        }
        made.push_str(wanted.mention);
    }
    made
}

fn encode(text: &str, wanted: &Wanted<'_>, route: &RouteText, out: &mut NationalSegmented) {
    let (rule, width) = (wanted.rule(), wanted.width());
    out.tables = Tables::DEFAULT;
    if wanted.force_ucs2 {
        return gsm::segment_ucs2(text, rule, width, &mut out.segmented);
    }
    let rules = NationalRules { allowed: &route.national, at_equal_cost: route.at_equal_cost };
    segment_national(text, rules, rule, width, out);
    // What the carrier's own alphabet lacks goes as UCS-2 and is counted so: that is what the handset gets.
    if let Some(last) = route.last_char(wanted.has_class)
        && out.segmented.encoding == gsm::Encoding::Gsm7
        && let Some(found) = text.chars().enumerate().find(|(_, c)| *c > last)
    {
        gsm::segment_ucs2(text, rule, width, &mut out.segmented);
        out.segmented.first_ucs2_char = Some((found.1, found.0 as u32));
    }
}

/// Whether this spelling is cheaper than the best so far; it is the best one then.
fn try_spelling(text: &str, wanted: &Wanted<'_>, route: &RouteText, best: &mut NationalSegmented, trial: &mut NationalSegmented) -> bool {
    encode(text, wanted, route, trial);
    let (before, after) = (&best.segmented, &trial.segmented);
    let saves = after.segments() < before.segments();
    let avoids = after.segments() == before.segments() && after.encoding == gsm::Encoding::Gsm7 && before.encoding == gsm::Encoding::Ucs2;
    if saves || avoids {
        std::mem::swap(best, trial);
    }
    saves || avoids
}

fn shift(tables: Tables) -> u16 {
    let id = |language: Option<Language>| language.map_or(0, Language::id);
    u16::from_be_bytes([id(tables.locking), id(tables.single)])
}
