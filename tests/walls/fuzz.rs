//! Every reader of foreign octets, fed with the corpus and with mutations of it. The mutator is ours and deterministic: a
//! failure is repeated by running the test again, and needs no tool. More rounds: `RELAIS_FUZZ_ROUNDS`; the long form, led
//! by coverage, is in `fuzz/` (`docs/security.md`).

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutations of each target in the usual run: a few seconds in all, in a debug build.
const ROUNDS: u64 = 1_500;
/// No input grows beyond it.
const LENGTH_MAX: usize = 4_096;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(&dir).unwrap_or_else(|fault| panic!("{}: {fault}", dir.display())).flatten().map(|file| file.path()).collect();
    files.sort_unstable();
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("a file of ours")).collect();
    assert!(inputs.len() >= 3, "{name} has a corpus");
    inputs
}

/// The tokens of `fuzz/dictionary.txt`: a quoted word a line, `\xHH` for octets, as libFuzzer reads it.
fn dictionary() -> Vec<Vec<u8>> {
    let text = include_str!("../../fuzz/dictionary.txt");
    let token = |line: &str| {
        let quoted = line.strip_prefix('"')?.strip_suffix('"')?;
        let (mut octets, mut rest) = (Vec::new(), quoted.bytes());
        while let Some(octet) = rest.next() {
            octets.push(match (octet, (octet == b'\\').then(|| rest.next()).flatten()) {
                (_, Some(b'x')) => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                (_, Some(escaped)) => escaped,
                (plain, None) => plain,
            });
        }
        Some(octets)
    };
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| token(line).unwrap_or_else(|| panic!("{line}")))
        .collect()
}

/// xorshift64*: enough chance for a mutator, and the same every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len());
        &all[at]
    }
}

fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], words: &[Vec<u8>], chance: &mut Chance) {
    const EDGES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'\n', b'{', b'0'];
    for _ in 0..=chance.below(4) {
        let (at, end) = (chance.below(input.len() + 1), chance.below(input.len() + 1));
        let (from, to) = (at.min(end), at.max(end));
        match chance.below(9) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = *chance.of(&EDGES),
            2 => drop(input.drain(from..to.min(from + 16))),
            3 => drop(input.splice(at..at, chance.of(words).iter().copied())),
            4 => {
                let piece = input[from..to.min(from + 64)].to_vec();
                input.splice(at..at, piece.repeat(1 + chance.below(4)));
            }
            5 => {
                let other = chance.of(others);
                let cut = chance.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[cut..]);
            }
            6 => input.insert(at, chance.next() as u8),
            7 => input.truncate(to),
            _ => {
                let word = chance.of(words).clone();
                let end = (from + word.len()).min(input.len());
                input.splice(from..end, word);
            }
        }
        input.truncate(LENGTH_MAX);
    }
}

fn survives(name: &str, run: targets::Run, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        let hex: String = input.iter().map(|octet| format!("{octet:02x}")).collect();
        panic!("{name} fails (the reason is above); put this into fuzz/corpus/{name}: {hex}");
    }
}

#[test]
fn every_reader_survives_the_corpus_and_its_mutations() {
    let rounds = std::env::var("RELAIS_FUZZ_ROUNDS").ok().map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let words = dictionary();
    assert!(words.len() > 60);
    let threads: Vec<_> = [0, 1]
        .map(|half| {
            let words = words.clone();
            std::thread::spawn(move || {
                for (name, run) in targets::TARGETS.iter().skip(half).step_by(2) {
                    let inputs = corpus(name);
                    for empty in [&[][..], &[0], &[0xff]] {
                        survives(name, *run, empty);
                    }
                    inputs.iter().for_each(|input| survives(name, *run, input));
                    let mut chance = Chance(name.bytes().fold(0x9E37_79B9_7F4A_7C15, |hash, octet| hash.rotate_left(7) ^ u64::from(octet)));
                    for _ in 0..rounds {
                        let mut input = chance.of(&inputs).clone();
                        mutate(&mut input, &inputs, &words, &mut chance);
                        survives(name, *run, &input);
                    }
                }
            })
        })
        .into();
    for thread in threads {
        thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault));
    }
    let mut dirs: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus"))
        .expect("a corpus")
        .flatten()
        .map(|dir| dir.file_name().to_string_lossy().into_owned())
        .collect();
    dirs.sort_unstable();
    let mut names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(dirs, names, "each target has its corpus, and each corpus its target");
    for name in names {
        targets::run(name, b"");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/bins/{name}.rs")).exists(), "{name} is fuzzed by libFuzzer, too");
    }
}
