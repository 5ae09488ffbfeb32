//! Texts with filters and conditions, in the language of Jinja: `Dear {{ name|default("customer") }}{% if vip %}, thank
//! you{% endif %}`. Read once, rendered for each recipient by `minijinja`.
//!
//! A customer's text is a stranger's program: it may branch and call the filters listed here, and nothing else. There are no
//! loops, no variables of its own, no repetition (`*`), no lists, so that a text grows no faster than its source times its
//! values; fuel bounds the steps, and what is written is bounded as it is written. What is wrong is told with line and
//! column when the text is read, not when the first recipient is rendered.

use super::filters;
use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Steps of one rendering: a text of 64 segments takes a few hundred.
const FUEL: u64 = 20_000;

/// Words and signs of one hole or statement: the library walks them by recursion, and its own bound counts parentheses alone.
const TOKENS_MAX: usize = 100;

/// Conditions within conditions.
const DEPTH_MAX: usize = 16;

/// The only statements.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "raw", "endraw"];

/// What is wrong with a source, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// Octets before it, in the source.
    pub at: usize,
    /// What it is; holds nothing of the recipient's.
    pub why: String,
}

/// Why a script did not render.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failed {
    /// This name has no value and no default.
    Missing(Box<str>),
    /// The text would be longer than allowed.
    TooLong,
    /// A filter or an operator was given what it does not take, or the steps ran out.
    Other(String),
}

/// A script, ready to be rendered.
pub struct Script {
    environment: Environment<'static>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    /// Reads a source.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(source: &str) -> Result<Script, Wrong> {
        check(source)?;
        let mut environment = base().clone();
        environment.add_template_owned("text", source.to_owned()).map_err(|error| Wrong {
            at: error.range().map_or(0, |range| range.start.min(source.len())),
            why: error.detail().unwrap_or("cannot be read").to_owned(),
        })?;
        Ok(Script { environment })
    }

    /// Appends the text to `out`, with these names and values; at most `len_max` octets.
    ///
    /// # Errors
    /// [`Failed`]; `out` is then as it was.
    pub fn render<'v>(&self, values: impl Iterator<Item = (&'v str, &'v str)>, out: &mut String, len_max: usize) -> Result<(), Failed> {
        let values: Vec<(Box<str>, Value)> = values.map(|(name, value)| (name.into(), Value::from(value))).collect();
        let given = Arc::new(Given { values, missing: Mutex::default() });
        filters::begin();
        let template = self.environment.get_template("text").expect("compile added it");
        let mut sink = Bounded { octets: Vec::new(), left: len_max, is_over: false };
        match template.render_captured_to(Value::from_dyn_object(given.clone()), &mut sink) {
            Ok(_) => {
                out.push_str(std::str::from_utf8(&sink.octets).expect("text is rendered from text"));
                Ok(())
            }
            Err(_) if sink.is_over => Err(Failed::TooLong),
            Err(error) => Err(given.why(&error)),
        }
    }
}

/// The environment all scripts share.
fn base() -> &'static Environment<'static> {
    static BASE: OnceLock<Environment<'static>> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        filters::add(&mut environment);
        environment
    })
}

/// The values of one recipient, and which name was asked for in vain.
#[derive(Debug)]
struct Given {
    values: Vec<(Box<str>, Value)>,
    missing: Mutex<Option<Box<str>>>,
}

impl Given {
    fn why(&self, error: &Error) -> Failed {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (error.kind(), missing) {
            (ErrorKind::UndefinedError | ErrorKind::InvalidOperation, Some(name)) => Failed::Missing(name),
            // A detail may hold a value: only kinds are told.
            (ErrorKind::OutOfFuel, _) => Failed::Other("it takes too many steps".to_owned()),
            (kind, _) => {
                let kind = filters::reason(error).map_or_else(|| kind.to_string(), str::to_owned);
                Failed::Other(match error.line() {
                    Some(line) => format!("{kind} in line {line}"),
                    None => kind,
                })
            }
        }
    }
}

