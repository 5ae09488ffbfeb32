//! Texts from handsets in the form in which words are compared: small letters without accents, one space's worth of
//! nothing between them. For comparing only, never for showing.
//!
//! Of compatibility forms (Unicode NFKC) only what phones and "fonts" in chats produce is undone: full-width, circled
//! and mathematical letters. Bounded: of a long text only the beginning is looked at.

/// How many words a request has at most; longer texts are not requests.
pub(super) const WORDS_MAX: usize = 5;
/// Characters looked at. Five words of any language are shorter.
const CHARS_MAX: usize = 512;

/// The beginning of a text, as words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Words {
    /// At most [`WORDS_MAX`] and the courtesies before them. If there is neither letter nor digit, its symbols.
    pub(super) words: Vec<String>,
    /// Whether there is more text behind them.
    pub(super) is_cut: bool,
}

/// The words of a text, without those of `courtesy` at its beginning.
pub(super) fn words(text: &str, courtesy: &[String]) -> Words {
    let mut found = Words::default();
    let (mut word, mut symbols) = (String::new(), Vec::new());
    let mut chars = text.chars();
    // One character more than there are, so that the last word ends too.
    for c in chars.by_ref().take(CHARS_MAX).chain(std::iter::once(' ')) {
        match kind(c) {
            Kind::Letter => fold(c, &mut word),
            Kind::Joins => {}
            Kind::Symbol | Kind::Separator => {
                // Three stop signs are one.
                if matches!(kind(c), Kind::Symbol) && symbols.last() != Some(&String::from(c)) && symbols.len() < WORDS_MAX {
                    symbols.push(String::from(c));
                }
                let is_courtesy = found.words.is_empty() && courtesy.contains(&word);
                if word.is_empty() || is_courtesy {
                    word.clear();
                } else if found.words.len() == WORDS_MAX {
                    found.is_cut = true;
                    return found;
                } else {
                    found.words.push(std::mem::take(&mut word));
                }
            }
        }
    }
    found.is_cut = chars.next().is_some();
    if found.words.is_empty() {
        found.words = symbols;
    }
    found
}

enum Kind {
    Letter,
    /// No character of its own: marks, apostrophes, selectors of a form.
    Joins,
    Separator,
    /// Emoji and other pictures.
    Symbol,
}

fn kind(c: char) -> Kind {
    match c {
        '\'' | '`' | '\u{B4}' | '\u{2BC}' | '\u{2018}' | '\u{2019}' | '\u{AD}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}' => Kind::Joins,
        '\u{300}'..='\u{36F}' | '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' => Kind::Joins,
        _ if c.is_alphanumeric() => Kind::Letter,
        // Latin-1, general and ideographic punctuation, small and full-width forms.
        _ if c.is_whitespace() || c.is_control() || c.is_ascii_punctuation() => Kind::Separator,
        '\u{A1}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}' | '\u{FE10}'..='\u{FE6F}' | '\u{FF01}'..='\u{FF65}' => {
            Kind::Separator
        }
        _ => Kind::Symbol,
    }
}

/// Appends a letter or digit in its plain form.
fn fold(c: char, out: &mut String) {
    for c in plain_form(c).to_lowercase() {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'æ' => out.push_str("ae"),
            'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => out.push('c'),
            'ď' | 'đ' | 'ð' => out.push('d'),
            'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => out.push('e'),
            'ĝ' | 'ğ' | 'ġ' | 'ģ' => out.push('g'),
            'ĥ' | 'ħ' => out.push('h'),
            // Turkish has two letters of it, with and without a dot, and phones mix their capitals up: one here.
            'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => out.push('i'),
            'ĵ' => out.push('j'),
            'ķ' => out.push('k'),
            'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => out.push('l'),
            'ñ' | 'ń' | 'ņ' | 'ň' => out.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => out.push('o'),
            'œ' => out.push_str("oe"),
            'ŕ' | 'ŗ' | 'ř' => out.push('r'),
            'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => out.push('s'),
            'ß' => out.push_str("ss"),
            'ţ' | 'ť' | 'ŧ' | 'ț' => out.push('t'),
            'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => out.push('u'),
            'ŵ' => out.push('w'),
            'ý' | 'ÿ' | 'ŷ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            'ё' => out.push('е'),
            'й' => out.push('и'),
            // What the small form of the Turkish capital I with a dot leaves over.
            '\u{300}'..='\u{36F}' => {}
            _ => out.push(c),
        }
    }
}

/// The ordinary letter or digit of a full-width, circled or mathematical one.
fn plain_form(c: char) -> char {
    let code = u32::from(c);
    let letter = |from_zero: u32| {
        let place = (from_zero % 52) as u8;
        char::from(if place < 26 { b'A' + place } else { b'a' + place - 26 })
    };
    match c {
        '\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}' => char::from((code - 0xFEE0) as u8),
        '\u{24B6}'..='\u{24E9}' => letter(code - 0x24B6),
        '\u{1D400}'..='\u{1D6A3}' => letter(code - 0x1D400),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        let found = words(text, &["please".to_owned()]);
        format!("{}{}", found.words.join(" "), if found.is_cut { " …" } else { "" })
    }

    #[test]
    fn case_accents_quotes_and_forms_make_no_difference() {
        for (text, expected) in [
            ("  « ARRÊT ! » ", "arret"),
            ("arre\u{302}t", "arret"),
            ("İPTAL ıptal IPTAL", "iptal iptal iptal"),
            ("ＳＴＯＰ", "stop"),
            ("𝗦𝗧𝗢𝗣 ⓢⓣⓞⓟ", "stop stop"),
            ("Opt-Out", "opt out"),
            ("don\u{2019}t l'arrêt", "dont larret"),
            ("Ёлка СТОЙ", "елка стои"),
            ("Straße Œuvre", "strasse oeuvre"),
            ("STOP🛑!", "stop"),
            ("🛑🛑\u{FE0F}", "🛑"),
            ("Please, please stop", "stop"),
            ("stop please", "stop please"),
            ("1 2 3 4 5", "1 2 3 4 5"),
            ("1 2 3 4 5 !", "1 2 3 4 5"),
            ("1 2 3 4 5 6", "1 2 3 4 5 …"),
            ("", ""),
            (" .?! ", ""),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn of_an_endless_text_only_the_beginning_is_looked_at() {
        let found = words(&"a".repeat(1_000_000), &[]);
        assert_eq!((found.words[0].len(), found.is_cut), (CHARS_MAX, true));
        assert!(words(&"!".repeat(1_000_000), &[]).is_cut);
    }

    proptest! {
        #[test]
        fn any_text_gives_few_words_that_are_already_plain(text in any::<String>()) {
            let found = words(&text, &[]);
            prop_assert!(found.words.len() <= WORDS_MAX);
            let again = words(&found.words.join(" "), &[]);
            prop_assert_eq!(again.words, found.words);
        }
    }
}
