//! The file that ships, the least file there can be, and what a file becomes.

use super::{
    Address, Alphabet, Backend, Bind, Class, Concat, Config, Doubt, HookEvent, IdBase, KeyHash, MapSecrets, Scope, Split, StatusClass,
    known_keys, load, report,
};
use crate::base::{Secret, Span, Time};
use std::collections::{BTreeMap, BTreeSet};

const SHIPPED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/relais.toml"));
const LOOPBACK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/carriers/loopback.toml"));
const CAREFUL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/carriers/careful.toml"));

/// One account, one carrier, one route: the least that sends a message. The tests of wrong files start from it.
pub(super) const LEAST: &str = r#"[secrets]
pepper = { env = "PEPPER" }

[[accounts]]
name = "shop"

[[accounts.keys]]
id = "k1"
hash = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

[[carriers]]
name = "main"
host = "smsc.example.net"
system_id = "relais"
password = { file = "/run/password" }

[[routes]]
prefix = ""
carrier = "main"
"#;

const SIGNING: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) fn secrets() -> MapSecrets {
    MapSecrets::default()
        .with_env("PEPPER", "pepper of the tests")
        .with_env("SIGNING", SIGNING)
        .with_file("/run/password", "pass\r\n")
        .with_file("/run/short", "x")
        .with_file("/run/long", &"x".repeat(100_000))
        .with_env("RELAIS_PEPPER", "pepper of the shipped file")
        .with_env("RELAIS_MAIN_PASSWORD", "secret")
        .with_env("RELAIS_LOOPBACK_PASSWORD", "secret")
        .with_file("/run/secrets/careful_password", "secret")
        .with_env("RELAIS_EXAMPLE_WEBHOOK", SIGNING)
        .with_env("RELAIS_EXAMPLE_WEBHOOK_BEFORE", SIGNING)
}

fn good(text: &str) -> Config {
    load(text, &secrets()).unwrap_or_else(|mistakes| panic!("{}", report("test.toml", &mistakes)))
}

/// The shipped file with its examples switched on.
fn uncommented() -> String {
    let example = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        let is_header = rest.starts_with('[') && rest.ends_with(']');
        let key = rest.split_once(" = ").map_or("", |(key, _)| key.trim_matches('"'));
        let is_key = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        (is_header || is_key).then(|| format!("{rest}\n"))
    };
    SHIPPED.lines().map(|line| example(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}

/// Each key of a file with the comment above it.
fn keys_with_comments(text: &str) -> BTreeMap<String, String> {
    let (mut table, mut comment, mut lists, mut keys) = (String::new(), String::new(), BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(words) = line.strip_prefix('#') {
            comment = format!("{comment} {}", words.trim());
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let name = header.trim_matches(['[', ']']).to_owned();
            if header.starts_with('[') {
                lists.insert(name.clone());
            }
            let parts: Vec<&str> = name.split('.').collect();
            let with_marks =
                (1..=parts.len()).map(|n| format!("{}{}", parts[n - 1], if lists.contains(&parts[..n].join(".")) { "[]" } else { "" }));
            table = with_marks.collect::<Vec<_>>().join(".");
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = if key.starts_with('"') { "*" } else { key };
            keys.insert(if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }, comment.trim().to_owned());
        }
        comment.clear();
    }
    keys
}

#[test]
fn the_shipped_file_is_right_and_so_are_its_examples() {
    let config = good(SHIPPED);
    assert_eq!(config.warnings, []);
    let config = good(&uncommented());
    assert!(config.http.tls.is_some());
    let key: Vec<u8> = (0..32).collect();
    assert_eq!(config.webhooks[0].signing_keys(), [key.clone(), key]);
    assert_eq!(config.carriers[0].status, BTreeMap::from([(0x45, StatusClass::Temporary)]));
}

#[test]
fn the_shipped_file_has_every_key_and_says_of_each_what_it_may_be() {
    let written = keys_with_comments(&uncommented());
    let known = known_keys();
    let names = |paths: Vec<&String>| paths.into_iter().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(written.keys().collect()), names(known.iter().map(|known| &known.path).collect()));
    for known in known {
        let comment = &written[&known.path];
        assert!(comment.ends_with(&known.form), "the comment of {} must end with: {}\nit is: {comment}", known.path, known.form);
        assert!(comment.len() > known.form.len() + 10, "{} is explained", known.path);
    }
}

#[test]
fn the_shipped_file_sets_nothing_but_defaults_where_there_is_one() {
    let shipped: BTreeMap<_, _> = good(SHIPPED).settings.into_iter().map(|setting| (setting.path, setting.value)).collect();
    let least: BTreeMap<_, _> = good(LEAST).settings.into_iter().map(|setting| (setting.path, setting.value)).collect();
    // The rate is an example, because most carriers have one.
    let own = ["name", "host", "system_id", "id", "segments_per_second"];
    for (path, value) in
        least.iter().filter(|(path, _)| !own.iter().any(|own| path.ends_with(&format!(".{own}"))) && !path.starts_with("routes"))
    {
        assert_eq!(shipped.get(path), Some(value), "{path}");
    }
}