impl Object for Given {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let found = self.values.iter().find(|(other, _)| **other == *name).map(|(_, value)| value.clone());
        // The name asked for last, if it was asked for in vain, is what an error is about.
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = found.is_none().then(|| name.into());
        found
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// Takes so many octets and no more.
struct Bounded {
    octets: Vec<u8>,
    left: usize,
    is_over: bool,
}

impl io::Write for &mut Bounded {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if octets.len() > self.left {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= octets.len();
        self.octets.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Looks at every word of a source's code: statements, filters, tests and signs that are not for customers are refused here.
fn check(source: &str) -> Result<(), Wrong> {
    let mut at = 0;
    let (mut is_raw, mut depth) = (false, 0_usize);
    while let Some(open) = source[at..].find('{').map(|found| at + found) {
        let (close, is_statement) = match source.as_bytes().get(open + 1) {
            Some(b'{') if !is_raw => ("}}", false),
            Some(b'%') => ("%}", true),
            Some(b'#') if !is_raw => {
                let end = source[open..].find("#}").ok_or_else(|| wrong(open, "a comment is not closed"))?;
                at = open + end + 2;
                continue;
            }
            _ => {
                at = open + 1;
                continue;
            }
        };
        let inside = open + 2;
        let tokens = Tokens { source, at: inside, close };
        let first = tokens.clone().next().transpose()?;
        let word = first.and_then(|(_, token)| if let Token::Word(word) = token { Some(word) } else { None });
        if is_raw && word != Some("endraw") {
            at = inside;
            continue;
        }
        if is_statement {
            match word {
                Some(word) if STATEMENTS.contains(&word) => {
                    is_raw = word == "raw";
                    depth += usize::from(word == "if");
                    depth -= usize::from(word == "endif" && depth > 0);
                    if depth > DEPTH_MAX {
                        return Err(wrong(inside, "at most 16 conditions within each other"));
                    }
                }
                _ => return Err(wrong(inside, "statements are if, elif, else, endif, raw and endraw")),
            }
        }
        at = words(tokens)?;
    }
    Ok(())
}

fn wrong(at: usize, why: impl Into<String>) -> Wrong {
    Wrong { at, why: why.into() }
}

/// Looks at the words of one piece of code; where it ends.
fn words(mut tokens: Tokens<'_>) -> Result<usize, Wrong> {
    let (mut before, mut is_test) = (' ', false);
    let mut count = 0;
    while let Some(found) = tokens.next() {
        let (at, token) = found?;
        count += 1;
        if count > TOKENS_MAX {
            return Err(wrong(at, "a hole or a statement has at most 100 words and signs"));
        }
        match token {
            Token::Word(word) if before == '|' && !filters::NAMES.contains(&word) => {
                return Err(wrong(at, format!("there is no filter of this name; there are {}", filters::NAMES.join(", "))));
            }
            Token::Word("not") if is_test => {}
            Token::Word(word) if is_test => {
                if !matches!(word, "defined" | "undefined") {
                    return Err(wrong(at, "a text can be asked whether it is defined or undefined"));
                }
                is_test = false;
            }
            Token::Word(word) => is_test = word == "is" && before != '|',
            Token::Sign(sign) if "*[]{}:;@$^&!".contains(sign) && !(sign == '!' && tokens.source[at..].starts_with("!=")) => {
                return Err(wrong(at, "a sign that texts do not use"));
            }
            Token::Sign(_) | Token::Value => {}
        }
        before = if let Token::Sign(sign) = token { sign } else { ' ' };
    }
    Ok(tokens.at)
}

#[derive(Clone, Copy, Debug)]
enum Token<'s> {
    Word(&'s str),
    Sign(char),
    /// A string or a number.
    Value,
}

/// The words and signs of a piece of code, up to its end.
#[derive(Clone)]
struct Tokens<'s> {
    source: &'s str,
    at: usize,
    close: &'static str,
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Result<(usize, Token<'s>), Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.source[self.at..];
            if rest.starts_with(self.close) || rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(self.close)) {
                self.at += rest.find(self.close).unwrap_or_default() + self.close.len();
                return None;
            }
            let start = self.at;
            let Some(first) = rest.chars().next() else { return Some(Err(wrong(start, "a hole or a statement is not closed"))) };
            self.at += first.len_utf8();
            let token = match first {
                c if c.is_whitespace() => continue,
                '"' | '\'' => {
                    let mut is_escaped = false;
                    let end = rest[1..].find(|c| {
                        let was_escaped = is_escaped;
                        is_escaped = c == '\\' && !was_escaped;
                        c == first && !was_escaped
                    });
                    let Some(end) = end else { return Some(Err(wrong(start, "a string is not closed"))) };
                    self.at = start + end + 2;
                    Token::Value
                }
                c if c.is_ascii_digit() => {
                    self.at = start + rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                    Token::Value
                }
                c if c.is_alphabetic() || c == '_' => {
                    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                    self.at = start + end;
                    Token::Word(&rest[..end])
                }
                c => Token::Sign(c),
            };
            return Some(Ok((start, token)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, values: &[(&str, &str)]) -> Result<String, Failed> {
        let mut out = String::new();
        Script::compile(source).expect("a script").render(values.iter().copied(), &mut out, 1_000)?;
        Ok(out)
    }

    #[test]
    fn filters_conditions_and_defaults_do_what_they_say() {
        let values = [("name", "zoé martin"), ("price", "12.5"), ("when", "2026-12-01"), ("vip", "yes"), ("empty", "")];
        for (source, text) in [
            ("Hi {{ name|title }}!", "Hi Zoé Martin!"),
            ("Hi {{ first|default('you') }}, {{ empty|d('-') }}", "Hi you, -"),
            ("{% if vip %}A{% else %}B{% endif %}{% if first is defined %}C{% endif %}", "A"),
            ("{% if price|float > 10 and not empty %}dear{% elif x is undefined %}y{% endif %}", "dear"),
            ("{{ price|fixed(2, ',') }} EUR", "12,50 EUR"),
            ("{{ when|date('%d/%m/%Y') }} {{ '2026-12-01T09:30:00+01:00'|date('%H:%M') }}", "01/12/2026 09:30"),
            ("{{ name|truncate(5, '.') }} {{ name|replace('zoé', 'Léa')|upper }}", "zoé . LÉA MARTIN"),
            ("{# not sent #}{% raw %}{{ name }}{% endraw %}{{ '}}' }}", "{{ name }}}}"),
            ("{{ price|int + 1 }} {{ name|length }} {{ 'a' ~ 'b' if vip else 'c' }}", "13 10 ab"),
        ] {
            assert_eq!(rendered(source, &values).as_deref(), Ok(text), "{source}");
        }
    }

    #[test]
    fn a_name_without_value_and_default_is_named() {
        assert_eq!(rendered("Hi {{ first|upper }}", &[]), Err(Failed::Missing("first".into())));
        assert_eq!(rendered("{% if vip %}{{ code|upper }}{% endif %}", &[("vip", "")]).as_deref(), Ok(""));
        assert!(matches!(rendered("{{ x|fixed(2) }}", &[("x", "secret")]), Err(Failed::Other(why)) if !why.contains("secret")));
    }

    #[test]
    fn what_a_customer_may_not_do_is_refused_when_it_is_read() {
        for (source, at) in [
            ("{% for x in y %}{% endfor %}", 2),
            ("{% set x = 1 %}", 2),
            ("{% include 'a' %}", 2),
            ("{{ x|join }}", 5),
            ("{{ 'a' * 9 }}", 7),
            ("{{ x[0] }}", 4),
            ("{{ x is odd }}", 8),
            ("{{ x", 4),
            ("ab {% if x %}c", 13),
            ("{{ 'x }}", 3),
            ("{# x", 0),
        ] {
            let wrong = Script::compile(source).expect_err(source);
            assert_eq!(wrong.at, at, "{source}: {}", wrong.why);
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let long = "a".repeat(8_000);
        let chain = format!("{{{{ x{} }}}}", "|replace('a', x)".repeat(10));
        assert!(matches!(rendered(&chain, &[("x", &long)]), Err(Failed::Other(_))));
        assert_eq!(rendered("{{ x }}", &[("x", &long)]), Err(Failed::TooLong));
        assert!(Script::compile(&format!("{{{{ 1{} }}}}", "+1".repeat(30_000))).is_err());
        assert!(Script::compile(&format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000))).is_err());
        assert!(Script::compile(&"{% if x %}".repeat(5_000)).is_err());
        assert!(matches!(rendered("{{ '2026-01-01'|date('%900d') }}", &[]), Err(Failed::Other(_))));
    }

    proptest::proptest! {
        #[test]
        fn any_source_is_refused_or_rendered_within_its_bound(source in "([{}%#|a'\" ]|\\{\\{|\\}\\}|\\{%|%\\}|if|endif|upper|default|is|not|-){0,40}", value: String) {
            if let Ok(script) = Script::compile(&source) {
                let mut out = String::new();
                let _ = script.render([("a", &*value)].into_iter(), &mut out, 500);
                proptest::prop_assert!(out.len() <= 500);
            }
        }
    }
}
