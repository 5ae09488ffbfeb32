//! Keys: what is none says not why, in its answer as in its time.

use crate::common::api::Api;
use crate::common::gateway::{Gateway, Settings, key};
use crate::common::{Bench, until};
use crate::rig::{KEY, Rig, Setup};
use relais::base::Secret;
use relais::config::KeyHash;
use std::time::Duration;

const PEPPER: &str = "0123456789abcdef";

/// A key that is over, beside those of the rig; its secret is `fifth-secret`.
fn expired() -> &'static str {
    let hash = KeyHash::of(&Secret::new(PEPPER), b"fifth-secret").to_hex();
    let key =
        format!("[[accounts.keys]]\nid = \"over\"\nhash = \"{hash}\"\nscopes = [\"send\", \"read\"]\nexpires = \"2025-01-01T00:00:00Z\"");
    Box::leak(key.into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_wrong_over_or_anothers_is_answered_octet_for_octet_alike() {
    let rig = Rig::start(Setup { account: expired(), ..Setup::default() }).await;
    let first = rig.call("GET", "/v1/batches", &[("x-api-key", "nobody.nothing")], b"").await;
    assert_eq!(first.status, 401);
    let long = format!("shop.{}", "x".repeat(4_000));
    for key in ["shop.wrong", "over.fifth-secret", "else.first-secret", "shop.", "shop", ".first-secret", "SHOP.first-secret", &long] {
        let answer = rig.call("GET", "/v1/batches", &[("x-api-key", key)], b"").await;
        let but_date = |headers: &[(String, String)]| headers.iter().filter(|(name, _)| name != "date").cloned().collect::<Vec<_>>();
        assert_eq!((answer.status, &answer.body), (401, &first.body), "{key}");
        assert_eq!(but_date(&answer.headers), but_date(&first.headers), "{key}");
    }
    assert_eq!(rig.call("GET", "/v1/batches", &[("x-api-key", KEY)], b"").await.status, 200);
}

#[test]
fn a_revoked_key_opens_nothing_from_the_signal_on_and_a_mistake_in_the_file_revokes_nothing() {
    let bench = Bench::new("revoked");
    let file = Settings { smsc: 1, ..Settings::default() }.write(bench.path());
    let text = std::fs::read_to_string(&file).expect("it was written");
    let mut gateway = Gateway::start(bench.path());
    let (mut old, mut new) = (gateway.api(), Api::new(gateway.at(), &key().replace("tests.", "second.")));
    let mut statuses = || [&mut old, &mut new].map(|api| api.get("/v1/batches").expect("it answers").status);
    assert_eq!(statuses(), [200, 401]);
    let log = || std::fs::read_to_string(bench.path().join("relais.log")).unwrap_or_default();
    let write = |text: &str, told: &str| {
        let before = log().matches(told).count();
        std::fs::write(&file, text).expect("it is ours");
        gateway.signal("HUP");
        until(told, Duration::from_secs(60), || (log().matches(told).count() > before).then_some(()));
    };
    // Half written, wrong elsewhere: nothing of it is taken.
    let second = text.replace("id = \"tests\"", "id = \"second\"");
    assert_ne!(second, text);
    write(&second.replace("listen =", "lisdten ="), "the configuration is refused");
    assert_eq!(statuses(), [200, 401]);
    // The connections are those of before: what counts is each request.
    write(&second, "keys are in force");
    assert_eq!(statuses(), [401, 200]);
    write(&text, "keys are in force");
    assert_eq!(statuses(), [200, 401]);
    assert!(!gateway.has_ended() && gateway.stop().success());
}

/// The two places a key is judged in, as they stand in the source: the hash is made before anything is known of the id,
/// and compared without an early end. A measurement says the same, in `timing`, on a machine that is quiet.
#[test]
fn the_work_for_a_key_does_not_depend_on_its_id_and_comparing_has_no_early_end() {
    let keys = include_str!("../../src/directory/keys.rs");
    let grant = &keys[keys.find("pub fn grant").expect("it is there")..keys.find("/// The keys in use").expect("a ring")];
    let (made, compared, known) = (grant.find("KeyHash::of("), grant.find(".matches(&hash)"), grant.find("found.filter("));
    assert!(made.is_some() && made < compared && compared < known, "made, compared, and only then is it asked whether the id is known");
    let after_split = &grant[grant.find("let dot").expect("a split")..compared.expect("a comparison")];
    assert!(!after_split.contains('?') && !after_split.contains("return"), "no way out before the comparison");
    let hash = include_str!("../../src/config/key.rs");
    assert!(hash.contains("self.0.ct_eq(&other.0).into()"));
    assert!(!hash.contains("PartialEq"), "nobody compares hashes in another way");
}
