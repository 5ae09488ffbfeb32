//! Texts in the national language shift tables (3GPP TS 23.038 clause 6.2.1.2, TS 23.040 clauses 9.2.3.24.15 and 16).
//!
//! In: a text and the languages a route may use. Out: the cheapest way to carry it, the octets, the cuts, and the header
//! each segment needs. Nothing can fail: what no allowed table carries goes as [`super::segment`] would send it.
//! Off unless a route says otherwise: a handset that does not know the tables shows other characters.

use unicode_segmentation::UnicodeSegmentation;

use super::alphabet::{self, ESC, Septets};
pub use super::national_tables::Language;
use super::segment::{Encoding, Segmented, SplitRule, segment};
use super::udh::{Concat, ConcatRef, Udh};

/// Which tables of a language a route may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shift {
    /// In place of the extension: each of its characters costs two septets.
    Single,
    /// In place of the default alphabet: each of its characters costs one septet. Spanish has none.
    Locking,
    /// Either, or both at once.
    Both,
}

/// A language a route may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Allowed {
    /// Whose tables.
    pub language: Language,
    /// Which of them.
    pub shift: Shift,
}

/// What is taken where UCS-2 and national tables cost the same number of segments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AtEqualCost {
    /// UCS-2: every handset shows it.
    #[default]
    Ucs2,
    /// The tables: for networks that carry no UCS-2, or where the tables are law (Turkey).
    National,
}

/// What a route may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct NationalRules<'a> {
    /// The languages; none = no tables at all. A locking table of one and a single shift table of another may be mixed.
    pub allowed: &'a [Allowed],
    /// What is taken at equal cost.
    pub at_equal_cost: AtEqualCost,
}

/// The tables that septets are read with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tables {
    /// In place of the default alphabet. A language without such a table counts as none.
    pub locking: Option<Language>,
    /// In place of its extension, which it repeats.
    pub single: Option<Language>,
}

const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;
/// The most a header of ours takes: its length, a wide concatenation, two tables.
pub const HEADER_OCTETS_MAX: usize = 13;
/// Octets of user data in a message.
const USER_DATA_OCTETS: usize = 140;

impl Tables {
    /// The default alphabet and its extension.
    pub const DEFAULT: Tables = Tables { locking: None, single: None };

    /// How many elements the header needs for them: 0 to 2.
    #[must_use]
    pub const fn elements(self) -> usize {
        self.locking.is_some() as usize + self.single.is_some() as usize
    }

    /// Septets that fit a message of one segment: 160, 155 or 152.
    #[must_use]
    pub const fn single_units(self) -> u32 {
        match self.elements() {
            0 => 160,
            elements => capacity(1 + 3 * elements),
        }
    }

    /// Septets that fit each segment of several: 153, 149 or 146; a wide reference takes one.
    #[must_use]
    pub const fn part_units(self, concat: ConcatRef) -> u32 {
        capacity(concat.header_octets() + 3 * self.elements())
    }

    /// Writes the whole header, length octet first, into a buffer and gives it: nothing for one segment in the default
    /// tables. Concatenation comes first, as every handset expects it.
    pub fn header(self, part: Option<Concat>, buffer: &mut [u8; HEADER_OCTETS_MAX]) -> &[u8] {
        let mut length = 1;
        if let Some(part) = part {
            let mut plain = [0; 7];
            let written = part.write(&mut plain);
            buffer[..written.len()].copy_from_slice(written);
            length = written.len();
        }
        for (id, language) in [(SINGLE_SHIFT, self.single), (LOCKING_SHIFT, self.locking)] {
            if let Some(language) = language {
                buffer[length..length + 3].copy_from_slice(&[id, 1, language.id()]);
                length += 3;
            }
        }
        buffer[0] = (length - 1) as u8;
        &buffer[..if length == 1 { 0 } else { length }]
    }

