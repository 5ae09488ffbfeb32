//! Whether a text says how to stop. Pure; words are compared in small letters, whatever stands between them.

/// Whether `text` says what `mention` says: its numbers and the words it shouts (`STOP`, `36111`), in any order; all of
/// its words if it shouts none.
pub(super) fn is_in(text: &str, mention: &str) -> bool {
    let words = || words(mention);
    let is_number = |word: &str| word.bytes().all(|octet| octet.is_ascii_digit());
    let is_shouted = |word: &str| word.chars().count() > 2 && word.chars().all(char::is_uppercase);
    let has_shouted = words().any(is_shouted);
    words().filter(|word| !has_shouted || is_number(word) || is_shouted(word)).all(|word| has(text, word))
}

fn has(text: &str, word: &str) -> bool {
    words(text).any(|other| other.len() == word.len() && other.eq_ignore_ascii_case(word) || same(other, word))
}

fn same(a: &str, b: &str) -> bool {
    !(a.is_ascii() && b.is_ascii()) && a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_known_in_other_words_with_the_same_number() {
        for (text, mention, expected) in [
            ("Soldes! STOP au 36111", "STOP au 36111", true),
            ("Soldes! Stop SMS: 36111.", "STOP au 36111", true),
            ("Soldes! STOP au 36112", "STOP au 36111", false),
            ("Nonstop 36111", "STOP au 36111", false),
            ("Soldes!", "STOP au 36111", false),
            ("Reply stop to end", "Reply STOP to end", true),
            ("schreib ende", "Ende an 111", false),
            ("ENDE AN 111", "Ende an 111", true),
            ("Écrivez ARRÊT", "arrêt", true),
        ] {
            assert_eq!(is_in(text, mention), expected, "{text} / {mention}");
        }
    }
}
