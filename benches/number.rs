//! What reading a number costs, as a whole and beside the check of form; and what its zones and a sender's verdict cost.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use relais::base::Msisdn;
use relais::directory::number::{Numbers, Senders, Verdict};

fn numbers(c: &mut Criterion) {
    let numbers = Numbers::new();
    let mut group = c.benchmark_group("number");
    for (name, text, region) in [
        ("fr_e164", "+33612345678", None),
        ("fr_national", "06 12 34 56 78", Some("FR")),
        ("fr_overseas", "0692123456", Some("FR")),
        ("us_e164", "+12124937205", None),
        ("ru_e164", "+79123456789", None),
        ("not_valid", "+33692123456", None),
        ("not_a_number", "abc", Some("FR")),
    ] {
        group.bench_function(format!("parse/{name}"), |b| b.iter(|| numbers.parse(black_box(text), black_box(region))));
    }
    group.bench_function("form_only/fr_e164", |b| b.iter(|| Msisdn::parse(black_box("+33612345678"))));
    for text in ["+33612345678", "+18505405446", "+14234875818"] {
        let number = numbers.parse(text, None).expect("a number");
        group.bench_function(format!("zones/{text}"), |b| b.iter(|| numbers.zones(black_box(&number))));
        group.bench_function(format!("zones_raw/{text}"), |b| b.iter(|| numbers.zones_raw(black_box(&number))));
    }
    group.bench_function("new", |b| b.iter(Numbers::new));
    group.finish();
}

fn senders(c: &mut Criterion) {
    let senders = Senders::new();
    assert_eq!(senders.check("FR", "AcmeElevenX"), Verdict::Ok);
    c.bench_function("sender/fr", |b| b.iter(|| senders.check(black_box("FR"), black_box("AcmeElevenX"))));
}

criterion_group!(benches, numbers, senders);
criterion_main!(benches);
