//! How long the refusal of a key takes, measured as dudect does it: guesses of several classes in random order out of one
//! buffer, interruptions cut off by what all classes have in common, Welch's t between them. Two controls stand beside it: the
//! same guess under two names, which must show nothing, and a comparison with an early end, which must show clearly.
//! Without them a small t could mean a blind measurement, and a large one a noisy machine.

use relais::base::{Secret, Time};
use relais::config::{self, KeyHash, MapSecrets};
use relais::directory::Keys;
use std::hint::black_box;
use std::time::Instant;

const PEPPER: &str = "0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Of each class.
const SAMPLES: usize = 100_000;
/// Calls of a sample: one is near the clock's own resolution.
const CALLS: u32 = 8;
/// Above it two means are told apart, by custom.
const TOLD_APART: f64 = 4.5;
/// What the control with an early end must reach: as clear as anything here could be.
const CLEARLY: f64 = 100.0;
/// Guesses have one length, so that they come from one place.
const LENGTH: usize = "known.".len() + SECRET.len();

/// xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// Nanoseconds of one call for each class, interruptions cut off.
struct Measured(Vec<Vec<f64>>);

impl Measured {
    /// Takes samples of all classes in one go, in random order.
    fn of(guesses: &[&str], mut judge: impl FnMut(&[u8]) -> bool) -> Measured {
        let mut samples = vec![Vec::with_capacity(SAMPLES * 2); guesses.len()];
        let (mut chance, mut guess) = (Chance(0x9E37_79B9_7F4A_7C15), [0; LENGTH]);
        for round in 0..SAMPLES * guesses.len() + 10_000 {
            let class = chance.below(guesses.len());
            // The class is known by nothing but what is in the buffer: no branch and no address depends on it.
            guess.copy_from_slice(guesses[class].as_bytes());
            let began = Instant::now();
            for _ in 0..CALLS {
                assert!(!black_box(judge(black_box(&guess[..]))), "they are all wrong");
            }
            let took = began.elapsed().as_nanos() as f64 / f64::from(CALLS);
            // The first ones warm caches up.
            if round >= 10_000 {
                samples[class].push(took);
            }
        }
        // One bound for all: a bound for each class would itself differ between classes.
        let mut all: Vec<f64> = samples.concat();
        all.sort_by(f64::total_cmp);
        let bound = all[all.len() * 9 / 10];
        samples.iter_mut().for_each(|sample| sample.retain(|took| *took <= bound));
        Measured(samples)
    }

    fn mean(&self, class: usize) -> f64 {
        self.0[class].iter().sum::<f64>() / self.0[class].len() as f64
    }

    /// Welch's t of two classes.
    fn t(&self, one: usize, other: usize) -> f64 {
        let spread = |class: usize| {
            let (all, mean) = (&self.0[class], self.mean(class));
            all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (all.len() - 1) as f64 / all.len() as f64
        };
        (self.mean(one) - self.mean(other)) / (spread(one) + spread(other)).sqrt()
    }
}

fn keys() -> Keys {
    let hash = KeyHash::of(&Secret::new(PEPPER), SECRET.as_bytes()).to_hex();
    let text = format!(
        "[secrets]\npepper = \"{PEPPER}\"\n[[accounts]]\nname = \"a\"\n[[accounts.keys]]\nid = \"known\"\nhash = \"{hash}\"\n\
         [[carriers]]\nname = \"c\"\nhost = \"127.0.0.1\"\nport = 2775\nsystem_id = \"s\"\npassword = \"p\"\n[[routes]]\nprefix = \"\"\ncarrier = \"c\"\n"
    );
    let config = config::load(&text, &MapSecrets::default()).expect("right");
    Keys::new(&config.accounts, &config.pepper)
}

/// What nobody should do: octet by octet, until one is wrong.
fn compares_with_an_early_end(guess: &[u8]) -> bool {
    let secret = &guess["known.".len()..];
    for (ours, theirs) in SECRET.as_bytes().iter().zip(secret) {
        if black_box(*ours) != black_box(*theirs) {
            return false;
        }
    }
    true
}

#[test]
#[allow(clippy::print_stdout)]
#[ignore = "a measurement, for a quiet machine and a release build: cargo test --release --test walls timing -- --ignored --nocapture"]
fn timing_tells_neither_which_ids_exist_nor_how_much_of_a_secret_is_right() {
    let (keys, now) = (keys(), Time(0));
    assert!(keys.grant(format!("known.{SECRET}").as_bytes(), now).is_some(), "the key itself is right");
    let guesses = [
        "known.ffffffffffffffffffffffffffffffff", // Nothing right,
        "known.ffffffffffffffffffffffffffffffff", // the same under another name,
        "other.ffffffffffffffffffffffffffffffff", // an unknown id,
        "known.f123456789abcdef0123456789abcdef", // all right but the first octet,
        "known.0123456789abcdef0123456789abcdee", // all right but the last.
    ]
    .map(|guess| &guess[..LENGTH]);
    let control = Measured::of(&guesses, compares_with_an_early_end);
    let early = control.t(4, 3);
    println!("an early end: t {early:.1}, {:.1} ns with the first octet wrong, {:.1} with the last", control.mean(3), control.mean(4));
    let measured = Measured::of(&guesses, |guess| keys.grant(guess, now).is_some());
    let (same, ids, secrets, octets) = (measured.t(0, 1), measured.t(0, 2), measured.t(0, 4), measured.t(3, 4));
    let means: Vec<String> = (0..guesses.len()).map(|class| format!("{:.2}", measured.mean(class))).collect();
    println!("keys: t of the same {same:.2}, of ids {ids:.2}, of secrets {secrets:.2}, of octets {octets:.2}; ns: {}", means.join(" "));
    assert!(early > CLEARLY, "the measurement would not see an early end: {early}");
    assert!(same.abs() < TOLD_APART, "the machine is too noisy: the same guess differs from itself by {same}");
    assert!(secrets.abs() < TOLD_APART && octets.abs() < TOLD_APART, "{secrets} {octets}");
    // Ids are looked up in a table, and are no secret: what may differ is far below what a network shows, and is bounded here.
    assert!((measured.mean(0) - measured.mean(2)).abs() < 50.0, "{ids}");
}
