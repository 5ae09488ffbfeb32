//! The configuration is read again under load: keys come and go, files are broken and whole again, rules and time zones too.
//! What is wrong is refused whole and what was in use stays; no session is lost by any of it.

use crate::act::rules;
use crate::common::gateway::key;
use crate::common::http::Client;
use crate::common::until;
use crate::rig::{Rig, Wanted};
use crate::{Given, Outcome};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::time::{Duration, Instant};

/// The pepper of the tests' configuration.
const PEPPER: &[u8] = b"pepper-of-the-tests";

/// What is wrong with a configuration, in its text.
const MISTAKES: [(&str, &str); 3] =
    [("[http]\n", "[http]\nno_such_key = 1\n"), ("[[carriers]]\n", "[[carriers\n"), ("port = ", "port = 99999\nporter = ")];

/// F31, F17, INV-18.
pub(crate) fn reload(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-reload", given.seed, &Wanted { more: rules(), ..Wanted::default() });
    // A copy of the rules that this part may break.
    let config = rig.path().join("relais.toml");
    let whole = std::fs::read_to_string(&config).expect("written");
    let (dir, broken_rules) = (rig.path().join("rules"), rig.path().join("rules/broken.toml"));
    let of_all = whole.lines().find_map(|line| line.strip_prefix("dir = ")).expect("rules() names one").trim_matches('"').to_owned();
    crate::stage::copy(std::path::Path::new(&of_all), &dir);
    let whole = whole.replace(&of_all, &dir.to_string_lossy());
    std::fs::write(&config, &whole).expect("ours");
    rig.customers(6, Duration::from_millis(60));
    rig.up();
    rig.rest(300, 500);
    let before = sessions(&rig);
    let (mut rounds, mut longest, mut refusals) = (0_usize, Duration::ZERO, 0_usize);
    while rounds < 4 || (given.goes_on() && rounds < 200) {
        // A key comes with the file, and goes with it.
        let name = format!("round-{rounds}");
        let with =
            whole.replacen("[[carriers]]\n", &format!("[[accounts.keys]]\nid = {name:?}\nhash = {:?}\n[[carriers]]\n", hash(&name)), 1);
        assert_eq!(asked(&rig, &name), 401, "nobody has this key yet");
        longest = longest.max(until_answered(&rig, &config, &with, &name, 200));
        // A file with a mistake changes nothing: the new key stays, although the file does not have it.
        let (from, to) = MISTAKES[rounds % MISTAKES.len()];
        let wrong = whole.replacen(from, to, 1);
        assert_ne!(wrong, whole, "the mistake is in it");
        refusals += refused(&rig, "the configuration is refused", || std::fs::write(&config, &wrong).expect("ours"));
        assert_eq!(asked(&rig, &name), 200, "F31: a file with a mistake revokes nothing");
        // Nor do rules that cannot be read, nor time zones.
        std::fs::write(&config, &with).expect("ours");
        refusals += refused(&rig, "rules or time zones are refused", || std::fs::write(&broken_rules, "[[rule]]\nid = 7\n").expect("ours"));
        assert_eq!(sessions(&rig), before, "F31: no session is lost");
        std::fs::remove_file(&broken_rules).expect("ours");
        longest = longest.max(until_answered(&rig, &config, &whole, &name, 401));
        rounds += 1;
    }
    assert_eq!(sessions(&rig), before, "F31: no session is lost");
    let settled = rig.settle();
    assert_eq!((settled.sum.doubled, settled.sum.labelled, settled.sum.unseen), (0, 0, 0), "INV-9");
    Outcome::Held(settled.figures(json!({
        "rounds": rounds, "refused_files": refusals, "in_force_after_ms_at_most": longest.as_millis() as u64, "sessions_lost": 0,
    })))
}

fn hash(secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(PEPPER).expect("HMAC takes keys of any length");
    mac.update(secret.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Links that are bound, and how often any was made anew.
fn sessions(rig: &Rig) -> (f64, f64) {
    let mut api = rig.gateway().api();
    (api.metric("relais_links_bound", &[]), api.metric("relais_reconnects_total", &[]))
}

/// How a request under this key is answered; the customers' own key is always good.
fn asked(rig: &Rig, name: &str) -> u16 {
    let status = |key: &str| Client::new(rig.gateway().at(), key).call("GET", "/v1/batches", &[], &[]).expect("it runs").status;
    assert_eq!(status(&key()), 200, "F31: the key of the others stays");
    status(&format!("{name}.{name}"))
}

/// Writes the file, gives the signal, and waits until the key is answered so: how long that took.
fn until_answered(rig: &Rig, config: &std::path::Path, text: &str, name: &str, wanted: u16) -> Duration {
    std::fs::write(config, text).expect("ours");
    let began = Instant::now();
    rig.gateway().signal("HUP");
    until("the file is in force", Duration::from_secs(10), || (asked(rig, name) == wanted).then_some(()));
    began.elapsed()
}

/// Breaks something, gives the signal, and waits until the log says that it was refused.
fn refused(rig: &Rig, words: &str, break_it: impl FnOnce()) -> usize {
    let before = rig.log().len();
    break_it();
    rig.gateway().signal("HUP");
    until("it says that it is refused", Duration::from_secs(10), || rig.log()[before..].contains(words).then_some(()));
    1
}
