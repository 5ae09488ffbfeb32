//! API keys: made here, shown once, kept as keyed hashes in the configuration, and read from it again while the gateway runs.

use crate::app::files::{self, SystemSecrets};
use crate::base::Secret;
use crate::config::KeyHash;
use crate::engine::Engine;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::Path;

/// Mistakes of a configuration read anew that are told in the log: `relais check` tells all.
const SHOWN_MAX: usize = 10;

/// A new key.
pub struct NewKey {
    /// What the customer sends: `id.secret`.
    pub shown: String,
    /// What the configuration holds.
    pub hash: String,
}

/// Makes a key of 192 random bits.
#[must_use]
pub fn make(world: &World, id: &str, pepper: &Secret) -> NewKey {
    let mut octets = [0; 24];
    world.entropy.fill(&mut octets);
    let secret = URL_SAFE_NO_PAD.encode(octets);
    let hash = KeyHash::of(pepper, secret.as_bytes()).to_hex();
    NewKey { shown: format!("{id}.{secret}"), hash }
}

/// A signing secret for a webhook: `whsec_` and 32 random octets.
#[must_use]
pub fn webhook_secret(world: &World) -> String {
    let mut octets = [0; 32];
    world.entropy.fill(&mut octets);
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(octets))
}

/// Takes the keys from the configuration as it is written now; nothing else of it. A mistake anywhere in it leaves those in use.
/// What became of it is in the log.
pub fn reload(engine: &Engine, path: &Path) {
    match files::load(path, &SystemSecrets) {
        Ok(config) => {
            let replaced = engine.keys.replace(&engine.config.accounts, &config.accounts, &config.pepper);
            tracing::info!(keys = replaced.keys, revoked = replaced.revoked, "keys are in force");
        }
        Err(mistakes) => {
            for mistake in mistakes.lines().take(SHOWN_MAX) {
                tracing::error!(mistake, "the configuration is refused; the keys in use stay, also those it revokes");
            }
        }
    }
}
