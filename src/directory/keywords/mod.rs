//! What people mean who answer: stop, start, help, perhaps stop, or something else. By words per country, which are
//! data (`config/rules/keywords.toml`); the order of the rules is in `docs/text.md`.
//!
//! Nothing is opted out here, and no answer is written. Classifying cannot fail; reading the words can.

mod file;
mod fold;

use std::sync::LazyLock;

pub use file::KeywordsError;
use file::{File, Keyword, Lists};
use fold::{Words, words};

/// What a message from a handset asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// Who are you, and how do I stop this?
    Help,
    /// It may mean stop: a human decides. Where any reasonable wording counts by law, treat it as stop until then.
    Review,
    /// None of these.
    None,
}

/// A message classified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// What it asks for.
    pub class: Class,
    /// The keyword that told, as the file writes it; absent with [`Class::None`].
    pub word: Option<&'a str>,
}

/// Letters of the shortest stop word that is looked for within a text and at the beginning of a longer word: `NO` and
/// `B` are in too many.
const LETTERS_MIN: usize = 3;

/// The words of all countries.
#[derive(Debug)]
pub struct Keywords {
    file: File,
}

impl Keywords {
    /// Those the gateway comes with.
    #[must_use]
    pub fn builtin() -> &'static Keywords {
        static BUILTIN: LazyLock<Keywords> = LazyLock::new(|| {
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/keywords.toml"));
            Keywords::parse(text).expect("the file is read by a test")
        });
        &BUILTIN
    }

    /// Those of a file.
    ///
    /// # Errors
    /// If it cannot be used whole: see [`KeywordsError`].
    pub fn parse(text: &str) -> Result<Keywords, KeywordsError> {
        file::parse(text).map(|file| Keywords { file })
    }

    /// The date the words were made, as the file has it.
    #[must_use]
    pub fn made(&self) -> &str {
        &self.file.made
    }

    /// The countries with words of their own (ISO 3166, two capitals), in their order.
    pub fn countries(&self) -> impl ExactSizeIterator<Item = &str> {
        self.file.countries.keys().map(String::as_str)
    }

    /// What `text` asks for, from somebody in `country` (ISO 3166, two letters in any case; unknown or absent = the
    /// default words). Looks at the beginning of the text only, so its length does not matter.
    #[must_use]
    pub fn classify(&self, text: &str, country: Option<&str>) -> Found<'_> {
        let lists = self.lists(country);
        let said = words(text, &lists.courtesy);
        match lists.find(&said) {
            Some((class, word)) => Found { class, word: Some(&word.written) },
            None => Found { class: Class::None, word: None },
        }
    }

    fn lists(&self, country: Option<&str>) -> &Lists {
        country
            .filter(|country| country.len() == 2)
            .and_then(|country| self.file.countries.get(&country.to_ascii_uppercase()))
            .unwrap_or(&self.file.default)
    }
}

impl Lists {
    /// The rules in their order.
    fn find(&self, said: &Words) -> Option<(Class, &Keyword)> {
        let first = said.words.first()?;
        if !said.is_cut {
            let joined = said.words.concat();
            // Spaces may be anywhere in a stop word, but not in others: "un stop" must not opt anybody in.
            if let Some(word) = self.stop.iter().find(|word| word.words == said.words || word.joined == joined) {
                return Some((Class::Stop, word));
            }
            for (class, list) in [(Class::Start, &self.start), (Class::Help, &self.help), (Class::Review, &self.review)] {
                if let Some(word) = list.iter().find(|word| word.words == said.words) {
                    return Some((class, word));
                }
            }
        }
        // "Stop svp", "Help me": but who writes "Yes, and …" has not asked for messages again.
        for (class, list) in [(Class::Stop, &self.stop), (Class::Help, &self.help)] {
            if let Some(word) = list.iter().find(|word| said.words.starts_with(&word.words)) {
                match (class, said.is_cut) {
                    (_, false) => return Some((class, word)),
                    // A long text that begins so is more than a request.
                    (Class::Stop, true) => return Some((Class::Review, word)),
                    (_, true) => {}
                }
            }
        }
        let is_begun = |word: &&Keyword| first.strip_prefix(&*word.joined).is_some_and(|rest| rest.chars().all(char::is_alphabetic));
        let is_within = |word: &&Keyword| !said.is_cut && said.words.windows(word.words.len()).any(|window| window == word.words);
        let long = || self.stop.iter().filter(|word| word.joined.chars().count() >= LETTERS_MIN);
        long().find(is_begun).or_else(|| long().find(is_within)).map(|word| (Class::Review, word))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/optout.json"))).expect("JSON")
    }

    fn class(text: &str, country: &str) -> Class {
        Keywords::builtin().classify(text, Some(country)).class
    }

