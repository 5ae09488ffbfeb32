//! `[consent]`: opt-outs and what is answered to those who write.

use super::limits;
use super::reader::Reader;
use super::rules::{ACCOUNT_NAME, COUNTRY, REPLY};
use super::values::Choices;

/// Opt-outs of all accounts.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Opt-outs and preferences that customers may bring, all accounts together.
    pub suppressions_max: u64,
    /// Sends remembered for caps and the guard against repeats, all accounts together.
    pub caps_max: u64,
    /// What happens when opt-outs were lost.
    pub after_loss: AfterLoss,
    /// Countries, besides the United States, where any wording that may mean stop counts as stop.
    pub review_stops: Vec<String>,
    /// The first that fits is answered; none: nothing is.
    pub replies: Vec<Reply>,
}

/// What is done when opt-outs were lost with their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AfterLoss {
    /// Marketing and service messages wait.
    Hold,
    /// They are sent to whoever is not known to have opted out.
    Send,
}
const AFTER_LOSS: &Choices<AfterLoss> = &[("hold", AfterLoss::Hold), ("send", AfterLoss::Send)];

/// What is answered, for some accounts and countries.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Empty = all.
    pub accounts: Vec<String>,
    /// Empty = all.
    pub countries: Vec<String>,
    /// To a stop that is new; empty = nothing.
    pub stop: String,
    /// To a start that took a stop back; empty = nothing.
    pub start: String,
    /// To a call for help; empty = nothing.
    pub help: String,
}

pub(super) fn read(r: &mut Reader<'_>) -> Consent {
    Consent {
        suppressions_max: u64::from(r.integer("suppressions_max", &limits::SUPPRESSIONS)),
        caps_max: u64::from(r.integer("caps_max", &limits::CAPS)),
        after_loss: r.choice("after_loss", AFTER_LOSS),
        review_stops: r.texts("review_stops", &COUNTRY, limits::COUNTRIES_MAX),
        replies: r.list_of_tables("replies", limits::REPLIES_MAX, reply),
    }
}

fn reply(r: &mut Reader<'_>) -> Reply {
    Reply {
        accounts: r.texts("accounts", &ACCOUNT_NAME, limits::ACCOUNTS_MAX),
        countries: r.texts("countries", &COUNTRY, limits::COUNTRIES_MAX),
        stop: r.text("stop", "", &REPLY),
        start: r.text("start", "", &REPLY),
        help: r.text("help", "", &REPLY),
    }
}
