//! How many lives it takes to find a planted bug (`src/base/planted.rs`). For `loadtests/planted`, which makes the table of
//! `docs/proof.md`: a row each. Only a program with the feature `planted-bugs` has any.

use super::life::{Verdict, live};
use super::scenario::Scenario;
use crate::base::planted;
use anyhow::bail;
use std::time::Duration;

/// A life that takes longer than this, of real time, does not end: they take a second.
const LIFE: Duration = Duration::from_secs(60);

/// How a life with a bug ended.
enum Found {
    /// A promise was broken.
    Broken(&'static str),
    /// The program has stopped itself.
    Asserted,
    /// It goes round in circles.
    Endless,
}

/// Plants a bug in this process.
///
/// # Errors
/// There is none of that name.
pub fn plant(name: &str) -> anyhow::Result<()> {
    match planted::choose(name) {
        true => Ok(()),
        false => bail!("there is no planted bug {name}"),
    }
}

/// Looks for a bug in the lives of `seeds` seeds from `first` on, a row of the table; whether it was found. `list` gives all
/// names.
///
/// # Errors
/// As `plant`.
pub fn hunt(name: &str, first: u64, seeds: u64) -> anyhow::Result<(String, bool)> {
    if name == "list" {
        let names: Vec<&str> = planted::ALL.iter().map(|(name, _)| *name).collect();
        return Ok((names.join("\n"), true));
    }
    plant(name)?;
    std::panic::set_hook(Box::new(|_| {}));
    let what = planted::ALL.iter().find(|(one, _)| *one == name).map_or("", |(_, what)| *what);
    let found = (first..first + seeds).find_map(|seed| Some((seed, look(seed)?)));
    let (by, after) = match &found {
        Some((seed, found)) => (found.words(), (seed - first + 1).to_string()),
        None => ("nothing".to_owned(), format!("{seeds} lives")),
    };
    Ok((format!("| `{name}` | {what} | {by} | {after} |"), found.is_some()))
}

/// Lives one life beside this thread, because it may not end.
fn look(seed: u64) -> Option<Found> {
    let (to, from) = std::sync::mpsc::channel();
    #[allow(clippy::disallowed_methods)]
    std::thread::spawn(move || {
        let lived = std::panic::catch_unwind(|| live(seed, &Scenario::swarm(seed), None));
        let _ = to.send(lived);
    });
    match from.recv_timeout(LIFE) {
        Ok(Ok(Verdict { broken, .. })) => broken.map(|(_, broken)| Found::Broken(broken.invariant)),
        Ok(Err(_)) => Some(Found::Asserted),
        Err(_) => Some(Found::Endless),
    }
}

impl Found {
    fn words(&self) -> String {
        match self {
            Found::Broken(invariant) => format!("simulation, {invariant}"),
            Found::Asserted => "simulation, an assertion of the program".to_owned(),
            Found::Endless => "simulation, a life that does not end".to_owned(),
        }
    }
}