    fn named(class: Class) -> &'static str {
        match class {
            Class::Stop => "stop",
            Class::Start => "start",
            Class::Help => "help",
            Class::Review => "review",
            Class::None => "none",
        }
    }

    #[test]
    fn every_labelled_case_is_classified_as_its_label_says() {
        let all = vectors();
        let cases = all["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), 49);
        for case in cases {
            let found = Keywords::builtin().classify(case["text"].as_str().expect("text"), case["country"].as_str());
            assert_eq!(case["action"], named(found.class), "{case}");
            assert_eq!(found.word.is_some(), found.class != Class::None, "{case}");
        }
    }

    #[test]
    fn every_word_of_every_country_is_in_the_file_and_means_what_it_should() {
        let all = vectors();
        let keywords = all["keywords"].as_object().expect("keywords");
        assert_eq!((keywords.len(), Keywords::builtin().countries().len()), (23, 22));
        assert_eq!(Keywords::builtin().made(), "2026-11-21");
        for (country, lists) in keywords {
            for action in ["stop", "start", "help"] {
                for word in lists[action].as_array().into_iter().flatten() {
                    let text = word.as_str().expect("a word");
                    let found = Keywords::builtin().classify(text, Some(country));
                    assert_eq!(named(found.class), action, "{country} {text}");
                    for form in [text.to_lowercase(), format!(" \u{AB}\u{A0}{text}\u{A0}\u{BB} "), format!("{text}!!")] {
                        assert_eq!(class(&form, country), found.class, "{country} {form}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_word_that_told_is_given_as_the_file_writes_it() {
        let word = |text, country| Keywords::builtin().classify(text, Some(country)).word;
        assert_eq!(word("stop all", "GB"), Some("STOP ALL"));
        assert_eq!(word("opt-out now", "US"), Some("OPT OUT"));
        assert_eq!(word("hjalp", "SE"), Some("HJÄLP"));
        assert_eq!(word("Stoppez !", "FR"), Some("STOP"));
        assert_eq!(word("merci", "FR"), None);
    }

    #[test]
    fn stop_counts_everywhere_and_other_words_only_where_they_are_listed() {
        for country in Keywords::builtin().countries().chain(["ZZ", "", "F", "fra", "é"]) {
            assert_eq!(class("Stop", country), Class::Stop, "{country}");
        }
        assert_eq!(Keywords::builtin().classify("stop", None).class, Class::Stop);
        assert_eq!((class("baja", "MX"), class("baja", "DE")), (Class::Stop, Class::None));
        assert_eq!((class("abmelden", "de"), class("abmelden", "FR")), (Class::Stop, Class::None));
        assert_eq!((class("no", "ZA"), class("no", "GB")), (Class::Stop, Class::None));
    }

    #[test]
    fn five_words_that_begin_with_stop_are_a_request_and_six_are_for_a_human() {
        assert_eq!(class("stop sending me these texts", "US"), Class::Stop);
        assert_eq!(class("stop sending me all these texts", "US"), Class::Review);
        assert_eq!(class("please stop sending me these texts", "US"), Class::Stop);
    }

    #[test]
    fn stop_within_a_short_text_is_for_a_human_and_within_a_long_one_nothing() {
        assert_eq!(class("can you stop this", "US"), Class::Review);
        assert_eq!(class("meet me at the next bus stop", "US"), Class::None);
        assert_eq!(class("I said no", "ZA"), Class::None);
    }

    #[test]
    fn nobody_is_opted_in_by_half_a_sentence() {
        assert_eq!(class("yes", "US"), Class::Start);
        assert_eq!(class("yes but call me", "US"), Class::None);
        assert_eq!(class("un stop", "US"), Class::Review);
        assert_eq!(class("s.t.o.p", "US"), Class::Stop);
    }

    #[test]
    fn what_begins_with_a_stop_word_is_for_a_human_only_if_letters_follow() {
        assert_eq!(class("STOPPEZ", "FR"), Class::Review);
        assert_eq!(class("STOP1", "US"), Class::None);
        assert_eq!(class("bonjour", "AE"), Class::None, "B is a stop word there");
    }

    #[test]
    fn courtesy_alone_asks_for_nothing() {
        assert_eq!((class("please", "US"), class("please help", "US")), (Class::None, Class::Help));
    }

    proptest! {
        #[test]
        fn any_text_is_classified(text in any::<String>(), country in any::<Option<String>>()) {
            let found = Keywords::builtin().classify(&text, country.as_deref());
            prop_assert_eq!(found.word.is_some(), found.class != Class::None);
        }

        #[test]
        fn punctuation_round_a_stop_word_never_hides_it(before in "[ .,!?\"«»“”()]{0,9}", after in "[ .,!?\"«»“”()🛑😡]{0,9}") {
            prop_assert_eq!(class(&format!("{before}Stop{after}"), "FR"), Class::Stop);
        }
    }
}
