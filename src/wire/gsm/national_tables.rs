//! The national language shift tables (3GPP TS 23.038 Annex A) as data, and the two ways to look into one.
//!
//! Not here: which tables a text needs, headers, splitting (`national`). A cell that the standard leaves empty has no
//! character. All tables are made at compile time and checked cell by cell against the vectors.

/// A language with tables of its own; the number is its identifier in the header (TS 23.038 clause 6.2.1.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Language {
    /// Has both tables.
    Turkish = 1,
    /// Has a single shift table only.
    Spanish = 2,
    /// Has both tables.
    Portuguese = 3,
    /// Has both tables.
    Bengali = 4,
    /// Has both tables.
    Gujarati = 5,
    /// Has both tables.
    Hindi = 6,
    /// Has both tables.
    Kannada = 7,
    /// Has both tables.
    Malayalam = 8,
    /// Has both tables.
    Oriya = 9,
    /// Has both tables.
    Punjabi = 10,
    /// Has both tables.
    Tamil = 11,
    /// Has both tables.
    Telugu = 12,
    /// Has both tables.
    Urdu = 13,
}

impl Language {
    /// Every language, by identifier.
    pub const ALL: [Language; 13] = [
        Language::Turkish,
        Language::Spanish,
        Language::Portuguese,
        Language::Bengali,
        Language::Gujarati,
        Language::Hindi,
        Language::Kannada,
        Language::Malayalam,
        Language::Oriya,
        Language::Punjabi,
        Language::Tamil,
        Language::Telugu,
        Language::Urdu,
    ];

    /// By the identifier in a header; `None` for the default alphabet (0) and for what is reserved.
    #[must_use]
    pub fn of_id(id: u8) -> Option<Language> {
        Language::ALL.get(usize::from(id).checked_sub(1)?).copied()
    }

    /// The identifier in a header, 1 to 13.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Its locking shift table, in place of the default alphabet; Spanish has none.
    pub(super) fn locking(self) -> Option<&'static Table> {
        LOCKING[self as usize - 1].as_ref()
    }

    /// Its single shift table, in place of the extension of the default alphabet.
    pub(super) fn single(self) -> &'static Table {
        &SINGLE[self as usize - 1]
    }
}

/// One table, to be read both ways.
pub(super) struct Table {
    /// By septet; U+0000, which no table has, for an empty cell.
    chars: [char; CELLS],
    /// By character, rising; only the first `len` count.
    codes: [(char, u8); CELLS],
    len: usize,
}

impl Table {
    /// The character of a septet; `None` for an empty cell, the escape, and above 0x7F.
    #[inline]
    pub(super) fn char_of(&self, septet: u8) -> Option<char> {
        self.chars.get(usize::from(septet)).copied().filter(|c| *c != EMPTY)
    }

    /// The septet of a character, the lowest if the table has it twice.
    #[inline]
    pub(super) fn code_of(&self, c: char) -> Option<u8> {
        let codes = &self.codes[..self.len];
        codes.binary_search_by(|cell| cell.0.cmp(&c)).ok().map(|at| codes[at].1)
    }
}

const CELLS: usize = 128;
const EMPTY: char = '\0';

