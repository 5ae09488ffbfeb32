//! The commands that need nothing of the lab.

use crate::app::files::{self, AssumedSecrets, SystemSecrets};
use crate::app::output::{eprint, println};
use crate::app::{keys, serve};
use crate::base::Secret;
use crate::config::SecretSource as _;
use crate::world::World;
use std::path::{Path, PathBuf};

/// `relais key`: makes an API key for an account.
#[derive(Clone, Debug, clap::Args)]
pub struct Key {
    /// The key's id: the part before the dot, unique in the configuration.
    pub id: String,
    /// The configuration whose pepper is used; without it the variable RELAIS_PEPPER is read.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// Checks a file; prints every mistake. The exit status.
#[must_use]
pub fn check(path: &Path, assume_secrets: bool) -> u8 {
    let loaded = if assume_secrets { files::load(path, &AssumedSecrets) } else { files::load(path, &SystemSecrets) };
    match loaded {
        Ok(config) => {
            if let Err(wrong) = files::check_rules(&config) {
                eprint(&format!("{}: {wrong}\n", path.display()));
                return serve::NOT_STARTED;
            }
            for warning in &config.warnings {
                eprint(&format!("{}:{}: warning: {warning}\n", path.display(), warning.line));
            }
            println(&format!(
                "{}: right. {} accounts, {} carriers, {} routes, {} webhooks",
                path.display(),
                config.accounts.len(),
                config.carriers.len(),
                config.routes.len(),
                config.webhooks.len()
            ));
            serve::CLEAN
        }
        Err(mistakes) => {
            eprint(&mistakes);
            serve::NOT_STARTED
        }
    }
}

/// Makes a key and prints it with the lines for the configuration. The exit status.
#[must_use]
pub fn key(world: &World, key: &Key) -> u8 {
    let pepper = match &key.config {
        Some(path) => match files::load(path, &SystemSecrets) {
            Ok(config) => config.pepper,
            Err(mistakes) => {
                eprint(&mistakes);
                return serve::NOT_STARTED;
            }
        },
        None => match SystemSecrets.env("RELAIS_PEPPER") {
            Ok(pepper) => Secret::new(pepper),
            Err(_) => {
                eprint("relais: no pepper: give --config, or set RELAIS_PEPPER to 16 octets or more\n");
                return serve::NOT_STARTED;
            }
        },
    };
    let made = keys::make(world, &key.id, &pepper);
    eprint("The key, shown this once. Put the two lines below it into the account's section.\n");
    println(&made.shown);
    println(&format!("\n[[accounts.keys]]\nid = \"{}\"\nhash = \"{}\"", key.id, made.hash));
    serve::CLEAN
}
