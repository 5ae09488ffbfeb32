//! Keys: what is none says not why, in its answer as in its time.

use crate::common::api::Api;
use crate::common::gateway::{Gateway, Settings, key};
use crate::common::{Bench, until};
use crate::rig::{KEY, Rig, Setup};
use relais::base::{Secret, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::directory::Keys;
use std::time::{Duration, Instant};

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
/// and compared without an early end. A measurement says the same, below, on a machine that is quiet.
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

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let spread = |all: &[f64]| all.iter().map(|x| (x - mean(all)).powi(2)).sum::<f64>() / (all.len() - 1) as f64 / all.len() as f64;
    (mean(one) - mean(other)) / (spread(one) + spread(other)).sqrt()
}

#[test]
#[allow(clippy::print_stdout)]
#[ignore = "a measurement, for a quiet machine and a release build: cargo test --release --test walls timing -- --ignored"]
fn timing_tells_neither_which_ids_exist_nor_how_much_of_a_secret_is_right() {
    let hash = KeyHash::of(&Secret::new(PEPPER), b"0123456789abcdef0123456789abcdef").to_hex();
    let text = format!(
        "[secrets]\npepper = \"{PEPPER}\"\n[[accounts]]\nname = \"a\"\n[[accounts.keys]]\nid = \"known\"\nhash = \"{hash}\"\n\
         [[carriers]]\nname = \"c\"\nhost = \"127.0.0.1\"\nport = 2775\nsystem_id = \"s\"\npassword = \"p\"\n[[routes]]\nprefix = \"\"\ncarrier = \"c\"\n"
    );
    let config = config::load(&text, &MapSecrets::default()).expect("right");
    let keys = Keys::new(&config.accounts, &config.pepper);
    // Nothing right; an unknown id; all right but the first octet; all right but the last.
    let guesses = [
        "known.ffffffffffffffffffffffffffffffff",
        "other.ffffffffffffffffffffffffffffffff",
        "known.f123456789abcdef0123456789abcdef",
        "known.0123456789abcdef0123456789abcdee",
    ];
    let mut samples = [const { Vec::new() }; 4];
    // All from one place: where a guess lies in memory shows in nanoseconds, too.
    let mut guess = [0; 38];
    for round in 0..160_000usize {
        let which = round.wrapping_mul(2_654_435_761) / 7 % 4;
        guess.copy_from_slice(guesses[which].as_bytes());
        let began = Instant::now();
        for _ in 0..8 {
            assert!(std::hint::black_box(keys.grant(std::hint::black_box(&guess[..]), Time(0))).is_none());
        }
        samples[which].push(began.elapsed().as_nanos() as f64);
    }
    // Interruptions are cut off: they belong to the machine.
    for sample in &mut samples {
        sample.sort_by(f64::total_cmp);
        sample.truncate(sample.len() * 9 / 10);
    }
    let (ids, secrets, octets) = (welch(&samples[0], &samples[1]), welch(&samples[0], &samples[3]), welch(&samples[2], &samples[3]));
    let mean = |n: usize| samples[n].iter().sum::<f64>() / samples[n].len() as f64 / 8.0;
    println!(
        "t of ids {ids:.2}, of secrets {secrets:.2}, of the first octet against the last {octets:.2}; ns: {:.1} {:.1} {:.1} {:.1}",
        mean(0),
        mean(1),
        mean(2),
        mean(3)
    );
    assert!(secrets.abs() < 4.5 && octets.abs() < 4.5, "{secrets} {octets}");
    // Ids are looked up in a table: what may differ is far below what a network shows, and is bounded here.
    assert!((mean(0) - mean(1)).abs() < 50.0, "{ids}");
}
