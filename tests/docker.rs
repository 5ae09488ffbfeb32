//! The configuration of docker/ is right, and its key opens with the pepper that compose.yaml gives. The images are not
//! built here.

use relais::base::Secret;
use relais::config::{KeyHash, MapSecrets, load, report};

const CONFIG: &str = include_str!("../docker/relais.toml");
const COMPOSE: &str = include_str!("../docker/compose.yaml");

#[test]
fn the_gateway_of_compose_has_a_configuration_without_mistake() {
    let mut secrets = MapSecrets::default();
    for line in COMPOSE.lines().filter(|line| line.trim().starts_with("RELAIS_")) {
        let (name, value) = line.trim().split_once(": ").expect("a name and a value");
        secrets = secrets.with_env(name, value);
    }
    let config = load(CONFIG, &secrets).unwrap_or_else(|mistakes| panic!("{}", report("docker/relais.toml", &mistakes)));
    let hash = KeyHash::of(&Secret::new("pepper-for-trying-out"), b"not-a-secret");
    assert!(COMPOSE.contains("RELAIS_PEPPER: pepper-for-trying-out"));
    assert!(config.accounts[0].keys[0].hash.matches(&hash));
}
