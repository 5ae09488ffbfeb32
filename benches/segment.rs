//! What a text costs before it is in a frame: splitting into segments, and filling in a template.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relais::pipeline::compose::holes::{Holes, TemplateLimits};
use relais::wire::gsm::{ConcatRef, Segmented, SplitRule, segment};


fn segments(c: &mut Criterion) {
    let mut ascii =
        "Your parcel 4711 is on its way, it will come on Monday between 9 and 12. Track it at https://x.example/t?id=4711 ".to_owned();
    ascii.push_str(&"x".repeat(160 - ascii.len()));
    let accents =
        "Cher client, votre colis a été déposé à la boutique où il attend 10 jours {réf. 4711}. Prix : 12 € ~ merci à vous, à demain !";
    let cyrillic = "Ваш заказ отправлен и будет доставлен завтра. ".repeat(4);
    let emoji = "Bonne fête 👩\u{200D}👩\u{200D}👧\u{200D}👦 🇫🇷 👍🏽 à tous ! ".repeat(5);
    let texts = [
        ("ascii_160", ascii, 1),
        ("extension", accents.to_owned(), 1),
        ("ascii_3_parts", "Your parcel 4711 is on its way.\n".repeat(12), 3),
        ("ucs2_3_parts", cyrillic, 3),
        ("emoji", emoji, 4),
    ];
    let mut group = c.benchmark_group("segment");
    let mut out = Segmented::default();
    for (name, text, parts) in &texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        for (rule_name, rule) in [("grapheme", SplitRule::Grapheme), ("code_point", SplitRule::CodePoint)] {
            segment(text, rule, ConcatRef::Bits8, &mut out);
            assert_eq!(out.segments(), *parts, "{name}");
            group.bench_function(format!("{name}/{rule_name}"), |b| {
                b.iter(|| segment(black_box(text), rule, ConcatRef::Bits8, black_box(&mut out)));
            });
        }
    }
}

fn templates(c: &mut Criterion) {
    let template = Holes::compile(
        "Hello {{first}}, your parcel {{parcel}} is on its way, it will come on {{day}} between 9 and 12.",
        TemplateLimits::default(),
    )
    .expect("a template");
    let values = [("first", "Zoé"), ("parcel", "4711-0815"), ("day", "Monday")];
    let slots = values.map(|value| value.1);
    let mut out = String::with_capacity(256);
    let mut group = c.benchmark_group("template");
    group.bench_function("slots_3", |b| {
        b.iter(|| {
            out.clear();
            black_box(&template).render_slots(black_box(&slots), &mut out, 1600)
        });
    });
    group.bench_function("lookup_3", |b| {
        b.iter(|| {
            out.clear();
            let lookup = |name: &str| values.iter().find(|value| value.0 == name).map(|value| value.1);
            black_box(&template).render(lookup, &mut out, 1600)
        });
    });
}

criterion_group!(benches, segments, templates);
criterion_main!(benches);
