//! What an opt-out stops: everything of an account, or one of its senders, campaigns, channels or classes. In: the words
//! of the API and of stored rows. Out: a scope, and the one way to write it. What is not a scope is `None`.

use crate::base::Msisdn;
use crate::message::{Channel, Class};

/// Octets of a sender or campaign in a scope.
pub const NAME_OCTETS_MAX: usize = 64;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everything the account sends.
    All,
    /// What it sends as this sender, in the form of [`sender_form`].
    Sender(String),
    /// What it sends for this campaign, letter by letter.
    Campaign(String),
    /// What travels so. Messages over SMS are meant by those over MMS, too.
    Channel(Channel),
    /// What is for this.
    Class(Class),
}

impl Scope {
    /// Reads `all`, `sender:36111`, `campaign:xmas`, `channel:sms`, `class:marketing`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Scope> {
        if text == "all" {
            return Some(Scope::All);
        }
        let (kind, name) = text.split_once(':')?;
        let is_name = !name.is_empty() && name.len() <= NAME_OCTETS_MAX && !name.chars().any(char::is_control);
        match kind {
            "sender" if is_name => Some(Scope::Sender(sender_form(name))),
            "campaign" if is_name => Some(Scope::Campaign(name.to_owned())),
            "channel" => Channel::from_word(name).map(Scope::Channel),
            "class" => Class::from_word(name).map(Scope::Class),
            _ => None,
        }
    }

    /// As rows and the API have it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Scope::All => "all".to_owned(),
            Scope::Sender(name) => format!("sender:{name}"),
            Scope::Campaign(name) => format!("campaign:{name}"),
            Scope::Channel(channel) => format!("channel:{}", channel.word()),
            Scope::Class(class) => format!("class:{}", class.word()),
        }
    }

    /// The classes it stops when nothing else is said: bit n is the class of priority n.
    #[must_use]
    pub const fn classes(&self) -> u8 {
        match self {
            Scope::Class(class) => 1 << class.priority(),
            _ => EVERY_CLASS,
        }
    }
}

/// All four classes.
pub const EVERY_CLASS: u8 = 0b1111;

/// A sender in the one form in which senders are compared: numbers as digits, names in capitals. `+33 700…` and `33700…`
/// are one sender, and so are `Shop` and `SHOP`.
#[must_use]
pub fn sender_form(text: &str) -> String {
    match Msisdn::parse(text) {
        Ok(number) => number.as_u64().to_string(),
        Err(_) => text.trim().to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["all", "sender:36111", "sender:SHOP", "campaign:Xmas 1:2", "channel:voice", "class:otp"] {
            assert_eq!(Scope::parse(text).map(|scope| scope.text()).as_deref(), Some(text));
        }
        for text in ["", "All", "sender:", "channel:fax", "class:", "campaign:a\u{0}b", "number:1", &format!("sender:{}", "x".repeat(65))] {
            assert_eq!(Scope::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_sender_is_one_however_it_is_written() {
        for (text, form) in [("+33 7 00 00 00 01", "33700000001"), ("33700000001", "33700000001"), ("Shop", "SHOP"), ("36111", "36111")] {
            assert_eq!(sender_form(text), form);
        }
    }
}