/// The septet of the first of some characters that follow one another, and these.
type Run = (u8, &'static str);

/// The table of some runs.
const fn table(shared: &[Run], own: &[Run]) -> Table {
    let mut table = Table { chars: [EMPTY; CELLS], codes: [(EMPTY, 0); CELLS], len: 0 };
    fill(&mut table.chars, shared);
    fill(&mut table.chars, own);
    let mut septet = 0;
    while septet < CELLS {
        let c = table.chars[septet];
        let mut at = table.len;
        while at > 0 && table.codes[at - 1].0 as u32 > c as u32 {
            at -= 1;
        }
        // The second cell of one character is for reading only.
        if c as u32 != EMPTY as u32 && (at == 0 || table.codes[at - 1].0 as u32 != c as u32) {
            let mut move_to = table.len;
            while move_to > at {
                table.codes[move_to] = table.codes[move_to - 1];
                move_to -= 1;
            }
            table.codes[at] = (c, septet as u8);
            table.len += 1;
        }
        septet += 1;
    }
    table
}

/// Writes the characters of the runs into their cells; a cell that is taken does not compile.
const fn fill(chars: &mut [char; CELLS], runs: &[Run]) {
    let mut run = 0;
    while run < runs.len() {
        let (mut septet, text) = runs[run];
        let (octets, mut at) = (text.as_bytes(), 0);
        while at < octets.len() {
            let (length, first) = match octets[at] {
                octet @ ..0x80 => (1, octet),
                octet @ ..0xE0 => (2, octet & 0x1F),
                // None of the standard's characters is beyond the basic plane.
                octet => (3, octet & 0x0F),
            };
            let (mut code, mut more) = (first as u32, 1);
            while more < length {
                code = code << 6 | (octets[at + more] & 0x3F) as u32;
                more += 1;
            }
            assert!(chars[septet as usize] as u32 == EMPTY as u32 && septet != 0x1B, "a cell of its own");
            chars[septet as usize] = char::from_u32(code).expect("of a text");
            (septet, at) = (septet + 1, at + length);
        }
        run += 1;
    }
}

/// By identifier less one.
static LOCKING: [Option<Table>; 13] = [
    Some(table(LATIN_LOCKING, TURKISH_LOCKING)),
    None,
    Some(table(LATIN_LOCKING, PORTUGUESE_LOCKING)),
    Some(table(INDIC_LOCKING, BENGALI_LOCKING)),
    Some(table(INDIC_LOCKING, GUJARATI_LOCKING)),
    Some(table(INDIC_LOCKING, HINDI_LOCKING)),
    Some(table(INDIC_LOCKING, KANNADA_LOCKING)),
    Some(table(INDIC_LOCKING, MALAYALAM_LOCKING)),
    Some(table(INDIC_LOCKING, ORIYA_LOCKING)),
    Some(table(INDIC_LOCKING, PUNJABI_LOCKING)),
    Some(table(INDIC_LOCKING, TAMIL_LOCKING)),
    Some(table(INDIC_LOCKING, TELUGU_LOCKING)),
    Some(table(INDIC_LOCKING, URDU_LOCKING)),
];

/// By identifier less one.
static SINGLE: [Table; 13] = [
    table(LATIN_SINGLE, TURKISH_SINGLE),
    table(LATIN_SINGLE, SPANISH_SINGLE),
    table(LATIN_SINGLE, PORTUGUESE_SINGLE),
    table(INDIC_SINGLE, BENGALI_SINGLE),
    table(INDIC_SINGLE, GUJARATI_SINGLE),
    table(INDIC_SINGLE, HINDI_SINGLE),
    table(INDIC_SINGLE, KANNADA_SINGLE),
    table(INDIC_SINGLE, MALAYALAM_SINGLE),
    table(INDIC_SINGLE, ORIYA_SINGLE),
    table(INDIC_SINGLE, PUNJABI_SINGLE),
    table(INDIC_SINGLE, TAMIL_SINGLE),
    table(INDIC_SINGLE, TELUGU_SINGLE),
    table(INDIC_SINGLE, URDU_SINGLE),
];

/// What the locking tables of Turkish and Portuguese share.
#[rustfmt::skip]
const LATIN_LOCKING: &[Run] = &[
    (0x00, "@£$¥"), (0x05, "é"), (0x0A, "\n"), (0x0D, "\r"), (0x10, "Δ_"), (0x1F, "É !\"#"), (0x25, "%&'()*+,-./0123456789:;<=>?"),
    (0x41, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (0x5E, "Ü§"), (0x61, "abcdefghijklmnopqrstuvwxyz"), (0x7E, "üà"),
];

/// What the single shift tables of Turkish, Spanish and Portuguese share: the extension of the default alphabet.
#[rustfmt::skip]
const LATIN_SINGLE: &[Run] = &[
    (0x0A, "\u{0C}"), (0x14, "^"), (0x28, "{}"), (0x2F, "\\"), (0x3C, "[~]"), (0x40, "|"), (0x65, "€"),
];

/// What the locking tables of the ten languages of the subcontinent share. The parentheses are in the order of the standard.
#[rustfmt::skip]
const INDIC_LOCKING: &[Run] = &[
    (0x0A, "\n"), (0x0D, "\r"), (0x20, " !"), (0x28, ")("), (0x2C, ","), (0x2E, "."), (0x30, "0123456789:;"), (0x3F, "?"),
    (0x61, "abcdefghijklmnopqrstuvwxyz"),
];

/// What the single shift tables of the ten languages share. `*` and `¡` are there twice.
#[rustfmt::skip]
const INDIC_SINGLE: &[Run] = &[
    (0x00, "@£$¥¿\"¤%&'\u{0C}*+"), (0x0E, "-/<=>¡^¡_#*"), (0x28, "{}"), (0x2F, "\\"), (0x3C, "[~]"),
    (0x40, "|ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (0x65, "€"),
];

#[rustfmt::skip]
const TURKISH_LOCKING: &[Run] = &[
    (0x04, "€"), (0x06, "ùıòÇ"), (0x0B, "Ğğ"), (0x0E, "Åå"), (0x12, "ΦΓΛΩΠΨΣΘΞ"), (0x1C, "Şşß"), (0x24, "¤"), (0x40, "İ"),
    (0x5B, "ÄÖÑ"), (0x60, "ç"), (0x7B, "äöñ"),
];

#[rustfmt::skip]
const TURKISH_SINGLE: &[Run] = &[
    (0x47, "Ğ"), (0x49, "İ"), (0x53, "Ş"), (0x63, "ç"), (0x67, "ğ"), (0x69, "ı"), (0x73, "ş"),
];

#[rustfmt::skip]
const SPANISH_SINGLE: &[Run] = &[
    (0x09, "ç"), (0x41, "Á"), (0x49, "Í"), (0x4F, "Ó"), (0x55, "Ú"), (0x61, "á"), (0x69, "í"), (0x6F, "ó"), (0x75, "ú"),
];

#[rustfmt::skip]
const PORTUGUESE_LOCKING: &[Run] = &[
    (0x04, "ê"), (0x06, "úíóç"), (0x0B, "Ôô"), (0x0E, "Áá"), (0x12, "ªÇÀ∞^\\€Ó|"), (0x1C, "ÂâÊ"), (0x24, "º"), (0x40, "Í"),
    (0x5B, "ÃÕÚ"), (0x60, "~"), (0x7B, "ãõ`"),
];

#[rustfmt::skip]
const PORTUGUESE_SINGLE: &[Run] = &[
    (0x05, "ê"), (0x09, "ç"), (0x0B, "Ôô"), (0x0E, "Áá"), (0x12, "ΦΓ"), (0x15, "ΩΠΨΣΘ"), (0x1F, "Ê"), (0x41, "À"), (0x49, "Í"),
    (0x4F, "Ó"), (0x55, "Ú"), (0x5B, "ÃÕ"), (0x61, "Â"), (0x69, "í"), (0x6F, "ó"), (0x75, "ú"), (0x7B, "ãõ"), (0x7F, "â"),
];

#[rustfmt::skip]
const BENGALI_LOCKING: &[Run] = &[
    (0x00, "\u{981}\u{982}\u{983}\u{985}\u{986}\u{987}\u{988}\u{989}\u{98A}\u{98B}"), (0x0B, "\u{98C}"), (0x0F, "\u{98F}\u{990}"),
    (0x13, "\u{993}\u{994}\u{995}\u{996}\u{997}\u{998}\u{999}\u{99A}"), (0x1C, "\u{99B}\u{99C}\u{99D}\u{99E}"),
    (0x22, "\u{99F}\u{9A0}\u{9A1}\u{9A2}\u{9A3}\u{9A4}"), (0x2A, "\u{9A5}\u{9A6}"), (0x2D, "\u{9A7}"), (0x2F, "\u{9A8}"),
    (0x3D, "\u{9AA}\u{9AB}"), (0x40, "\u{9AC}\u{9AD}\u{9AE}\u{9AF}\u{9B0}"), (0x46, "\u{9B2}"),
    (0x4A, "\u{9B6}\u{9B7}\u{9B8}\u{9B9}\u{9BC}\u{9BD}\u{9BE}\u{9BF}\u{9C0}\u{9C1}\u{9C2}\u{9C3}\u{9C4}"), (0x59, "\u{9C7}\u{9C8}"),
    (0x5D, "\u{9CB}\u{9CC}\u{9CD}\u{9CE}"), (0x7B, "\u{9D7}\u{9DC}\u{9DD}\u{9F0}\u{9F1}"),
];

#[rustfmt::skip]
const BENGALI_SINGLE: &[Run] = &[
    (0x19, "\u{9E6}\u{9E7}"), (0x1C, "\u{9E8}\u{9E9}\u{9EA}\u{9EB}\u{9EC}\u{9ED}\u{9EE}\u{9EF}\u{9DF}\u{9E0}\u{9E1}\u{9E2}"),
    (0x2A, "\u{9E3}\u{9F2}\u{9F3}\u{9F4}\u{9F5}"), (0x30, "\u{9F6}\u{9F7}\u{9F8}\u{9F9}\u{9FA}"),
];

#[rustfmt::skip]
const GUJARATI_LOCKING: &[Run] = &[
    (0x00, "\u{A81}\u{A82}\u{A83}\u{A85}\u{A86}\u{A87}\u{A88}\u{A89}\u{A8A}\u{A8B}"), (0x0B, "\u{A8C}\u{A8D}"),
    (0x0F, "\u{A8F}\u{A90}\u{A91}"), (0x13, "\u{A93}\u{A94}\u{A95}\u{A96}\u{A97}\u{A98}\u{A99}\u{A9A}"),
    (0x1C, "\u{A9B}\u{A9C}\u{A9D}\u{A9E}"), (0x22, "\u{A9F}\u{AA0}\u{AA1}\u{AA2}\u{AA3}\u{AA4}"), (0x2A, "\u{AA5}\u{AA6}"),
    (0x2D, "\u{AA7}"), (0x2F, "\u{AA8}"), (0x3D, "\u{AAA}\u{AAB}"), (0x40, "\u{AAC}\u{AAD}\u{AAE}\u{AAF}\u{AB0}"),
    (0x46, "\u{AB2}\u{AB3}"),
    (0x49, "\u{AB5}\u{AB6}\u{AB7}\u{AB8}\u{AB9}\u{ABC}\u{ABD}\u{ABE}\u{ABF}\u{AC0}\u{AC1}\u{AC2}\u{AC3}\u{AC4}"), (0x57, "\u{AC5}"),
    (0x59, "\u{AC7}\u{AC8}\u{AC9}"), (0x5D, "\u{ACB}\u{ACC}\u{ACD}\u{AD0}"), (0x7B, "\u{AE0}\u{AE1}\u{AE2}\u{AE3}\u{AF1}"),
];

#[rustfmt::skip]
const GUJARATI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{AE6}\u{AE7}\u{AE8}\u{AE9}\u{AEA}\u{AEB}\u{AEC}\u{AED}\u{AEE}\u{AEF}"),
];

#[rustfmt::skip]
const HINDI_LOCKING: &[Run] = &[
    (0x00, "\u{901}\u{902}\u{903}\u{905}\u{906}\u{907}\u{908}\u{909}\u{90A}\u{90B}"), (0x0B, "\u{90C}\u{90D}"),
    (0x0E, "\u{90E}\u{90F}\u{910}\u{911}\u{912}\u{913}\u{914}\u{915}\u{916}\u{917}\u{918}\u{919}\u{91A}"),
    (0x1C, "\u{91B}\u{91C}\u{91D}\u{91E}"), (0x22, "\u{91F}\u{920}\u{921}\u{922}\u{923}\u{924}"), (0x2A, "\u{925}\u{926}"),
    (0x2D, "\u{927}"), (0x2F, "\u{928}"), (0x3C, "\u{929}\u{92A}\u{92B}"),
    (0x40, "\u{92C}\u{92D}\u{92E}\u{92F}\u{930}\u{931}\u{932}\u{933}\u{934}\u{935}\u{936}\u{937}\u{938}\u{939}"),
    (0x4E, "\u{93C}\u{93D}\u{93E}\u{93F}\u{940}\u{941}\u{942}\u{943}\u{944}\u{945}\u{946}\u{947}\u{948}\u{949}"),
    (0x5C, "\u{94A}\u{94B}\u{94C}\u{94D}\u{950}"), (0x7B, "\u{972}\u{97B}\u{97C}\u{97E}\u{97F}"),
];

#[rustfmt::skip]
const HINDI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{966}\u{967}\u{968}\u{969}\u{96A}\u{96B}\u{96C}\u{96D}\u{96E}\u{96F}\u{951}\u{952}"),
    (0x2A, "\u{953}\u{954}\u{958}\u{959}\u{95A}"),
    (0x30, "\u{95B}\u{95C}\u{95D}\u{95E}\u{95F}\u{960}\u{961}\u{962}\u{963}\u{970}\u{971}"),
];

#[rustfmt::skip]
const KANNADA_LOCKING: &[Run] = &[
    (0x01, "\u{C82}\u{C83}\u{C85}\u{C86}\u{C87}\u{C88}\u{C89}\u{C8A}\u{C8B}"), (0x0B, "\u{C8C}"), (0x0E, "\u{C8E}\u{C8F}\u{C90}"),
    (0x12, "\u{C92}\u{C93}\u{C94}\u{C95}\u{C96}\u{C97}\u{C98}\u{C99}\u{C9A}"), (0x1C, "\u{C9B}\u{C9C}\u{C9D}\u{C9E}"),
    (0x22, "\u{C9F}\u{CA0}\u{CA1}\u{CA2}\u{CA3}\u{CA4}"), (0x2A, "\u{CA5}\u{CA6}"), (0x2D, "\u{CA7}"), (0x2F, "\u{CA8}"),
    (0x3D, "\u{CAA}\u{CAB}"), (0x40, "\u{CAC}\u{CAD}\u{CAE}\u{CAF}\u{CB0}\u{CB1}\u{CB2}\u{CB3}"),
    (0x49, "\u{CB5}\u{CB6}\u{CB7}\u{CB8}\u{CB9}\u{CBC}\u{CBD}\u{CBE}\u{CBF}\u{CC0}\u{CC1}\u{CC2}\u{CC3}\u{CC4}"),
    (0x58, "\u{CC6}\u{CC7}\u{CC8}"), (0x5C, "\u{CCA}\u{CCB}\u{CCC}\u{CCD}\u{CD5}"), (0x7B, "\u{CD6}\u{CE0}\u{CE1}\u{CE2}\u{CE3}"),
];

#[rustfmt::skip]
const KANNADA_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{CE6}\u{CE7}\u{CE8}\u{CE9}\u{CEA}\u{CEB}\u{CEC}\u{CED}\u{CEE}\u{CEF}\u{CDE}\u{CF1}"),
    (0x2A, "\u{CF2}"),
];

