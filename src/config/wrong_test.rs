//! Wrong files and exactly what is said of them.

use super::file_test::{LEAST, secrets};
use super::{load, report};

/// What is said of the least file after `old` became `new` in it.
fn said(old: &str, new: &str) -> Vec<String> {
    assert!(LEAST.contains(old), "{old:?} is in the file");
    let text = if old.is_empty() { format!("{LEAST}{new}") } else { LEAST.replacen(old, new, 1) };
    match load(&text, &secrets()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

fn check(cases: &[(&str, &str, &[&str])]) {
    for (old, new, expected) in cases {
        assert_eq!(said(old, new), *expected, "after {old:?} became {new:?}");
    }
}

const SECRET: &str = "write { env = \"NAME\" } or { file = \"/path\" }";

#[test]
fn unknown_keys_are_told_what_was_meant() {
    check(&[
        ("system_id", "windw = 5\nsystem_id", &["14:1: carriers[0].windw: unknown key; did you mean `window`?"]),
        (
            "system_id",
            "response-timeout = \"5s\"\nsystem_id",
            &["14:1: carriers[0].response-timeout: unknown key; did you mean `response_timeout`?"],
        ),
        ("system_id", "colour = 5\nsystem_id", &["14:1: carriers[0].colour: unknown key"]),
        ("[[routes]]", "[[route]]", &["17:3: route: unknown key; did you mean `routes`?"]),
        (
            "name = \"shop\"",
            "name = \"shop\"\nretention = \"7d\"",
            &["6:1: accounts[0].retention: unknown key; `retention` belongs in [journal]"],
        ),
        ("[secrets]", "[secrets]\nnode = 3", &["2:1: secrets.node: unknown key; `node` belongs above the first section"]),
    ]);
    check(&[
        ("[secrets]", "[secrets]\ndata_dir = \"d\"", &["2:1: secrets.data_dir: unknown key; `data_dir` belongs above the first section"]),
        ("", "[http]\nlisten = \"127.0.0.1:1\"\nhash = \"\"\n", &["22:1: http.hash: unknown key; `hash` belongs in [[accounts.keys]]"]),
        ("", "[http.tsl]\n", &["20:7: http.tsl: unknown key; did you mean `tls`?"]),
        ("", "[jornal]\ntick = \"1ms\"\n", &["20:2: jornal: unknown key; did you mean `journal`?"]),
    ]);
}

#[test]
fn missing_keys_are_named_where_their_section_begins() {
    check(&[
        (
            "name = \"shop\"\n",
            "",
            &["4:1: accounts[0].name: required, but missing; a name of 1 to 32 of a-z, 0-9, - and _ that begins with a letter or digit"],
        ),
        (
            "host = \"smsc.example.net\"\n",
            "",
            &["11:1: carriers[0].host: required, but missing; a host name or IP address, without a port"],
        ),
        ("password = { file = \"/run/password\" }\n", "", &[&format!("11:1: carriers[0].password: required, but missing; {SECRET}")]),
        (
            "hash = \"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"\n",
            "",
            &["7:1: accounts[0].keys[0].hash: required, but missing; 64 hexadecimal digits"],
        ),
        (
            "pepper = { env = \"PEPPER\" }\n",
            "",
            &[&format!("1:1: secrets.pepper: required, because there are accounts; {SECRET} in [secrets]")],
        ),
        ("", "[http.tls]\ncertificate = \"c.pem\"\n", &["20:1: http.tls.key: required, but missing; a path"]),
    ]);
}

#[test]
fn values_of_another_kind_are_refused() {
    check(&[
        ("system_id", "window = \"10\"\nsystem_id", &["14:10: carriers[0].window: must be an integer, not a text"]),
        ("system_id", "window = 1.5\nsystem_id", &["14:10: carriers[0].window: must be an integer, not a number with a fraction"]),
        (
            "system_id",
            "response_timeout = 30\nsystem_id",
            &["14:20: carriers[0].response_timeout: must be a duration such as \"30s\", not an integer; did you mean \"30s\"?"],
        ),
        (
            "",
            "[http]\nbody_bytes_max = 1048576\n",
            &["21:18: http.body_bytes_max: must be a size such as \"64MiB\", not an integer; did you mean \"1MiB\"?"],
        ),
        (
            "",
            "[webhook_rules]\nallow_http = \"true\"\n",
            &["21:14: webhook_rules.allow_http: must be true or false, not a text; write true without quotes"],
        ),
        ("\"smsc.example.net\"", "true", &["13:8: carriers[0].host: must be a text, not true or false"]),
    ]);
    check(&[
        ("[secrets]", "journal = 5\n[secrets]", &["1:11: journal: must be a section, not an integer; write [journal]"]),
        ("[[routes]]\n", "[routes]\n", &["17:2: routes: must be a list of sections, not a section; write [[routes]]"]),
        ("", "[webhook_rules]\nports = 443\n", &["21:9: webhook_rules.ports: must be a list, not an integer"]),
        ("{ env = \"PEPPER\" }", "7", &[&format!("2:10: secrets.pepper: must be a secret, not an integer; {SECRET}")]),
    ]);
}

#[test]
fn values_out_of_bounds_are_told_the_nearest() {
    check(&[
        ("system_id", "window = 5000\nsystem_id", &["14:10: carriers[0].window: 5000 is not within 1 to 1000; the nearest is 1000"]),
        ("system_id", "port = 0\nsystem_id", &["14:8: carriers[0].port: 0 is not within 1 to 65535; the nearest is 1"]),
        ("system_id", "window = -1\nsystem_id", &["14:10: carriers[0].window: -1 is not within 1 to 1000; the nearest is 1"]),
        (
            "system_id",
            "enquire_link = \"1h\"\nsystem_id",
            &["14:16: carriers[0].enquire_link: \"1h\" is not within \"100ms\" to \"10m\"; the nearest is \"10m\""],
        ),
        (
            "system_id",
            "segments_per_second = -0.5\nsystem_id",
            &["14:23: carriers[0].segments_per_second: -0.5 is not within 0 to 1000000; the nearest is 0"],
        ),
        ("system_id", "segments_per_second = nan\nsystem_id", &["14:23: carriers[0].segments_per_second: must be a number"]),
        (
            "",
            "[http]\nline_bytes_max = \"64B\"\n",
            &["21:18: http.line_bytes_max: \"64B\" is not within \"1KiB\" to \"1MiB\"; the nearest is \"1KiB\""],
        ),
        ("[secrets]", "node = 32\n[secrets]", &["1:8: node: 32 is not within 0 to 31; the nearest is 31"]),
        (
            "",
            "[webhook_rules]\nports = [443, 70000]\n",
            &["21:9: webhook_rules.ports: 70000 is not within 1 to 65535; the nearest is 65535"],
        ),
    ]);
}

#[test]
fn texts_of_another_form_are_told_the_form() {
    check(&[
        (
            "system_id",
            "response_timeout = \"30sec\"\nsystem_id",
            &["14:20: carriers[0].response_timeout: must be a whole number and one of ms, s, m, h, d; did you mean \"30s\"?"],
        ),
        (
            "",
            "[journal]\nreserve_bytes = \"16MB\"\n",
            &["21:17: journal.reserve_bytes: must be a whole number and one of B, KiB, MiB, GiB; did you mean \"16MiB\"?"],
        ),
        (
            "\"shop\"",
            "\"Shop 1\"",
            &[
                "5:8: accounts[0].name: must be a name of 1 to 32 of a-z, 0-9, - and _ that begins with a letter or digit; did you mean \"shop-1\"?",
            ],
        ),
        (
            "\"smsc.example.net\"",
            "\"smsc.example.net:2775\"",
            &["13:8: carriers[0].host: must be a host name or IP address, without a port; did you mean \"smsc.example.net\"?"],
        ),
        (
            "prefix = \"\"",
            "prefix = \"+33\"",
            &["18:10: routes[0].prefix: must be 0 to 15 digits without +, the first not 0; did you mean \"33\"?"],
        ),
        ("5bdcc146", "xbdcc146", &["9:8: accounts[0].keys[0].hash: must be 64 hexadecimal digits"]),
        ("\"relais\"", "\"a system id too long\"", &["14:13: carriers[0].system_id: must be 1 to 15 printable ASCII characters"]),
        (
            "id = \"k1\"",
            "id = \"k1\"\nexpires = 2030-01-01",
            &["9:11: accounts[0].keys[0].expires: must be an instant with an offset; write 2027-01-31T00:00:00Z"],
        ),
    ]);
    check(&[(
        "[[routes]]",
        "[carriers.addresses]\nshort_code = \"9/1\"\n[carriers.status]\n\"0xZZ\" = \"permanent\"\n\"69\" = \"permanent\"\n\"0x45\" = \"temporary\"\n[[routes]]",
        &[
            "18:14: carriers[0].addresses.short_code: must be ton/npi, the first 0 to 7, the second 0 to 18, such as 5/0",
            "20:1: carriers[0].status.0xZZ: must be a status code such as 0x00000045",
            "22:1: carriers[0].status.0x45: given twice",
        ],
    )]);
}

#[test]
fn words_that_are_no_choice_are_told_the_nearest() {
    check(&[
        (
            "system_id",
            "bind = \"tranceiver\"\nsystem_id",
            &[
                "14:8: carriers[0].bind: \"tranceiver\" is not one of \"transceiver\", \"transmitter_receiver\"; did you mean `transceiver`?",
            ],
        ),
        (
            "system_id",
            "alphabet = \"gsm\"\nsystem_id",
            &["14:12: carriers[0].alphabet: \"gsm\" is not one of \"gsm7\", \"latin1\", \"ascii\", \"gsm7_packed\"; did you mean `gsm7`?"],
        ),
        (
            "system_id",
            "receipts = \"sometimes\"\nsystem_id",
            &["14:12: carriers[0].receipts: \"sometimes\" is not one of \"final\", \"failure\", \"none\""],
        ),
        (
            "id = \"k1\"",
            "id = \"k1\"\nscopes = [\"sned\"]",
            &["9:10: accounts[0].keys[0].scopes: \"sned\" is not one of \"send\", \"read\", \"admin\"; did you mean `send`?"],
        ),
        (
            "id = \"k1\"",
            "id = \"k1\"\nscopes = []",
            &["9:10: accounts[0].keys[0].scopes: must not be empty; any of \"send\", \"read\", \"admin\""],
        ),
        ("id = \"k1\"", "id = \"k1\"\nscopes = [\"read\", \"read\"]", &["9:10: accounts[0].keys[0].scopes: has an entry twice"]),
        (
            "[[routes]]",
            "[carriers.status]\n0x45 = \"tempory\"\n[[routes]]",
            &[
                "18:1: carriers[0].status.0x45: \"tempory\" is not one of \"permanent\", \"temporary\", \"throttle\", \"session\", \"ambiguous\"; did you mean `temporary`?",
            ],
        ),
    ]);
}

#[test]
fn secrets_that_cannot_be_had_are_named_by_their_source_and_never_shown() {
    check(&[
        ("\"PEPPER\"", "\"PEPER\"", &["2:10: secrets.pepper: the environment variable PEPER is not there"]),
        ("/run/password", "/run/pasword", &["15:12: carriers[0].password: the file /run/pasword is not there"]),
        ("/run/password", "/run/long", &["15:12: carriers[0].password: the file /run/long is too long for a secret"]),
        ("{ env = \"PEPPER\" }", "{ file = \"/run/short\" }", &["2:10: secrets.pepper: must be 16 octets or more"]),
        ("{ env = \"PEPPER\" }", "{ evn = \"PEPPER\" }", &["2:10: secrets.pepper: unknown source `evn`; did you mean `env`?"]),
        (
            "{ env = \"PEPPER\" }",
            "{ env = \"PEPPER\", file = \"f\" }",
            &[&format!("2:10: secrets.pepper: must have exactly one of `env` and `file`; {SECRET}")],
        ),
        ("{ env = \"PEPPER\" }", "\"too short\"", &["2:10: secrets.pepper: must be 16 octets or more"]),
    ]);
}

#[test]
fn names_must_exist_and_be_unique() {
    let hook = "[[webhooks]]\nname = \"h\"\naccount = \"shp\"\nurl = \"https://a.example/\"\nsecret = { env = \"SIGNING\" }\n";
    let account = "[[accounts]]\nname = \"shop\"\n[[accounts.keys]]\nid = \"k1\"\nhash = \"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"\n";
    check(&[
        ("carrier = \"main\"", "carrier = \"mian\"", &["19:1: routes[0].carrier: there is no carrier `mian`; did you mean `main`?"]),
        ("carrier = \"main\"", "carrier = \"other\"", &["19:1: routes[0].carrier: there is no carrier `other`"]),
        // One slip is one mistake: the route may well mean the carrier whose name is wrong.
        (
            "name = \"main\"",
            "name = \"Main\"",
            &[
                "12:8: carriers[0].name: must be a name of 1 to 32 of a-z, 0-9, - and _ that begins with a letter or digit; did you mean \"main\"?",
            ],
        ),
        ("", hook, &["22:1: webhooks[0].account: there is no account `shp`; did you mean `shop`?"]),
        (
            "",
            account,
            &[
                "21:1: accounts[1].name: `shop` is taken by accounts[0].name",
                "23:1: accounts[1].keys[0].id: `k1` is taken by accounts[0].keys[0].id",
            ],
        ),
        (
            "",
            "[[accounts]]\nname = \"poor\"\n",
            &["20:1: accounts[1].keys: the account has no key; add [[accounts.keys]] with id and hash"],
        ),
    ]);
}

#[test]
fn routes_that_an_earlier_one_hides_are_refused() {
    check(&[
        (
            "",
            "[[routes]]\nprefix = \"33\"\ncarrier = \"main\"\n",
            &["21:1: routes[1].prefix: never reached: routes[0] with prefix \"\" comes first; move it before routes[0]"],
        ),
        (
            "prefix = \"\"",
            "prefix = \"33\"\ncarrier = \"main\"\n[[routes]]\nprefix = \"33\"",
            &["21:1: routes[1].prefix: routes[0] has the same prefix and comes first"],
        ),
        ("prefix = \"\"", "prefix = \"336\"\ncarrier = \"main\"\n[[routes]]\nprefix = \"33\"", &[]),
    ]);
}

#[test]
fn bounds_that_contradict_each_other_are_named_at_the_key_that_is_set() {
    check(&[
        ("system_id", "reconnect_min = \"2m\"\nsystem_id", &["14:1: carriers[0].reconnect_min: 2m is more than reconnect_max (1m)"]),
        ("system_id", "retry_max = \"1s\"\nsystem_id", &["14:1: carriers[0].retry_max: 1s is less than retry_min (5s)"]),
        ("system_id", "receipt_wait = \"24h\"\nsystem_id", &["14:1: carriers[0].receipt_wait: 24h is less than validity (48h)"]),
        ("system_id", "receipt_wait = \"8d\"\nsystem_id", &["14:1: carriers[0].receipt_wait: 8d is more than journal.retention (7d)"]),
        (
            "",
            "[journal]\nretention = \"60h\"\n",
            &[
                "21:1: journal.retention: 60h is less than carriers[0].receipt_wait (72h)",
                "21:1: journal.retention: 60h is less than carriers[0].orphan_ttl (72h)",
                "21:1: journal.retention: 60h is less than journal.idempotency_for (72h)",
            ],
        ),
        ("", "[http]\nbody_bytes_max = \"4KiB\"\n", &["21:1: http.body_bytes_max: 4KiB is less than http.line_bytes_max (8KiB)"]),
        (
            "",
            "[engine]\nawaiting_max = 1000\n[[carriers]]\nname = \"wide\"\nhost = \"h\"\nsystem_id = \"s\"\npassword = { file = \"/run/password\" }\nbinds = 2\nwindow = 1000\n",
            &["21:1: engine.awaiting_max: 1000 is less than all windows together; the nearest is 2010"],
        ),
        (
            "system_id",
            "interface_version = \"3.3\"\nsystem_id",
            &["14:1: carriers[0].interface_version: SMPP 3.3 has no transceiver; write bind = \"transmitter_receiver\""],
        ),
        // A value that is wrong by itself contradicts nothing.
        (
            "system_id",
            "reconnect_min = \"2m\"\nreconnect_max = \"1w\"\nsystem_id",
            &["15:17: carriers[0].reconnect_max: must be a whole number and one of ms, s, m, h, d"],
        ),
    ]);
}

#[test]
fn webhooks_lead_to_the_public_web_alone() {
    let hook = |url: &str| format!("[[webhooks]]\nname = \"h\"\naccount = \"shop\"\nurl = \"{url}\"\nsecret = {{ env = \"SIGNING\" }}\n");
    let at = "23:1: webhooks[0].url: ";
    for (url, expected) in [
        (
            "http://a.example/",
            &["must be https; or set webhook_rules.allow_http", "port 80 is not one of [443]; add it to webhook_rules.ports"][..],
        ),
        ("https://a.example:8443/", &["port 8443 is not one of [443]; add it to webhook_rules.ports"]),
        ("https://127.0.0.1/", &["leads to this machine; or set webhook_rules.allow_loopback"]),
        ("https://[::ffff:127.0.0.1]/", &["leads to this machine; or set webhook_rules.allow_loopback"]),
        ("https://api.localhost/", &["leads to this machine; or set webhook_rules.allow_loopback"]),
        ("https://10.1.2.3/", &["leads to a private network; or set webhook_rules.allow_private"]),
        ("https://169.254.169.254/latest", &["leads to a private network; or set webhook_rules.allow_private"]),
        ("https://[::ffff:10.0.0.1]/", &["leads to a private network; or set webhook_rules.allow_private"]),
        ("https://[fd00::1]/", &["leads to a private network; or set webhook_rules.allow_private"]),
        ("https://0.0.0.0/", &["leads to a private network; or set webhook_rules.allow_private"]),
        ("https://2130706433/", &["has neither a name nor an address for host"]),
        ("https://0x7f.1/", &["has neither a name nor an address for host"]),
        ("https://0x7f000001/", &["has neither a name nor an address for host"]),
        ("https://hooks.example.com/relais?token=1", &[]),
    ] {
        let expected: Vec<String> = expected.iter().map(|what| format!("{at}{what}")).collect();
        assert_eq!(said("", &hook(url)), expected, "{url}");
    }
    let form = "23:7: webhooks[0].url: must be an https address without user name and fragment";
    assert_eq!(said("", &hook("https://user:word@a.example/")), [form]);
    let open = "[webhook_rules]\nallow_http = true\nallow_loopback = true\nports = [443, 9000]\n";
    assert_eq!(said("", &(hook("http://127.0.0.1:9000/") + open)), Vec::<String>::new());
}

#[test]
fn all_mistakes_of_a_file_are_reported_in_one_pass_and_in_its_order() {
    let text = "node = 99\nsurprise = 1\n\n[http]\nlisten = \"localhost:8080\"\n\n[[carriers]]\nname = \"alpha\"\nwindw = 1\nwindow = 0\n\n[[routes]]\nprefix = \"33\"\ncarrier = \"alhpa\"\n";
    let mistakes = load(text, &secrets()).expect_err("it is wrong");
    assert_eq!(
        report("config/relais.toml", &mistakes),
        "config/relais.toml:1:8: node: 99 is not within 0 to 31; the nearest is 31
config/relais.toml:2:1: surprise: unknown key
config/relais.toml:5:10: http.listen: must be an IP address and a port such as 127.0.0.1:8080; did you mean \"127.0.0.1:8080\"?
config/relais.toml:7:1: carriers[0].host: required, but missing; a host name or IP address, without a port
config/relais.toml:7:1: carriers[0].system_id: required, but missing; 1 to 15 printable ASCII characters
config/relais.toml:7:1: carriers[0].password: required, but missing; write { env = \"NAME\" } or { file = \"/path\" }
config/relais.toml:9:1: carriers[0].windw: unknown key; did you mean `window`?
config/relais.toml:10:10: carriers[0].window: 0 is not within 1 to 1000; the nearest is 1
config/relais.toml:14:1: routes[0].carrier: there is no carrier `alhpa`; did you mean `alpha`?
"
    );
}

#[test]
fn what_is_not_toml_is_refused_where_it_stops_being_so() {
    for (text, expected) in [
        ("node = \n", "1:8: not TOML: "),
        ("node = 1\nnode = 2\n", "2:1: not TOML: duplicate key"),
        ("[http\n", "1:6: not TOML: "),
        ("a = \"é\" b", "1:9: not TOML: "),
    ] {
        let mistakes = load(text, &secrets()).expect_err("it is wrong");
        assert_eq!(mistakes.len(), 1, "{text:?}");
        assert!(mistakes[0].to_string().starts_with(expected), "{text:?}: {}", mistakes[0]);
    }
    let long = "#".repeat(super::limits::FILE_BYTES_MAX + 1);
    assert_eq!(load(&long, &secrets()).expect_err("too long")[0].to_string(), "1:1: 4194305 octets, more than 4194304");
}

#[test]
fn no_file_makes_the_reader_panic_or_report_without_end() {
    // Each octet of a right file replaced, cut, or doubled: the answer may be anything but a panic.
    for at in 0..LEAST.len() {
        for new in ["", "\"", "[", "=", "\n", "é", "9", "."] {
            let text = format!("{}{new}{}", &LEAST[..at], &LEAST[at + 1..]);
            let mistakes = load(&text, &secrets()).err().unwrap_or_default();
            assert!(mistakes.iter().all(|mistake| (1..=text.lines().count() + 1).contains(&mistake.line) && mistake.column >= 1), "{text}");
        }
        let _ = load(&LEAST[..at], &secrets());
    }
    let _ = load(&format!("a = {}", "[".repeat(100_000)), &secrets());
    let many: String = (0..5_000).map(|n| format!("key_{n} = 1\n")).collect();
    assert_eq!(load(&many, &secrets()).expect_err("all unknown").len(), super::limits::MISTAKES_MAX);
}
