//! The contract against the running gateway, by a program that knows neither: schemathesis makes requests of
//! `/openapi.json`, right and wrong ones, and holds every answer to it. No answer may be a 5xx, of an undocumented status or
//! type, or of another shape than the contract says.
//!
//! The package is installed from PyPI into `target/interop` at the first run. Without a network the test fails;
//! `RELAIS_INTEROP=skip` leaves it out.

use crate::common::gateway::{Gateway, Settings, key};
use crate::common::peers::Peer;
use crate::common::{Bench, foreign};
use std::process::Command;

#[test]
fn no_request_made_of_the_contract_has_an_answer_that_is_not_in_it() {
    if foreign::is_skipped() {
        return;
    }
    let bench = Bench::new("schema");
    let smsc = Peer::smsc(bench.path(), &[]);
    Settings { smsc: smsc.port(), ..Settings::default() }.write(bench.path());
    let gateway = Gateway::start(bench.path());
    // Something to be found.
    let mut api = gateway.api();
    api.take(&serde_json::json!({"defaults": {"from": "SHOP", "text": "x"}, "recipients": [{"to": "+33612345678", "client_ref": "0"}]}));
    let examples = std::env::var("RELAIS_SCHEMA_EXAMPLES").unwrap_or_else(|_| "25".into());
    let output = Command::new(foreign::schemathesis())
        .args(["run", &format!("http://{}/openapi.json", gateway.at())])
        .args(["--header", &format!("Authorization: Bearer {}", key())])
        .args(["--max-examples", &examples, "--seed", "1", "--generation-database", "none", "--no-color"])
        // Whether valid data is taken depends on more than a schema can say: two fields that exclude each other, a number
        // that exists.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--mode", "all", "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--request-timeout", "30"])
        .current_dir(bench.path())
        .output()
        .expect("it was installed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(api.metric("relais_panics_total", &[]), 0.0);
    assert!(api.metric("relais_http_requests_total", &[]) > 300.0, "it has asked: {said}");
    assert_eq!(gateway.stop().code(), Some(0));
}
