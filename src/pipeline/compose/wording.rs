//! The wordings of a message: one text, or several of which the first that fits is taken (`variants`), or one or several a
//! locale (`texts`). Read once for all recipients that share them; a bulk has few of them, and the last ones are kept.

use super::template::Template;
use crate::pipeline::accept::{Code, Refusal, Words};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Wordings kept: a bulk has one, a mix of bulks on one connection a few.
const KEPT: usize = 8;
/// Most variants of one locale, and most locales.
const LIST_MAX: usize = 32;

/// The wordings of one message, read.
#[derive(Debug)]
pub(super) struct Wordings {
    source: Source,
    /// By locale, in small letters; what is for all others last, under the empty name.
    locales: Vec<(Box<str>, Vec<Wording>)>,
}

/// One wording.
#[derive(Debug)]
pub(super) struct Wording {
    /// As the customer wrote it.
    pub(super) source: Box<str>,
    /// What was read.
    pub(super) template: Template,
}

/// What they were read from.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    text: Option<Box<str>>,
    variants: Option<Box<str>>,
    texts: Option<Box<str>>,
}

impl Source {
    fn is(&self, words: &Words<'_>) -> bool {
        self.text.as_deref() == words.text && self.variants.as_deref() == words.variants && self.texts.as_deref() == words.texts
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
}

impl Wordings {
    fn read(words: &Words<'_>) -> Result<Wordings, Refusal> {
        let owned = |text: Option<&str>| text.map(Box::from);
        let source = Source { text: owned(words.text), variants: owned(words.variants), texts: owned(words.texts) };
        let mut locales = Vec::new();
        if let Some(texts) = words.texts {
            let wrong = || Refusal::new(Code::WrongType, "/texts", "expected an object of locales, each a text or a list of texts");
            let texts: BTreeMap<Cow<'_, str>, OneOrMany<'_>> = serde_json::from_str(texts).map_err(|_| wrong())?;
            if texts.is_empty() || texts.len() > LIST_MAX {
                return Err(Refusal::new(Code::OutOfRange, "/texts", "expected 1 to 32 locales"));
            }
            for (locale, text) in texts {
                let list = match text {
                    OneOrMany::One(text) => vec![text],
                    OneOrMany::Many(texts) => texts,
                };
                locales.push((plain(&locale).ok_or_else(wrong)?, compiled(&list, "/texts")?));
            }
        }
        if let Some(variants) = words.variants {
            let list: Vec<Cow<'_, str>> = serde_json::from_str(variants)
                .map_err(|_| Refusal::new(Code::WrongType, "/variants", "expected a list of texts, the one liked best first"))?;
            locales.push(("".into(), compiled(&list, "/variants")?));
        } else if let Some(text) = words.text {
            locales.push(("".into(), compiled(&[Cow::Borrowed(text)], "/text")?));
        }
        Ok(Wordings { source, locales })
    }

    /// The texts for a locale, the one liked best first: of the locale itself, of its language; the same of the second
    /// locale; of all others.
    fn of(&self, locales: [Option<&str>; 2]) -> Result<&[Wording], Refusal> {
        if self.locales.len() == 1 && self.locales[0].0.is_empty() {
            return Ok(&self.locales[0].1);
        }
        let named = |name: &str| self.locales.iter().find(|(other, _)| **other == *name).map(|(_, texts)| &**texts);
        let mut is_given = false;
        for wanted in locales.into_iter().flatten().filter_map(plain).filter(|wanted| !wanted.is_empty()) {
            is_given = true;
            if let Some(texts) = named(&wanted).or_else(|| named(wanted.split('-').next().unwrap_or_default())) {
                return Ok(texts);
            }
        }
        named("").ok_or_else(|| {
            let detail = if is_given {
                "no text for this locale, and none for all others"
            } else {
                "there are texts by locale, and neither a locale nor a text for all others"
            };
            Refusal::new(Code::MissingText, "/text", detail)
        })
    }
}

fn compiled(list: &[Cow<'_, str>], pointer: &'static str) -> Result<Vec<Wording>, Refusal> {
    if list.is_empty() || list.len() > LIST_MAX {
        return Err(Refusal::new(Code::OutOfRange, pointer, "expected 1 to 32 texts"));
    }
    let place = |index: usize| if list.len() == 1 { pointer.to_owned() } else { format!("{pointer}/{index}") };
    let read = |(index, text): (usize, &Cow<'_, str>)| {
        Template::compile(text, &place(index)).map(|template| Wording { source: (&**text).into(), template })
    };
    list.iter().enumerate().map(read).collect()
}

/// A locale in small letters with hyphens (BCP 47, as `fr`, `pt-br`); `None` when it is none.
fn plain(locale: &str) -> Option<Box<str>> {
    let is_sound = locale.len() <= 35 && locale.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_sound.then(|| locale.replace('_', "-").to_ascii_lowercase().into())
}

/// The wordings read last.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: Vec<Wordings>,
}

impl Shelf {
    /// The texts for a message, the one liked best first.
    ///
    /// # Errors
    /// `wrong_type`, `out_of_range`, `template_error`, `missing_text`.
    pub(super) fn texts(&mut self, words: &Words<'_>) -> Result<&[Wording], Refusal> {
        let at = match self.kept.iter().position(|kept| kept.source.is(words)) {
            Some(at) => at,
            None => {
                let made = Wordings::read(words)?;
                if self.kept.len() >= KEPT {
                    self.kept.remove(0);
                }
                self.kept.push(made);
                self.kept.len() - 1
            }
        };
        self.kept[at].of([words.locale, words.common_locale])
    }
}