    /// The tables a received header names. An element of another length, a reserved language, and a table that does not
    /// exist are ignored; of several elements of a kind the last counts.
    #[must_use]
    pub fn read(header: Udh<'_>) -> Tables {
        let mut tables = Tables::DEFAULT;
        for element in header.elements() {
            let (id, &[language]) = (element.id, element.data) else { continue };
            match (id, Language::of_id(language)) {
                (SINGLE_SHIFT, Some(language)) => tables.single = Some(language),
                (LOCKING_SHIFT, Some(language)) if language.locking().is_some() => tables.locking = Some(language),
                _ => {}
            }
        }
        tables
    }

    /// The septets of a character, or `None` if these tables have none.
    #[inline]
    #[must_use]
    pub fn septets_of(self, c: char) -> Option<Septets> {
        let default = alphabet::septets_of(c);
        let plain = match self.locking.and_then(Language::locking) {
            Some(table) => table.code_of(c).map(Septets::One),
            None => default.filter(|septets| matches!(septets, Septets::One(_))),
        };
        plain.or_else(|| match self.single {
            Some(language) => language.single().code_of(c).map(Septets::Escaped),
            None => default.filter(|septets| matches!(septets, Septets::Escaped(_))),
        })
    }

    fn char_of(self, septet: u8) -> Option<char> {
        match self.locking.and_then(Language::locking) {
            Some(table) => table.char_of(septet),
            None => alphabet::char_of(septet),
        }
    }

    fn escaped_char_of(self, septet: u8) -> Option<char> {
        match self.single {
            Some(language) => language.single().char_of(septet),
            None => alphabet::escaped_char_of(septet),
        }
    }
}

/// Septets beside a header of so many octets: the text begins at a septet, the fill bits are lost.
const fn capacity(header_octets: usize) -> u32 {
    ((USER_DATA_OCTETS - header_octets) * 8 / 7) as u32
}

/// A text as it will travel, and in which tables. Kept and given again, it allocates nothing once it has grown.
#[derive(Clone, Debug, Default)]
pub struct NationalSegmented {
    /// Octets, cuts and counts. Its encoding is GSM 7-bit for every table.
    pub segmented: Segmented,
    /// What the header of each segment must say. The default tables with UCS-2.
    pub tables: Tables,
    /// For the combination that is being tried.
    trial: Segmented,
}

impl NationalSegmented {
    /// The header of a segment counted from 0, by the reference of the text: empty if none is needed.
    ///
    /// # Panics
    /// If the text has more segments than a header can number, which its sender refuses before.
    pub fn header<'b>(&self, index: usize, width: ConcatRef, reference: u16, buffer: &'b mut [u8; HEADER_OCTETS_MAX]) -> &'b [u8] {
        let total = self.segmented.segments();
        let part = (total > 1).then(|| Concat {
            width,
            reference,
            total: u8::try_from(total).expect("a text of more segments than can be numbered is refused"),
            sequence: u8::try_from(index + 1).expect("below the total"),
        });
        self.tables.header(part, buffer)
    }
}

/// Encodes and splits `text` the cheapest way the rules allow: fewest segments, then the default alphabet, then as
/// [`AtEqualCost`] says, then fewest tables, then fewest septets.
///
/// # Panics
/// If the text is above a gibibyte.
pub fn segment_national(text: &str, rules: NationalRules<'_>, rule: SplitRule, concat: ConcatRef, out: &mut NationalSegmented) {
    segment(text, rule, concat, &mut out.segmented);
    out.tables = Tables::DEFAULT;
    let foreign = out.segmented.first_ucs2_char.map(|(c, _)| c);
    // Only characters that cost two septets could become cheaper, and only if a segment can be saved.
    let is_cheapest = foreign.is_none() && (out.segmented.segments() == 1 || !out.segmented.octets.contains(&ESC));
    if is_cheapest || rules.allowed.is_empty() {
        return;
    }
    let mut best = match (out.segmented.encoding, rules.at_equal_cost) {
        (Encoding::Gsm7, _) | (Encoding::Ucs2, AtEqualCost::Ucs2) => (out.segmented.segments(), 0, 0, 0),
        (Encoding::Ucs2, AtEqualCost::National) => (out.segmented.segments(), 2, 0, 0),
    };
    for tables in combinations(rules.allowed) {
        // Most combinations lack the very character that the default alphabet lacks.
        if foreign.is_some_and(|c| tables.septets_of(c).is_none()) {
            continue;
        }
        if segment_with(text, tables, rule, concat, &mut out.trial).is_ok() {
            let rank = (out.trial.segments(), 1, tables.elements(), out.trial.units);
            if rank < best {
                best = rank;
                out.tables = tables;
                std::mem::swap(&mut out.segmented, &mut out.trial);
            }
        }
    }
}

