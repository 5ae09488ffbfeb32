//! How long one entry of a bulk takes, from octets to a draft and to an accepted message.
//!
//! A time is for `LINES` entries: divide by 100,000. Warm: the reader's buffers have grown, as after the first slice.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use relais::base::Time;
use relais::pipeline::accept::{AccountRules, BulkLimits, BulkReader, Coding, Defaults, Format, Inflate, InflateLimits, Item, check};
use std::io::Write;

const LINES: u32 = 100_000;
/// What one read of a socket brings.
const SLICE_BYTES: usize = 64 << 10;
const FIRST: [&str; 6] = ["Ada", "Zoé", "Maximilien", "Li", "Anne-Sophie", "Noor"];

/// An entry of about 120 octets with three parameters.
fn entry(n: u32) -> String {
    format!(
        "{{\"to\":\"+336{:08}\",\"client_ref\":\"order-{n:07}\",\"params\":{{\"first\":\"{}\",\"code\":\"XM-{:06}\",\"discount\":{}}}}}",
        (u64::from(n) * 7_919) % 100_000_000,
        FIRST[n as usize % FIRST.len()],
        n % 1_000_000,
        n % 50
    )
}

fn json() -> Vec<u8> {
    let entries: Vec<String> = (0..LINES).map(entry).collect();
    let defaults = r#"{"from":"SHOP","text":"Hello {{first}}, {{discount}} % off with {{code}}","class":"marketing"}"#;
    format!("{{\"defaults\":{defaults},\"recipients\":[{}]}}", entries.join(",")).into_bytes()
}

fn ndjson() -> Vec<u8> {
    (0..LINES).map(|n| entry(n) + "\n").collect::<String>().into_bytes()
}

fn csv() -> Vec<u8> {
    let mut out = String::from("to,client_ref,first,code,discount\n");
    for n in 0..LINES {
        let number = (u64::from(n) * 7_919) % 100_000_000;
        out += &format!("+336{number:08},order-{n:07},{},XM-{:06},{}\n", FIRST[n as usize % FIRST.len()], n % 1_000_000, n % 50);
    }
    out.into_bytes()
}

fn defaults() -> Defaults {
    Defaults::from_pairs([("from", "SHOP"), ("text", "Hello {{first}}, {{discount}} % off with {{code}}"), ("class", "marketing")])
        .expect("right")
}

fn read(format: Format, body: &[u8], mut each: impl FnMut(Item<'_>)) {
    let mut reader = BulkReader::new(format, defaults(), BulkLimits::default());
    for slice in body.chunks(SLICE_BYTES) {
        reader.feed(slice, &mut each).expect("right");
    }
    reader.finish(&mut each).expect("right");
}

fn bulk(c: &mut Criterion) {
    let mut group = c.benchmark_group("bulk");
    group.throughput(Throughput::Elements(u64::from(LINES))).sample_size(20).measurement_time(Duration::from_secs(4));
    let rules = AccountRules::default();
    for (name, format, body) in [("json", Format::Json, json()), ("ndjson", Format::Ndjson, ndjson()), ("csv", Format::Csv, csv())] {
        group.bench_function(format!("{name}, to drafts"), |b| {
            b.iter(|| {
                let mut octets = 0;
                read(format, &body, |item| {
                    let Item::Draft(draft) = item else { panic!("all are right") };
                    octets += draft.to.map_or(0, str::len) + draft.params.iter().map(|(_, value)| value.len()).sum::<usize>();
                });
                black_box(octets)
            });
        });
        group.bench_function(format!("{name}, to accepted"), |b| {
            b.iter(|| {
                let mut sum = 0;
                read(format, &body, |item| {
                    let Item::Draft(draft) = item else { panic!("all are right") };
                    let accepted = check(&draft, &rules, Time(1_800_000_000_000)).expect("right");
                    sum ^= accepted.to.as_u64() + accepted.params.get("code").map_or(0, str::len) as u64;
                });
                black_box(sum)
            });
        });
    }
    group.finish();
}

/// For comparison: the same lines into borrowed structs by serde_json, which knows neither pointers nor repeated keys.
fn comparison(c: &mut Criterion) {
    #[derive(serde::Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        to: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        client_ref: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        params: std::collections::BTreeMap<&'a str, &'a serde_json::value::RawValue>,
    }
    let body = ndjson();
    let mut group = c.benchmark_group("bulk");
    group.throughput(Throughput::Elements(u64::from(LINES))).sample_size(20).measurement_time(Duration::from_secs(4));
    group.bench_function("ndjson, by serde_json", |b| {
        b.iter(|| {
            let mut octets = 0;
            for line in body.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                let entry: Entry<'_> = serde_json::from_slice(line).expect("right");
                octets += entry.to.len() + entry.client_ref.len() + entry.params.values().map(|v| v.get().len()).sum::<usize>();
            }
            black_box(octets)
        });
    });
    group.finish();
}

fn inflate(c: &mut Criterion) {
    let body = ndjson();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&body).expect("to memory");
    let gzip = encoder.finish().expect("to memory");
    let zstd = zstd::bulk::compress(&body, 3).expect("to memory");
    let mut group = c.benchmark_group("inflate");
    group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(20).measurement_time(Duration::from_secs(4));
    for (name, coding, compressed) in [("gzip", Coding::Gzip, gzip), ("zstd", Coding::Zstd, zstd)] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || Inflate::new(coding, InflateLimits::default()).expect("memory"),
                |mut inflate| {
                    let mut out = Vec::with_capacity(SLICE_BYTES);
                    for mut slice in compressed.chunks(SLICE_BYTES) {
                        while !slice.is_empty() {
                            out.clear();
                            let progress = inflate.feed(slice, &mut out, SLICE_BYTES).expect("right");
                            slice = &slice[progress.taken..];
                        }
                    }
                    black_box(inflate.given())
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bulk, comparison, inflate);
criterion_main!(benches);