#[rustfmt::skip]
const MALAYALAM_LOCKING: &[Run] = &[
    (0x01, "\u{D02}\u{D03}\u{D05}\u{D06}\u{D07}\u{D08}\u{D09}\u{D0A}\u{D0B}"), (0x0B, "\u{D0C}"), (0x0E, "\u{D0E}\u{D0F}\u{D10}"),
    (0x12, "\u{D12}\u{D13}\u{D14}\u{D15}\u{D16}\u{D17}\u{D18}\u{D19}\u{D1A}"), (0x1C, "\u{D1B}\u{D1C}\u{D1D}\u{D1E}"),
    (0x22, "\u{D1F}\u{D20}\u{D21}\u{D22}\u{D23}\u{D24}"), (0x2A, "\u{D25}\u{D26}"), (0x2D, "\u{D27}"), (0x2F, "\u{D28}"),
    (0x3D, "\u{D2A}\u{D2B}"),
    (0x40, "\u{D2C}\u{D2D}\u{D2E}\u{D2F}\u{D30}\u{D31}\u{D32}\u{D33}\u{D34}\u{D35}\u{D36}\u{D37}\u{D38}\u{D39}"),
    (0x4F, "\u{D3D}\u{D3E}\u{D3F}\u{D40}\u{D41}\u{D42}\u{D43}\u{D44}"), (0x58, "\u{D46}\u{D47}\u{D48}"),
    (0x5C, "\u{D4A}\u{D4B}\u{D4C}\u{D4D}\u{D57}"), (0x7B, "\u{D60}\u{D61}\u{D62}\u{D63}\u{D79}"),
];

