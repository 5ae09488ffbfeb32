//! Is this recipient opted out: the question every message is asked three times. Of an account without entries, and of one
//! with a million.

use criterion::{Criterion, criterion_group, criterion_main};
use relais::base::{Msisdn, Time};
use relais::directory::consent::{Ask, Consent, StopRule};
use relais::message::{Channel, Class};
use relais::storage::{Origin, PersonChange, Suppression, SuppressionKey};
use std::hint::black_box;

const ENTRIES: u64 = 1_000_000;
const FIRST: u64 = 33_600_000_000;

fn row(number: u64) -> PersonChange {
    let key = SuppressionKey { account: "many".into(), number, origin: Origin::Customer, scope: "all".into() };
    PersonChange::Suppress(Suppression { key, classes: 15, source: String::new(), reason: String::new(), since: Time(0) })
}

fn look_up(c: &mut Criterion) {
    let rules = ["none", "many"].map(|name| (name.to_owned(), StopRule::default()));
    let consent = Consent::new(rules, u64::MAX);
    // Every other number.
    (0..ENTRIES).for_each(|n| consent.apply(&[row(FIRST + 2 * n)]));
    for (name, account, odd) in [("no entries", "none", 0), ("a million, opted out", "many", 0), ("a million, not among them", "many", 1)] {
        let of = consent.of(account).expect("it is there").clone();
        let mut n = 0;
        c.bench_function(&format!("consent: {name}"), |b| {
            b.iter(|| {
                n = (n + 7_919) % ENTRIES;
                let to = Msisdn::from_u64(FIRST + 2 * n + odd).expect("a number");
                let ask = Ask { to, from: "SHOP", class: Class::Marketing, channel: Channel::Sms, campaign: "", content: 0 };
                black_box(consent.ask(&of, &ask, Time(0)))
            });
        });
    }
    c.bench_function("consent: add and lift", |b| {
        let lift = match row(FIRST + 1) {
            PersonChange::Suppress(row) => PersonChange::Lift(row.key),
            other => other,
        };
        b.iter(|| consent.apply(&[row(FIRST + 1), lift.clone()]));
    });
}

criterion_group!(benches, look_up);
criterion_main!(benches);
