//! Every crash point of one life: a first run counts the points (`lab::points`), then the same life is lived once for each of
//! them and each way to die, dies exactly there, is started again and lives on to its end, and every check must hold.
//! Because nothing but the seed decides, the life up to the point is the one that was counted.

use super::checks::Broken;
use super::coverage::Coverage;
use super::life::{Verdict, live_through};
use super::scenario::Scenario;
use crate::lab::points::{End, Points, Spot};
use anyhow::{Context as _, bail, ensure};
use std::fs::File;
use std::io::Write;
use std::str::FromStr;

/// What is lived unless a scenario is given.
pub const LIFE: &str = include_str!("../../../scenarios/sim/points.toml");
/// So many broken promises, and no further point is tried.
const BROKEN_MAX: usize = 20;
/// The second death comes within so many points of the first.
const AGAIN: u64 = 40;

/// How the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is killed.
    Kill,
    /// Its machine loses power.
    Power,
    /// It is killed, and killed again a few points later, while it recovers or just has.
    Twice,
}

impl Way {
    const ALL: [Way; 3] = [Way::Kill, Way::Power, Way::Twice];

    const fn word(self) -> &'static str {
        match self {
            Way::Kill => "kill",
            Way::Power => "power",
            Way::Twice => "twice",
        }
    }

    fn from_word(word: &str) -> Option<Way> {
        Way::ALL.into_iter().find(|way| way.word() == word)
    }

    const fn end(self) -> End {
        match self {
            Way::Kill | Way::Twice => End::Killed,
            Way::Power => End::Unplugged,
        }
    }

    fn deaths(self, at: u64) -> Vec<u64> {
        match self {
            Way::Kill | Way::Power => vec![at],
            Way::Twice => vec![at, at + 1 + at % AGAIN],
        }
    }
}

/// Which points: `FROM/EVERY` (each `EVERY`-th of all points and ways, from the `FROM`-th, from 0) or the point `N`, and only
/// one way with `/kill`, `/power` or `/twice` behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    of: Of,
    way: Option<Way>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    One(u64),
    Every { from: usize, every: usize },
}

impl FromStr for Wish {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Wish, &'static str> {
        const FORM: &str = "FROM/EVERY or N, and /kill, /power or /twice";
        let (numbers, way) = match text.rsplit_once('/') {
            Some((numbers, word)) if Way::from_word(word).is_some() => (numbers, Way::from_word(word)),
            _ => (text, None),
        };
        let of = match numbers.split_once('/') {
            None => Of::One(numbers.parse().map_err(|_| FORM)?),
            Some((from, every)) => Of::Every { from: from.parse().map_err(|_| FORM)?, every: every.parse().map_err(|_| FORM)? },
        };
        match of {
            Of::One(0) | Of::Every { every: 0, .. } => Err(FORM),
            _ => Ok(Wish { of, way }),
        }
    }
}

/// A promise that was broken at a point.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which point, from 1.
    pub point: u64,
    /// What was about to happen, or had just happened.
    pub spot: Spot,
    /// How it died.
    pub way: Way,
    /// What was broken, and when in virtual milliseconds.
    pub broken: (i64, Broken),
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The points there are, of each kind.
    pub kinds: [u64; Spot::ALL.len()],
    /// Lives with a death, and deaths in them, those while it recovered included.
    pub lives: u64,
    /// See `lives`.
    pub deaths: u64,
    /// Messages accepted in all of them, and submits.
    pub accepted: u64,
    /// See `accepted`.
    pub submits: u64,
    /// The first of what was broken.
    pub failures: Vec<Failure>,
    /// What was written in the life without a death, and in those with one.
    pub coverage: Coverage,
    /// See `coverage`.
    pub after: Coverage,
}