#[rustfmt::skip]
const MALAYALAM_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{D66}\u{D67}\u{D68}\u{D69}\u{D6A}\u{D6B}\u{D6C}\u{D6D}\u{D6E}\u{D6F}\u{D70}\u{D71}"),
    (0x2A, "\u{D72}\u{D73}\u{D74}\u{D75}\u{D7A}"), (0x30, "\u{D7B}\u{D7C}\u{D7D}\u{D7E}\u{D7F}"),
];

#[rustfmt::skip]
const ORIYA_LOCKING: &[Run] = &[
    (0x00, "\u{B01}\u{B02}\u{B03}\u{B05}\u{B06}\u{B07}\u{B08}\u{B09}\u{B0A}\u{B0B}"), (0x0B, "\u{B0C}"), (0x0F, "\u{B0F}\u{B10}"),
    (0x13, "\u{B13}\u{B14}\u{B15}\u{B16}\u{B17}\u{B18}\u{B19}\u{B1A}"), (0x1C, "\u{B1B}\u{B1C}\u{B1D}\u{B1E}"),
    (0x22, "\u{B1F}\u{B20}\u{B21}\u{B22}\u{B23}\u{B24}"), (0x2A, "\u{B25}\u{B26}"), (0x2D, "\u{B27}"), (0x2F, "\u{B28}"),
    (0x3D, "\u{B2A}\u{B2B}"), (0x40, "\u{B2C}\u{B2D}\u{B2E}\u{B2F}\u{B30}"), (0x46, "\u{B32}\u{B33}"),
    (0x49, "\u{B35}\u{B36}\u{B37}\u{B38}\u{B39}\u{B3C}\u{B3D}\u{B3E}\u{B3F}\u{B40}\u{B41}\u{B42}\u{B43}\u{B44}"),
    (0x59, "\u{B47}\u{B48}"), (0x5D, "\u{B4B}\u{B4C}\u{B4D}\u{B56}"), (0x7B, "\u{B57}\u{B60}\u{B61}\u{B62}\u{B63}"),
];

