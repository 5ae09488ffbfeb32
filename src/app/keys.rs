//! API keys: made here, shown once, kept as keyed hashes in the configuration.

use crate::base::Secret;
use crate::config::KeyHash;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
