//! The contract against the running gateway, by a program that knows neither: schemathesis makes requests of
//! `/openapi.json`, right and wrong ones, also one after the other along its links, and holds every answer to it. No answer
//! may be a 5xx, of an undocumented status or type, or of another shape than the contract says.
//!
//! The package is installed from PyPI into `target/interop` at the first run. Without a network the test fails;
//! `RELAIS_INTEROP=skip` leaves it out. `RELAIS_SCHEMA_EXAMPLES=1000` makes the run longer: so many cases of each operation.

use crate::common::gateway::{Gateway, Settings, key};
use crate::common::peers::Peer;
use crate::common::{Bench, foreign};
use serde_json::Value;
use std::process::Command;

/// How many operations the contract has.
fn operations() -> usize {
    let contract: Value = serde_json::from_str(include_str!("../../proto/openapi.json")).expect("JSON");
    contract["paths"].as_object().expect("paths").values().map(|methods| methods.as_object().expect("methods").len()).sum()
}

#[test]
fn no_request_made_of_the_contract_has_an_answer_that_is_not_in_it() {
    if foreign::is_skipped() {
        return;
    }
    let bench = Bench::new("schema");
    let smsc = Peer::smsc(bench.path(), &[]);
    let file = Settings { smsc: smsc.port(), ..Settings::default() }.write(bench.path());
    // A key that opens everything, and room for thousands of messages that nobody sends in earnest.
    let text = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(&file, text.replacen("[[accounts.keys]]\n", "[[accounts.keys]]\nscopes = [\"send\", \"read\", \"admin\"]\n", 1))
        .expect("it is ours");
    let gateway = Gateway::start(bench.path());
    // Something to be found.
    let mut api = gateway.api();
    api.take(&serde_json::json!({"defaults": {"from": "SHOP", "text": "x"}, "recipients": [{"to": "+33612345678", "client_ref": "0"}]}));
    // A list that is too long is refused with 413.
    let statuses = "[checks]\nnegative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]\n";
    std::fs::write(bench.path().join("schemathesis.toml"), statuses).expect("it is ours");
    let examples = std::env::var("RELAIS_SCHEMA_EXAMPLES").unwrap_or_else(|_| "25".into());
    let output = Command::new(foreign::schemathesis())
        .args(["run", &format!("http://{}/openapi.json", gateway.at())])
        .args(["--header", &format!("Authorization: Bearer {}", key())])
        // A second key in another header makes any request 401: then nothing else would be tested.
        .args(["--generation-with-security-parameters", "false"])
        .args(["--max-examples", &examples, "--seed", "1", "--generation-database", "none", "--no-color"])
        // Whether valid data is taken depends on more than a schema can say: two fields that exclude each other, a number
        // that exists.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--mode", "all", "--phases", "examples,coverage,fuzzing,stateful", "--suppress-health-check", "all"])
        .args(["--request-timeout", "30"])
        .current_dir(bench.path())
        .output()
        .expect("it was installed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(api.metric("relais_panics_total", &[]), 0.0);
    // That it has asked, and got beyond the door: all operations but the address it read the contract from, all phases, with
    // the contract's links. How many of these it follows is chance.
    let count = operations() - 1;
    assert!(said.contains(&format!("Tested: {count}")), "not all {count}: {said}");
    assert!(!said.contains("only 401/403"), "some operations were never let in: {said}");
    for phase in ["Examples", "Coverage", "Fuzzing", "Stateful"] {
        assert!(said.contains(&format!("✅ {phase}")), "{phase}: {said}");
    }
    assert!(said.contains("16 selected / 16 total"), "the contract has links: {said}");
    assert!(api.metric("relais_http_requests_total", &[]) > 2_000.0, "it has asked: {said}");
    println!("{}", said.split("SUMMARY").last().unwrap_or_default());
    assert_eq!(gateway.stop().code(), Some(0));
}