#[rustfmt::skip]
const ORIYA_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{B66}\u{B67}\u{B68}\u{B69}\u{B6A}\u{B6B}\u{B6C}\u{B6D}\u{B6E}\u{B6F}\u{B5C}\u{B5D}"),
    (0x2A, "\u{B5F}\u{B70}\u{B71}"),
];

#[rustfmt::skip]
const PUNJABI_LOCKING: &[Run] = &[
    (0x00, "\u{A01}\u{A02}\u{A03}\u{A05}\u{A06}\u{A07}\u{A08}\u{A09}\u{A0A}"), (0x0F, "\u{A0F}\u{A10}"),
    (0x13, "\u{A13}\u{A14}\u{A15}\u{A16}\u{A17}\u{A18}\u{A19}\u{A1A}"), (0x1C, "\u{A1B}\u{A1C}\u{A1D}\u{A1E}"),
    (0x22, "\u{A1F}\u{A20}\u{A21}\u{A22}\u{A23}\u{A24}"), (0x2A, "\u{A25}\u{A26}"), (0x2D, "\u{A27}"), (0x2F, "\u{A28}"),
    (0x3D, "\u{A2A}\u{A2B}"), (0x40, "\u{A2C}\u{A2D}\u{A2E}\u{A2F}\u{A30}"), (0x46, "\u{A32}\u{A33}"), (0x49, "\u{A35}\u{A36}"),
    (0x4C, "\u{A38}\u{A39}\u{A3C}"), (0x50, "\u{A3E}\u{A3F}\u{A40}\u{A41}\u{A42}"), (0x59, "\u{A47}\u{A48}"),
    (0x5D, "\u{A4B}\u{A4C}\u{A4D}\u{A51}"), (0x7B, "\u{A70}\u{A71}\u{A72}\u{A73}\u{A74}"),
];

