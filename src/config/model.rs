//! The configuration as the rest of the gateway sees it: plain data, all of it checked.

use super::account::Account;
use super::carrier::Carrier;
use super::consent::Consent;
use super::engine::{Engine, Log};
use super::http::Http;
use super::journal::Journal;
use super::law::RuleFiles;
use super::mistake::Mistake;
use super::route::Route;
use super::webhook::{Webhook, WebhookRules};
use crate::base::Secret;
use std::path::PathBuf;

/// Everything the gateway is told. Made by `file::load` alone, so that no part of it contradicts another.
#[derive(Clone, Debug)]
pub struct Config {
    /// 0 to 31; part of every message id, so unique among nodes that ever shared customers.
    pub node: u8,
    /// Where the journal and its ballast are.
    pub data_dir: PathBuf,
    /// The key of API-key hashes; empty only when there are no accounts.
    pub pepper: Secret,
    /// The HTTP listener.
    pub http: Http,
    /// The durable store.
    pub journal: Journal,
    /// Threads and memory.
    pub engine: Engine,
    /// Opt-outs and the answers to them.
    pub consent: Consent,
    /// The log.
    pub log: Log,
    /// Where rules and time zones are read from.
    pub rules: RuleFiles,
    /// Who may send.
    pub accounts: Vec<Account>,
    /// Who carries.
    pub carriers: Vec<Carrier>,
    /// First match wins; each names a carrier above.
    pub routes: Vec<Route>,
    /// Who is told; each names an account above.
    pub webhooks: Vec<Webhook>,
    /// Where webhooks may go.
    pub webhook_rules: WebhookRules,
    /// What is allowed but should be looked at.
    pub warnings: Vec<Mistake>,
    /// Every key in force, in reading order; secrets as dots.
    pub settings: Vec<Setting>,
}

/// One key in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `carriers[0].window`.
    pub path: String,
    /// As TOML; secrets, hashes and the paths of webhooks as `…`.
    pub value: String,
}

impl Config {
    /// Every key in force with its value, a line each, without secrets: for support.
    #[must_use]
    pub fn render_redacted(&self) -> String {
        self.settings.iter().map(|setting| format!("{} = {}\n", setting.path, setting.value)).collect()
    }
}
