//! The file of words (`config/rules/keywords.toml`), read strictly: a key nobody knows is a mistake, not a comment.
//!
//! Nothing is classified here, and no file is opened: the text is an argument.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, TableLike};

use super::fold::{WORDS_MAX, words};

/// Why a file of words cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeywordsError {
    /// Not TOML.
    #[error("the keywords are not valid TOML")]
    Syntax,
    /// `made` or `source` is missing: words without a date and an origin are not kept.
    #[error("the keywords need the date they were made and their source")]
    Origin,
    /// A table that is neither `default` nor two capital letters, or no `default`, or a key nobody knows.
    #[error("the keywords have a table or a key that is not known, or no table of default words")]
    Key,
    /// A list that is no list of texts, or a word without letters or of more than five words.
    #[error("the keywords have a list that is not one of words")]
    Word,
}

/// A keyword in the forms it is compared in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Keyword {
    /// As the file has it.
    pub(super) written: String,
    /// Folded.
    pub(super) words: Vec<String>,
    /// The same without spaces: people write OPTOUT and S.T.O.P.
    pub(super) joined: String,
}

/// The words of one country, complete.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Lists {
    pub(super) stop: Vec<Keyword>,
    pub(super) start: Vec<Keyword>,
    pub(super) help: Vec<Keyword>,
    pub(super) review: Vec<Keyword>,
    /// Folded.
    pub(super) courtesy: Vec<String>,
}

/// A whole file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) made: String,
    pub(super) default: Lists,
    /// By ISO 3166 code, in capitals.
    pub(super) countries: BTreeMap<String, Lists>,
}

/// Counts everywhere, in any country's list or not.
const STOP: &str = "STOP";

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<File, KeywordsError> {
    let document = text.parse::<DocumentMut>().map_err(|_| KeywordsError::Syntax)?;
    let file = document.as_table();
    let text_of = |key: &str| file.get(key).and_then(|item| item.as_str()).filter(|text| !text.is_empty()).map(str::to_owned);
    let made = text_of("made").filter(|_| text_of("source").is_some()).ok_or(KeywordsError::Origin)?;
    let default = file.get("default").and_then(|item| item.as_table_like()).ok_or(KeywordsError::Key)?;
    let default = lists(default, &Lists::default())?;
    let mut countries = BTreeMap::new();
    for (key, item) in file {
        match (key, item.as_table_like()) {
            ("made" | "source" | "review_by", None) | ("default", Some(_)) => {}
            (country, Some(table)) if country.len() == 2 && country.bytes().all(|c| c.is_ascii_uppercase()) => {
                countries.insert(country.to_owned(), lists(table, &default)?);
            }
            _ => return Err(KeywordsError::Key),
        }
    }
    Ok(File { made, default, countries })
}

fn lists(table: &dyn TableLike, default: &Lists) -> Result<Lists, KeywordsError> {
    const KNOWN: [&str; 7] = ["source", "note", "stop", "start", "help", "review", "courtesy"];
    if table.iter().any(|(key, _)| !KNOWN.contains(&key)) {
        return Err(KeywordsError::Key);
    }
    let own = |key: &str| list(table, key);
    let mut lists = Lists {
        stop: own("stop")?.unwrap_or_else(|| default.stop.clone()),
        start: own("start")?.unwrap_or_else(|| default.start.clone()),
        help: own("help")?.unwrap_or_else(|| default.help.clone()),
        review: default.review.iter().cloned().chain(own("review")?.unwrap_or_default()).collect(),
        courtesy: default.courtesy.clone(),
    };
    lists.courtesy.extend(own("courtesy")?.unwrap_or_default().into_iter().map(|word| word.joined));
    let stop = keyword(STOP).ok_or(KeywordsError::Word)?;
    if !lists.stop.iter().any(|word| word.joined == stop.joined) {
        lists.stop.push(stop);
    }
    Ok(lists)
}

fn list(table: &dyn TableLike, key: &str) -> Result<Option<Vec<Keyword>>, KeywordsError> {
    let Some(item) = table.get(key) else { return Ok(None) };
    let list = item.as_array().ok_or(KeywordsError::Word)?;
    list.iter().map(|word| word.as_str().and_then(keyword)).collect::<Option<Vec<_>>>().map(Some).ok_or(KeywordsError::Word)
}

/// `None` for what folds to nothing or to more words than a request has.
fn keyword(written: &str) -> Option<Keyword> {
    let found = words(written, &[]);
    let is_one = (1..=WORDS_MAX).contains(&found.words.len()) && !found.is_cut;
    is_one.then(|| Keyword { written: written.to_owned(), joined: found.words.concat(), words: found.words })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "made = \"2026-11-21\"\nsource = \"operators\"\n";

    fn refused(text: &str) -> KeywordsError {
        parse(text).map(|_| ()).expect_err("a mistake")
    }

    #[test]
    fn a_country_has_its_own_words_and_stop_and_the_default_lists_it_lacks() {
        let text = format!("{HEAD}[default]\nstop = [\"END\"]\nstart = [\"GO\"]\nhelp = [\"SOS\"]\n[TR]\nstop = [\"RET\"]\n");
        let file = parse(&text).expect("a file");
        let written = |words: &[Keyword]| words.iter().map(|word| word.written.clone()).collect::<Vec<_>>();
        let turkey = &file.countries["TR"];
        assert_eq!(
            (written(&turkey.stop), written(&turkey.start), written(&turkey.help)),
            (vec!["RET".into(), "STOP".into()], vec!["GO".into()], vec!["SOS".into()])
        );
        assert_eq!(written(&file.default.stop), ["END", "STOP"]);
    }

    #[test]
    fn each_mistake_is_told_by_its_kind() {
        assert_eq!(refused("stop = ["), KeywordsError::Syntax);
        assert_eq!(refused("[default]\nstop = [\"STOP\"]"), KeywordsError::Origin);
        assert_eq!(refused(HEAD), KeywordsError::Key);
        for wrong in ["[default]\nstopp = [\"STOP\"]", "[default]\n[fr]", "[default]\n[FRA]", "[default]\n[\"ÉÉ\"]", "words = 1\n[default]"]
        {
            assert_eq!(refused(&format!("{HEAD}{wrong}")), KeywordsError::Key, "{wrong}");
        }
        for wrong in ["\"STOP\"", "[1]", "[\"\"]", "[\" ! \"]", "[\"a b c d e f\"]"] {
            assert_eq!(refused(&format!("{HEAD}[default]\nstop = {wrong}")), KeywordsError::Word, "{wrong}");
        }
    }
}