#[rustfmt::skip]
const PUNJABI_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{A66}\u{A67}\u{A68}\u{A69}\u{A6A}\u{A6B}\u{A6C}\u{A6D}\u{A6E}\u{A6F}\u{A59}\u{A5A}"),
    (0x2A, "\u{A5B}\u{A5C}\u{A5E}\u{A75}"),
];

#[rustfmt::skip]
const TAMIL_LOCKING: &[Run] = &[
    (0x01, "\u{B82}\u{B83}\u{B85}\u{B86}\u{B87}\u{B88}\u{B89}\u{B8A}"), (0x0E, "\u{B8E}\u{B8F}\u{B90}"),
    (0x12, "\u{B92}\u{B93}\u{B94}\u{B95}"), (0x19, "\u{B99}\u{B9A}"), (0x1D, "\u{B9C}"), (0x1F, "\u{B9E}"), (0x22, "\u{B9F}"),
    (0x26, "\u{BA3}\u{BA4}"), (0x2F, "\u{BA8}"), (0x3C, "\u{BA9}\u{BAA}"),
    (0x42, "\u{BAE}\u{BAF}\u{BB0}\u{BB1}\u{BB2}\u{BB3}\u{BB4}\u{BB5}\u{BB6}\u{BB7}\u{BB8}\u{BB9}"),
    (0x50, "\u{BBE}\u{BBF}\u{BC0}\u{BC1}\u{BC2}"), (0x58, "\u{BC6}\u{BC7}\u{BC8}"), (0x5C, "\u{BCA}\u{BCB}\u{BCC}\u{BCD}\u{BD0}"),
    (0x7B, "\u{BD7}\u{BF0}\u{BF1}\u{BF2}\u{BF9}"),
];

