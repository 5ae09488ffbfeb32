//! One thing wrong in the file, said so that it can be put right without another look at the manual.
//!
//! Never holds the value of a secret.

use std::fmt;

/// What is wrong, where, and what was probably meant. Also used for warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The dotted path of the key, such as `carriers[1].window`; empty when the file as a whole is meant.
    pub key: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, lower case, without a full stop.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// `12:1: carriers[0].windw: unknown key; did you mean `window`?`
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The mistakes as lines that editors can jump to: `config/relais.toml:12:1: carriers[0].windw: unknown key; …`
#[must_use]
pub fn report(file: &str, mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{file}:{mistake}\n")).collect()
}
