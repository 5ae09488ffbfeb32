//! When the network to a carrier, or the disk, stood still. In: the beginning and the end of each trouble, in the order of time.
//! Out: whether there was one in an interval. Asked for every message: what is long over costs nothing.

use hashbrown::HashMap;

/// One trouble, in milliseconds; `to` is `i64::MAX` while it lasts.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// The carrier; `None`: the disk.
    carrier: Option<u8>,
    from: i64,
    to: i64,
    /// The last end of this one and all before it.
    last_to: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// By their beginnings.
    all: Vec<Trouble>,
    /// The last end of any at a carrier.
    last: HashMap<u8, i64, foldhash::fast::FixedState>,
}

impl Troubles {
    /// Notes that one begins or ends at `at`; what it held up is over only `lasts_ms` later.
    pub(super) fn note(&mut self, at: i64, carrier: Option<u8>, is_on: bool, lasts_ms: i64) {
        let open = self.all.iter().rposition(|trouble| trouble.carrier == carrier && trouble.to == i64::MAX);
        let changed = match open {
            Some(open) if !is_on => {
                self.all[open].to = at + lasts_ms;
                open
            }
            None if is_on => {
                self.all.push(Trouble { carrier, from: at, to: i64::MAX, last_to: i64::MAX });
                self.all.len() - 1
            }
            _ => return,
        };
        let mut last_to = changed.checked_sub(1).map_or(i64::MIN, |before| self.all[before].last_to);
        for trouble in &mut self.all[changed..] {
            last_to = last_to.max(trouble.to);
            trouble.last_to = last_to;
        }
        if let Some(one) = carrier {
            let ends = self.all.iter().filter(|trouble| trouble.carrier == carrier).map(|trouble| trouble.to);
            self.last.insert(one, ends.max().unwrap_or(i64::MIN));
        }
    }

    /// Whether the disk, or the way to a carrier, stood still at some time of an interval.
    pub(super) fn stood_between(&self, carrier: u8, from: i64, to: i64) -> bool {
        let recent = self.all.iter().rev().take_while(|trouble| trouble.last_to >= from);
        recent.filter(|trouble| trouble.carrier.is_none_or(|one| one == carrier)).any(|trouble| trouble.from <= to && trouble.to >= from)
    }

    /// Whether the way to a carrier stood still at some time from `from` on.
    pub(super) fn stood_since(&self, carrier: u8, from: i64) -> bool {
        self.last.get(&carrier).is_some_and(|to| *to >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Chance;

    #[test]
    fn it_says_what_a_look_at_all_troubles_says() {
        for seed in 0..50 {
            let (mut chance, mut troubles) = (Chance::new(seed), Troubles::default());
            for at in 0..200 {
                let carrier = Some(chance.below(4) as u8).filter(|carrier| *carrier < 3);
                troubles.note(10 * at, carrier, chance.hit(0.5), 15);
                for _ in 0..20 {
                    let (one, from, long) = (chance.below(3) as u8, chance.below(2_000) as i64, chance.below(100) as i64);
                    let overlaps = |trouble: &&Trouble| trouble.from <= from + long && trouble.to >= from;
                    let of_it = |trouble: &&Trouble| trouble.carrier.is_none_or(|carrier| carrier == one);
                    let is_so = troubles.all.iter().filter(of_it).any(|trouble| overlaps(&trouble));
                    assert_eq!(troubles.stood_between(one, from, from + long), is_so, "seed {seed} at {at}");
                    let is_so = troubles.all.iter().any(|trouble| trouble.carrier == Some(one) && trouble.to >= from);
                    assert_eq!(troubles.stood_since(one, from), is_so, "seed {seed} at {at}");
                }
            }
        }
    }
}