#[rustfmt::skip]
const TAMIL_SINGLE: &[Run] = &[
    (0x19, "\u{964}\u{965}"), (0x1C, "\u{BE6}\u{BE7}\u{BE8}\u{BE9}\u{BEA}\u{BEB}\u{BEC}\u{BED}\u{BEE}\u{BEF}\u{BF3}\u{BF4}"),
    (0x2A, "\u{BF5}\u{BF6}\u{BF7}\u{BF8}\u{BFA}"),
];

#[rustfmt::skip]
const TELUGU_LOCKING: &[Run] = &[
    (0x00, "\u{C01}\u{C02}\u{C03}\u{C05}\u{C06}\u{C07}\u{C08}\u{C09}\u{C0A}\u{C0B}"), (0x0B, "\u{C0C}"),
    (0x0E, "\u{C0E}\u{C0F}\u{C10}"), (0x12, "\u{C12}\u{C13}\u{C14}\u{C15}\u{C16}\u{C17}\u{C18}\u{C19}\u{C1A}"),
    (0x1C, "\u{C1B}\u{C1C}\u{C1D}\u{C1E}"), (0x22, "\u{C1F}\u{C20}\u{C21}\u{C22}\u{C23}\u{C24}"), (0x2A, "\u{C25}\u{C26}"),
    (0x2D, "\u{C27}"), (0x2F, "\u{C28}"), (0x3D, "\u{C2A}\u{C2B}"), (0x40, "\u{C2C}\u{C2D}\u{C2E}\u{C2F}\u{C30}\u{C31}\u{C32}\u{C33}"),
    (0x49, "\u{C35}\u{C36}\u{C37}\u{C38}\u{C39}"), (0x4F, "\u{C3D}\u{C3E}\u{C3F}\u{C40}\u{C41}\u{C42}\u{C43}\u{C44}"),
    (0x58, "\u{C46}\u{C47}\u{C48}"), (0x5C, "\u{C4A}\u{C4B}\u{C4C}\u{C4D}\u{C55}"), (0x7B, "\u{C56}\u{C60}\u{C61}\u{C62}\u{C63}"),
];