/// Dies at the wished points of a life; `log` gets what is seen in the lives with a death, one after the other, and `tell` a
/// word now and then.
///
/// # Errors
/// The life breaks a promise without any death, or is not the same every time: then nothing can be said of its points. A log
/// that cannot be opened twice.
pub fn run(seed: u64, scenario: &Scenario, wish: Wish, log: Option<&File>, mut tell: impl FnMut(&str)) -> anyhow::Result<Report> {
    let points = Points::new(End::Killed, Vec::new());
    let verdict = live_through(seed, scenario, None, Some(points.clone()));
    if let Some((at, broken)) = verdict.broken {
        bail!("{} is broken at {at} without a death: {}", broken.invariant, broken.what);
    }
    let (_, kinds) = points.passed();
    let trail = points.trail();
    let mut report = Report {
        kinds,
        lives: 0,
        deaths: 0,
        accepted: 0,
        submits: 0,
        failures: Vec::new(),
        coverage: verdict.coverage,
        after: Coverage::default(),
    };
    let wished = wished(trail.len() as u64, wish);
    ensure!(!wished.is_empty(), "there are {} points", trail.len());
    for (count, (way, point)) in wished.iter().copied().enumerate() {
        if count > 0 && count.is_multiple_of(1_000) {
            tell(&format!("{count} of {} lives, {} broken", wished.len(), report.failures.len()));
        }
        let points = Points::new(way.end(), way.deaths(point));
        let log = log.map(File::try_clone).transpose()?.map(|file| Box::new(file) as Box<dyn Write + Send>);
        let Verdict { broken, accepted, submits, coverage, .. } = live_through(seed, scenario, log, Some(points.clone()));
        let deaths = points.deaths();
        let (died_at, spot) = deaths.first().copied().with_context(|| format!("nobody died at point {point}"))?;
        ensure!(died_at == point && trail[point as usize - 1] == spot, "the life is not the same each time: point {point} is {spot:?} now");
        report.after.add(&coverage);
        report.lives += 1;
        report.deaths += deaths.len() as u64;
        (report.accepted, report.submits) = (report.accepted + accepted, report.submits + submits);
        if let Some(broken) = broken {
            report.failures.push(Failure { point, spot, way, broken });
            if report.failures.len() >= BROKEN_MAX {
                tell(&format!("{BROKEN_MAX} broken of {} lives: that is enough", count + 1));
                break;
            }
        } else {
            // The last deaths of `twice` would come after the life's end.
            ensure!(deaths.len() == way.deaths(point).len() || point + AGAIN > trail.len() as u64, "{deaths:?} at point {point}");
        }
    }
    Ok(report)
}

fn wished(points: u64, wish: Wish) -> Vec<(Way, u64)> {
    let ways = Way::ALL.into_iter().filter(|way| wish.way.is_none_or(|one| one == *way));
    let all = ways.flat_map(|way| (1..=points).map(move |point| (way, point)));
    match wish.of {
        Of::One(one) => all.filter(|(_, point)| *point == one).collect(),
        Of::Every { from, every } => all.skip(from).step_by(every).collect(),
    }
}

impl Failure {
    /// How it is repeated, as words behind the command that found it.
    #[must_use]
    pub fn again(&self) -> String {
        format!("--points {}/{}", self.point, self.way.word())
    }

    /// What was broken and where, in a line.
    #[must_use]
    pub fn line(&self, seed: u64) -> String {
        let Failure { point, spot, way, broken: (at, broken) } = self;
        format!("seed {seed}, point {point} ({}, {}): {} is broken at {at}: {}", spot.word(), way.word(), broken.invariant, broken.what)
    }
}

impl Report {
    /// The last line: points by kind, deaths seen, what was broken, the verdict.
    #[must_use]
    pub fn line(&self, seed: u64) -> String {
        let kinds: String = Spot::ALL.iter().zip(self.kinds).map(|(spot, count)| format!(" {}={count}", spot.word())).collect();
        let Report { lives, deaths, accepted, submits, .. } = self;
        let (points, broken) = (self.kinds.iter().sum::<u64>(), self.failures.len());
        let verdict = self.failures.first().map_or("kept", |failure| failure.broken.1.invariant);
        format!(
            "seed={seed} points={points}{kinds} lives={lives} deaths={deaths} accepted={accepted} submits={submits} broken={broken} \
             verdict={verdict}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_named_one_by_one_or_in_steps_and_for_one_way_to_die() {
        let read = |text: &str| text.parse::<Wish>().map(|wish| wished(4, wish));
        assert_eq!(read("3"), Ok(vec![(Way::Kill, 3), (Way::Power, 3), (Way::Twice, 3)]));
        assert_eq!(read("3/power"), Ok(vec![(Way::Power, 3)]));
        assert_eq!(read("1/4"), Ok(vec![(Way::Kill, 2), (Way::Power, 2), (Way::Twice, 2)]));
        assert_eq!(read("0/2/twice"), Ok(vec![(Way::Twice, 1), (Way::Twice, 3)]));
        for wrong in ["", "0", "1/0", "x", "1/2/3", "1/hang", "/kill"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
