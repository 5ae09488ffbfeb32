//! The file as a whole: text in, a [`Config`] or every mistake out.
//!
//! Fails on text that is not TOML (that mistake alone is then reported: what follows it means nothing), on unknown keys,
//! on wrong values and on sections that contradict each other.

use super::account;
use super::carrier;
use super::check;
use super::consent;
use super::engine;
use super::http;
use super::journal;
use super::law;
use super::limits;
use super::mistake::Mistake;
use super::model::{Config, Setting};
use super::pass::{Known, Pass};
use super::reader::Reader;
use super::route;
use super::rules::{PATH, PEPPER};
use super::secrets::{MapSecrets, SecretSource};
use super::webhook;
use toml_edit::{Document, TableLike};

/// Reads a configuration.
///
/// # Errors
/// Every mistake of the file, in its order, at most `limits::MISTAKES_MAX`.
pub fn load(text: &str, secrets: &dyn SecretSource) -> Result<Config, Vec<Mistake>> {
    let pass = Pass::new(text, secrets, false);
    if text.len() > limits::FILE_BYTES_MAX {
        pass.mistake_at("", 0, format!("{} octets, more than {}", text.len(), limits::FILE_BYTES_MAX), None);
        return Err(pass.finish().0);
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            pass.mistake_at("", at, format!("not TOML: {}", error.message().lines().next().unwrap_or_default()), None);
            return Err(pass.finish().0);
        }
    };
    let mut config = read(&pass, Some(document.as_table()));
    check::check(&config, &pass);
    pass.report_strays(&known_keys());
    let (mistakes, warnings, settings, _) = pass.finish();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    config.warnings = warnings;
    config.settings = settings.into_iter().map(|(path, value)| Setting { path, value }).collect();
    Ok(config)
}

/// Every key there is, with its form, in reading order.
#[must_use]
pub fn known_keys() -> Vec<Known> {
    let secrets = MapSecrets::default();
    let pass = Pass::new("", &secrets, true);
    read(&pass, None);
    pass.finish().3
}

fn read(pass: &Pass<'_>, table: Option<&dyn TableLike>) -> Config {
    let mut r = Reader::new(pass, table, String::new(), 0);
    let config = Config {
        node: r.integer("node", &limits::NODE),
        data_dir: r.text("data_dir", "data", &PATH),
        http: r.table("http", http::read),
        pepper: r.table("secrets", |r| r.optional_secret("pepper", "required with any account", &PEPPER)).unwrap_or_default(),
        rules: r.table("rules", law::read),
        accounts: r.list_of_tables("accounts", limits::ACCOUNTS_MAX, account::read),
        carriers: r.list_of_tables("carriers", limits::CARRIERS_MAX, carrier::read),
        routes: r.list_of_tables("routes", limits::ROUTES_MAX, route::read),
        webhooks: r.list_of_tables("webhooks", limits::WEBHOOKS_MAX, webhook::read),
        webhook_rules: r.table("webhook_rules", webhook::read_rules),
        journal: r.table("journal", journal::read),
        engine: r.table("engine", engine::read),
        consent: r.table("consent", consent::read),
        log: r.table("log", engine::read_log),
        warnings: Vec::new(),
        settings: Vec::new(),
    };
    r.finish();
    config
}