#[rustfmt::skip]
const TELUGU_SINGLE: &[Run] = &[
    (0x1C, "\u{C66}\u{C67}\u{C68}\u{C69}\u{C6A}\u{C6B}\u{C6C}\u{C6D}\u{C6E}\u{C6F}\u{C58}\u{C59}"),
    (0x2A, "\u{C78}\u{C79}\u{C7A}\u{C7B}\u{C7C}"), (0x30, "\u{C7D}\u{C7E}\u{C7F}"),
];

#[rustfmt::skip]
const URDU_LOCKING: &[Run] = &[
    (0x00, "\u{627}\u{622}\u{628}\u{67B}\u{680}\u{67E}\u{6A6}\u{62A}\u{6C2}\u{67F}"), (0x0B, "\u{679}\u{67D}"),
    (0x0E, "\u{67A}\u{67C}\u{62B}\u{62C}\u{681}\u{684}\u{683}\u{685}\u{686}\u{687}\u{62D}\u{62E}\u{62F}"),
    (0x1C, "\u{68C}\u{688}\u{689}\u{68A}"), (0x22, "\u{68F}\u{68D}\u{630}\u{631}\u{691}\u{693}"), (0x2A, "\u{699}\u{632}"),
    (0x2D, "\u{696}"), (0x2F, "\u{698}"), (0x3C, "\u{69A}\u{633}\u{634}"),
    (0x40, "\u{635}\u{636}\u{637}\u{638}\u{639}\u{641}\u{642}\u{6A9}\u{6AA}\u{6AB}\u{6AF}\u{6B3}\u{6B1}\u{644}"),
    (0x4E, "\u{645}\u{646}\u{6BA}\u{6BB}\u{6BC}\u{648}\u{6C4}\u{6D5}\u{6C1}\u{6BE}\u{621}\u{6CC}\u{6D0}\u{6D2}"),
    (0x5C, "\u{64D}\u{650}\u{64F}\u{657}\u{654}"), (0x7B, "\u{655}\u{651}\u{653}\u{656}\u{670}"),
];

#[rustfmt::skip]
const URDU_SINGLE: &[Run] = &[
    (0x19, "\u{600}\u{601}"), (0x1C, "\u{6F0}\u{6F1}\u{6F2}\u{6F3}\u{6F4}\u{6F5}\u{6F6}\u{6F7}\u{6F8}\u{6F9}\u{60C}\u{60D}"),
    (0x2A, "\u{60E}\u{60F}\u{610}\u{611}\u{612}"),
    (0x30, "\u{613}\u{614}\u{61B}\u{61F}\u{640}\u{652}\u{658}\u{66B}\u{66C}\u{672}\u{673}\u{6CD}"), (0x3F, "\u{6D4}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_that_of_the_standard_in_both_directions() {
        let all: serde_json::Value =
            serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/gsm_tables.json"))).expect("JSON");
        for language in Language::ALL {
            let cells = &all["tables"][format!("{language:?}")];
            assert_eq!(cells["id"], language.id());
            assert_eq!(Language::of_id(language.id()), Some(language));
            for (kind, table) in [("locking", language.locking()), ("single_shift", Some(language.single()))] {
                let Some(table) = table else {
                    assert!(cells[kind].is_null(), "{language:?} {kind}");
                    continue;
                };
                for septet in 0..=u8::MAX {
                    let expected = cells[kind][format!("{septet:02x}")].as_str().and_then(|c| c.chars().next());
                    assert_eq!(table.char_of(septet), expected, "{language:?} {kind} {septet:#04x}");
                }
                for c in '\0'..='\u{2FFF}' {
                    let first = (0..128).find(|septet| table.char_of(*septet) == Some(c));
                    assert_eq!(table.code_of(c), first, "{language:?} {kind} {c:?}");
                }
            }
        }
        assert_eq!([0, 14, 255].map(Language::of_id), [None; 3]);
    }
}