#[test]
fn the_examples_of_carriers_are_right() {
    for (example, name) in [(LOOPBACK, "loopback"), (CAREFUL, "careful")] {
        let config = good(&format!(
            "{LEAST}{example}\n[[carriers]]\nname = \"x\"\nhost = \"h\"\nsystem_id = \"s\"\npassword = {{ env = \"PEPPER\" }}\n"
        ));
        assert_eq!(config.carriers[1].name, name);
    }
    let config = good(&format!("{LEAST}{CAREFUL}"));
    let careful = &config.carriers[1];
    assert_eq!((careful.bind, careful.id_base, careful.alphabet), (Bind::TransmitterReceiver, IdBase::RespHexReceiptDec, Alphabet::Latin1));
    assert_eq!(careful.addresses.short_code, Address { ton: 0, npi: 1 });
    assert_eq!(careful.status, BTreeMap::from([(8, StatusClass::Permanent), (0x401, StatusClass::Throttle)]));
    assert!(careful.tls.is_some());
}

#[test]
fn one_account_one_carrier_and_one_route_are_enough() {
    let config = good(LEAST);
    assert_eq!(config.warnings, []);
    assert_eq!((config.node, config.data_dir.to_str(), config.http.listen.to_string()), (0, Some("data"), "127.0.0.1:8080".into()));
    let account = &config.accounts[0];
    assert_eq!((account.split, account.concat, account.doubt), (Split::Grapheme, Concat::EightBit, Doubt::ResendOnce));
    assert_eq!((account.default_class, account.max_segments, account.weight), (Class::Transactional, 10, 1));
    let carrier = &config.carriers[0];
    assert_eq!((carrier.window, carrier.burst, carrier.port, carrier.interface_version.octet()), (10, 1, 2775, 0x34));
    assert_eq!((carrier.response_timeout, carrier.validity), (Span::secs(30), Span::secs(48 * 3600)));
    assert_eq!(
        (config.journal.backend, config.journal.tick, config.journal.retention),
        (Backend::Sqlite, Span::millis(1), Span::secs(7 * 86_400))
    );
    assert_eq!(config.webhook_rules.ports, [443]);
}

#[test]
fn an_empty_file_is_right_but_warned_of() {
    let config = good("");
    let keys: Vec<&str> = config.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(keys, ["accounts", "routes"]);
}

#[test]
fn secrets_come_from_the_environment_or_files_and_lose_their_line_end() {
    let config = good(LEAST);
    assert_eq!((config.pepper.expose(), config.carriers[0].password.expose()), ("pepper of the tests", "pass"));
    let hash = KeyHash::of(&Secret::new("Jefe"), b"what do ya want for nothing?");
    assert!(config.accounts[0].keys[0].hash.matches(&hash));
    assert!(config.accounts[0].keys[0].allows(Scope::Send, Time(0)));
}

#[test]
fn a_secret_in_the_file_is_taken_with_a_warning_that_does_not_hold_it() {
    let config = good(&LEAST.replace("{ file = \"/run/password\" }", "\"hunter2\""));
    assert_eq!(config.carriers[0].password.expose(), "hunter2");
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let expected = "15:1: carriers[0].password: the secret stands in the file; write { env = \"NAME\" } or { file = \"/path\" }";
    assert_eq!(warnings, [expected]);
}

#[test]
fn the_dump_for_support_has_every_key_in_force_and_no_secret() {
    let hook =
        "[[webhooks]]\nname = \"h\"\naccount = \"shop\"\nurl = \"https://hooks.example.com/t0ken\"\nsecret = { env = \"SIGNING\" }\n";
    let config = good(&format!("{LEAST}{hook}"));
    let dump = format!("{}{config:?}", config.render_redacted().as_str());
    for secret in ["pepper of", "pass\"", "whsec_", "5bdcc146"] {
        assert!(!dump.contains(secret), "{secret}");
    }
    let dump = config.render_redacted();
    assert!(!dump.contains("t0ken"));
    for line in
        ["secrets.pepper = \"…\"", "carriers[0].window = 10", "carriers[0].response_timeout = \"30s\"", "accounts[0].keys[0].hash = \"…\""]
    {
        assert!(dump.lines().any(|shown| shown == line), "{line} in\n{dump}");
    }
    assert!(dump.contains("webhooks[0].url = \"https://hooks.example.com/…\"\n"));
    assert_eq!(config.webhooks[0].events, [HookEvent::Final, HookEvent::Inbound]);
}

#[test]
fn what_is_allowed_but_doubtful_is_warned_of() {
    let text = LEAST
        .replace("system_id", "response_timeout = \"60s\"\nreceipt_wait = \"50h\"\nburst = 5\nsystem_id")
        .replace("{ file = \"/run/password\" }", "{ env = \"PEPPER\" }\n[carriers.tls]\nserver_name = \"a\"")
        + "[journal]\nbackend = \"memory\"\n[http]\nlisten = \"0.0.0.0:80\"\n";
    let warnings: Vec<String> = good(&text).warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "14:1: carriers[0].response_timeout: 1m is more than engine.drain_timeout: a stop may leave messages in doubt",
            "15:1: carriers[0].receipt_wait: 50h is less than the 72h that are promised",
            "16:1: carriers[0].burst: means nothing without segments_per_second",
            "18:1: carriers[0].password: longer than the 8 octets of SMPP 3.4: the carrier must allow it",
            "19:1: carriers[0].tls: without `enabled = true` the connection is not encrypted",
            "26:1: journal.backend: nothing survives the end of the process",
            "28:1: http.listen: API keys cross the network in clear text; add [http.tls], or listen on loopback behind a proxy",
        ]
    );
}

#[test]
fn a_burst_not_given_is_a_tenth_of_a_second() {
    for (rate, burst) in [("5", 1), ("100", 10), ("1000.0", 100), ("1000000", 100_000)] {
        let config = good(&LEAST.replace("system_id", &format!("segments_per_second = {rate}\nsystem_id")));
        assert_eq!(config.carriers[0].burst, burst, "{rate}");
    }
}