/// Every pair of an allowed locking table or none and an allowed single shift table or none, but none at all.
fn combinations(allowed: &[Allowed]) -> impl Iterator<Item = Tables> {
    let of = move |not: Shift| {
        let languages = allowed.iter().filter(move |one| one.shift != not).map(|one| Some(one.language));
        std::iter::once(None).chain(languages)
    };
    of(Shift::Single)
        .filter(|locking| locking.is_none_or(|language| language.locking().is_some()))
        .flat_map(move |locking| of(Shift::Locking).map(move |single| Tables { locking, single }))
        .filter(|tables| *tables != Tables::DEFAULT)
}

/// Encodes and splits `text` in these tables and no others.
///
/// # Errors
/// The octet offset of the first character they lack; `out` is then of no use.
pub fn segment_with(text: &str, tables: Tables, rule: SplitRule, concat: ConcatRef, out: &mut Segmented) -> Result<(), usize> {
    out.octets.clear();
    out.ends.clear();
    out.first_ucs2_char = None;
    out.encoding = Encoding::Gsm7;
    for (at, c) in text.char_indices() {
        match tables.septets_of(c) {
            Some(Septets::One(septet)) => out.octets.push(septet),
            Some(Septets::Escaped(septet)) => out.octets.extend_from_slice(&[ESC, septet]),
            None => return Err(at),
        }
    }
    out.units = out.octets.len() as u32;
    if out.units > tables.single_units() {
        let part_units = tables.part_units(concat);
        let mut cuts = Cuts { part_units, filled: 0, at: 0, ends: &mut out.ends };
        let units = |c: char| match tables.septets_of(c) {
            Some(Septets::Escaped(_)) => 2,
            _ => 1,
        };
        match rule {
            SplitRule::CodePoint => text.chars().for_each(|c| cuts.place(units(c))),
            SplitRule::Grapheme => {
                for cluster in text.graphemes(true) {
                    let whole = cluster.chars().map(units).sum();
                    if cluster == "\r\n" || whole > part_units {
                        cluster.chars().for_each(|c| cuts.place(units(c)));
                    } else {
                        cuts.place(whole);
                    }
                }
            }
        }
    }
    out.ends.push(out.units);
    Ok(())
}

/// Segments being filled.
struct Cuts<'a> {
    part_units: u32,
    filled: u32,
    at: u32,
    ends: &'a mut Vec<u32>,
}

impl Cuts<'_> {
    /// What must stay together, into this segment or the next.
    fn place(&mut self, units: u32) {
        if self.filled + units > self.part_units {
            self.ends.push(self.at);
            self.filled = 0;
        }
        self.filled += units;
        self.at += units;
    }
}

/// Appends the characters of unpacked septets as a receiver shows them that knows the tables: after [`ESC`] a code which
/// the single shift table lacks is the plain character of that code, a second [`ESC`] is a space, one with nothing
/// behind it is dropped. An empty cell and an octet above 0x7F become U+FFFD.
pub fn decode(septets: &[u8], tables: Tables, out: &mut String) {
    if tables == Tables::DEFAULT {
        return alphabet::decode(septets, out);
    }
    out.reserve(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        let shown = match septet {
            ESC => match rest.next() {
                None => continue,
                Some(ESC) => Some(' '),
                Some(code) => tables.escaped_char_of(code).or(tables.char_of(code)),
            },
            _ => tables.char_of(septet),
        };
        out.push(shown.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
#[path = "national_tests.rs"]
mod tests;
