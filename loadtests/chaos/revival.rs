//! F37: a gateway was stopped with everything that can wait in it, and is found months later. What is stale ends and is told,
//! advertising waits for a person, the rest goes out, nothing is lost; and when the clock steps back to where it was (F16),
//! nothing is sent again.

use crate::act::{Took, awaits_a_word, habits, quiet, rules};
use crate::stage::{Set, Stage, copy, shim};
use crate::{Given, Outcome};
use serde_json::json;
use std::path::Path;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// See above.
pub(crate) fn revival(given: Given) -> Outcome {
    let shim = match shim() {
        Ok(shim) => shim,
        Err(why) => return Outcome::Skipped(why),
    };
    let (mut rounds, mut sums) = (0, Vec::new());
    // Months, and a year: the second from another side of a leap second table, of daylight saving and of retention.
    let months = [120, 366, 31, 200];
    while rounds < 2 || (given.goes_on() && rounds < 12) {
        sums.push(round(&shim, months[rounds % months.len()], given.seed + rounds as u64));
        rounds += 1;
    }
    Outcome::Held(json!({ "rounds": rounds, "sum": crate::process::added(&sums) }))
}

/// Left today, found so many days later, and looked at once more by a clock that is right again.
fn round(shim: &Path, days: i64, seed: u64) -> serde_json::Value {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the tests' directory");
    let mut stage = Stage::new(shim, &Set { account: quiet(), more: rules(), ..Set::default() }, &[]);
    let mut took = Took::default();
    stage.up();
    let due = format!("P{}D", days - 2);
    let long = json!(14 * DAY);
    // Nobody answers at the carrier's port: what may go waits all the same, and its time runs out.
    took.bulk(&mut stage, 0..20, &json!({}));
    took.bulk(&mut stage, 20..26, &json!({"class": "otp"}));
    took.bulk(&mut stage, 30..36, &json!({"class": "marketing", "expires_in": long, "time_zone": "Etc/UTC"}));
    took.bulk(&mut stage, 40..46, &json!({"send_after": "P1D"}));
    // Due two days before, with days to live; and due later still.
    took.bulk(&mut stage, 50..60, &json!({"send_after": due, "expires_in": long}));
    took.bulk(&mut stage, 60..66, &json!({"send_after": due, "expires_in": long, "class": "marketing", "time_zone": "Etc/UTC"}));
    let (future, _) = took.bulk(&mut stage, 70..76, &json!({"send_after": format!("P{}D", days + 30)}));
    if seed.is_multiple_of(2) {
        stage.kill9();
    } else {
        stage.stop();
    }
    let left = home.path().join("left");
    copy(&stage.data(), &left);
    stage.close();

    let more = format!("[journal]\nretention = \"400d\"\n{}", rules());
    let later =
        Set { data: Some(left), account: "margin = \"0ms\"\n".into(), more, habits: habits(1), ahead: days * DAY, ..Set::default() };
    let mut stage = Stage::new(shim, &later, &[]);
    stage.up();
    // Advertising waits for somebody's word; nothing of it is sent before.
    let waits = took.acknowledged.iter().find(|one| one.number == 60).expect("it was taken").id.clone();
    stage.wait("the rest has gone", |stage| {
        let all = took.acknowledged.iter().filter(|one| (50..60).contains(&one.number));
        all.clone().all(|one| stage.see(&format!("/v1/messages/{}", one.id))["final"] == true).then_some(())
    });
    awaits_a_word(&mut stage, &waits);
    assert_eq!(stage.ask("POST", "/v1/release", None, None).status / 100, 2);
    let last = stage.last(&waits);
    assert!(last["status"] != "expired" && last["status"] != "refused", "it had days to live: {last:#}");
    let answer = stage.ask("POST", &format!("/v1/batches/{future}/cancel"), None, Some(&json!({})));
    assert_eq!(answer.status, 200, "what is due later still waits: {}", answer.text());
    took.unsent = [0..20, 20..26, 30..36, 40..46, 70..76].into_iter().flatten().collect();
    let acknowledged = took.acknowledged.clone();
    let sum = took.judged(&mut stage);
    let before: Vec<_> = stage.submits();
    copy(&stage.data(), &home.path().join("over"));
    stage.close();

    // The clock is right again, months before the journal's last record: what is final stays so, and is sent to nobody.
    let more = format!("[journal]\nretention = \"400d\"\n{}", rules());
    let back = Set { data: Some(home.path().join("over")), more, habits: habits(1_000_000), ..Set::default() };
    let mut stage = Stage::new(shim, &back, &[]);
    stage.up();
    let mut took = Took::default();
    took.bulk(&mut stage, 100..110, &json!({}));
    for one in &acknowledged {
        assert_eq!(stage.see(&format!("/v1/messages/{}", one.id))["final"], json!(true), "INV-23: what is final stays");
    }
    let again = took.judged(&mut stage);
    stage.close();
    json!({
        "accepted": sum.accepted + again.accepted, "sent_after_months": before.iter().filter(|submit| submit.status == 0).count(),
        "expired_and_told": sum.finals.get("expired").copied().unwrap_or(0), "doubled": sum.doubled, "labelled": sum.labelled,
    })
}
