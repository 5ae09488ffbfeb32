//! What a judge costs a message: with all rules on over a mix of numbers, with own zones, with classes that have none;
//! and what a kind of recipient costs that was not seen before.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use relais::base::{Msisdn, Time};
use relais::config::{Config, MapSecrets, load};
use relais::directory::judge::{Judge, Jury, Law, Question};
use relais::directory::number::Places;
use relais::message::content::{Channel, Class};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Monday 13 July 2026, noon in Paris.
const NOON: i64 = 1_783_936_800_000;

fn config() -> Config {
    configured("")
}

fn configured(caps: &str) -> Config {
    guarded("", caps)
}

fn guarded(guard: &str, caps: &str) -> Config {
    let text = format!(
        "[secrets]\npepper = {{ env = \"P\" }}\n[[accounts]]\nname = \"shop\"\nquiet_hours = \"19:30-09:00\"\nrules = [\"US-CT\"]\n{guard}\
         [[accounts.keys]]\nid = \"k\"\nhash = \"{}\"\n{caps}",
        "00".repeat(32)
    );
    load(&text, &MapSecrets::default().with_env("P", "0123456789abcdef")).expect("a configuration")
}

/// Half France with some overseas, a third the United States and Canada over all area codes, the rest anywhere.
fn numbers() -> Vec<Msisdn> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let others = [
        447_400_000_000,
        4_915_100_000_000,
        34_600_000_000,
        39_330_000_000,
        32_470_000_000,
        41_790_000_000,
        79_120_000_000,
        61_400_000_000,
        5_511_900_000_000,
        971_500_000_000,
        27_820_000_000,
        905_320_000_000,
        918_100_000_000,
        573_000_000_000,
    ];
    let one = |_| match next(20) {
        0..9 => 33_600_000_000 + next(200_000_000),
        9 => [262_692_000_000, 590_690_000_000, 596_696_000_000][next(3) as usize] + next(1_000_000),
        10..16 => 12_000_000_000 + next(8_000_000_000),
        _ => others[next(14) as usize] + next(1_000_000),
    };
    (0..4_096).map(one).map(|number| Msisdn::from_u64(number).expect("a number")).collect()
}

fn question(to: Msisdn, class: Class, zone: &str) -> Question<'_> {
    Question { account: "shop", to, from: "Shop", class, channel: Channel::Sms, campaign: "", zone, region: "", content: 0 }
}

fn judges(c: &mut Criterion) {
    let law = Arc::new(Law::new(&config()));
    let numbers = numbers();
    let mut group = c.benchmark_group("judge");
    group.throughput(criterion::Throughput::Elements(numbers.len() as u64));
    for (name, class, zone) in
        [("all_rules", Class::Marketing, ""), ("all_rules_own_zone", Class::Marketing, "America/Chicago"), ("no_rules", Class::Otp, "")]
    {
        let mut judge = Judge::new(law.clone());
        let mut at = NOON;
        group.bench_function(name, |b| {
            b.iter(|| {
                at += 1;
                numbers.iter().for_each(|to| {
                    black_box(judge.judge(&question(black_box(*to), class, zone), Time(at)));
                });
            });
        });
    }
    let mut judge = Judge::new(law.clone());
    group.bench_function("group", |b| {
        b.iter(|| {
            numbers.iter().for_each(|to| {
                black_box(judge.group(&question(black_box(*to), Class::Marketing, "")));
            })
        });
    });
    // A day passes: each kind is worked out anew when its hours end.
    group.bench_function("a_day_in_minutes", |b| {
        let mut judge = Judge::new(law.clone());
        let mut at = NOON;
        b.iter(|| {
            at += 60_000;
            numbers.iter().for_each(|to| {
                black_box(judge.judge(&question(black_box(*to), Class::Marketing, ""), Time(at)));
            });
        });
    });
    group.bench_function("cold", |b| {
        let cold = || Judge::new(law.clone());
        b.iter_batched(
            cold,
            |mut judge| {
                numbers.iter().for_each(|to| {
                    black_box(judge.judge(&question(*to, Class::Marketing, ""), Time(NOON)));
                });
                judge
            },
            BatchSize::PerIteration,
        );
    });
    // With a cap that never holds: each message is asked about, counted and remembered for an hour.
    group.bench_function("spend_capped", |b| {
        let caps = "[[accounts.caps]]\ncount = 1000\nperiod = \"1h\"\nclasses = [\"otp\"]\n";
        let mut judge = Judge::new(Arc::new(Law::new(&configured(caps))));
        let mut at = NOON;
        b.iter(|| {
            at += 60_000;
            numbers.iter().for_each(|to| {
                black_box(judge.spend(&question(black_box(*to), Class::Otp, ""), Time(at)));
            });
            black_box(Jury::take_spent(&mut judge));
        });
    });
    // What acceptance asks: without caps, and with a cap and the guard against repeats while another thread leases.
    for (name, caps) in [("foresee_free", ""), ("foresee_capped", "[[accounts.caps]]\ncount = 4\nperiod = \"30d\"\nclasses = [\"otp\"]\n")]
    {
        let guard = if caps.is_empty() { "" } else { "repeat_guard = \"1d\"\n" };
        let law = Arc::new(Law::new(&guarded(guard, caps)));
        let asked = |to: Msisdn| Question { content: to.as_u64(), ..question(to, Class::Otp, "") };
        // Half of the numbers have had something, and a million others.
        let mut judge = Judge::new(law.clone());
        let others = (0..1_000_000).map(|n| Msisdn::from_u64(33_900_000_000 + n).expect("a number"));
        others.chain(numbers.iter().step_by(2).copied()).for_each(|to| _ = black_box(judge.spend(&asked(to), Time(NOON))));
        black_box(Jury::take_spent(&mut judge));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let leases = || {
                let mut judge = Judge::new(law.clone());
                while !is_over.load(Ordering::Relaxed) {
                    numbers.iter().for_each(|to| _ = black_box(judge.spend(&asked(*to), Time(NOON))));
                    black_box(Jury::take_spent(&mut judge));
                }
            };
            scope.spawn(leases);
            group.bench_function(name, |b| {
                b.iter(|| {
                    numbers.iter().for_each(|to| _ = black_box(judge.foresee(&asked(black_box(*to)), Time(NOON + 1), Time(NOON + 1))));
                });
            });
            is_over.store(true, Ordering::Relaxed);
        });
    }
    let places = Places::new();
    group.bench_function("place", |b| {
        b.iter(|| {
            numbers.iter().for_each(|to| {
                black_box(places.find(black_box(*to)));
            })
        })
    });
    group.finish();
    c.bench_function("law/new", |b| b.iter(|| Law::new(&config())));
}

criterion_group!(benches, judges);
criterion_main!(benches);
