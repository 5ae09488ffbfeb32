//! Which message and part is behind a number of one carrier: it counts, so a place each is enough, eight octets a part.

/// No part is behind it.
const NOBODY: (u32, u8) = (0, 0);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The first number there was.
    first: u64,
    /// From `first` on; parts begin at 1.
    parts: Vec<(u32, u8)>,
}

impl Numbers {
    /// Notes what is behind a number. The numbers of a carrier grow.
    pub(super) fn put(&mut self, number: u64, n: u64, part: u8) {
        if self.parts.is_empty() {
            self.first = number;
        }
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok()).expect("a carrier counts up");
        if self.parts.len() <= place {
            self.parts.resize(place + 1, NOBODY);
        }
        self.parts[place] = (u32::try_from(n).expect("a scenario has at most 100 million"), part);
    }

    /// What is behind a number.
    pub(super) fn get(&self, number: u64) -> Option<(u64, u8)> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.parts.get(place).filter(|found| **found != NOBODY).map(|(n, part)| (u64::from(*n), *part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_nothing_else() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.get(7), None);
        [(1_000, 5, 1), (1_001, 5, 2), (1_004, 0, 1)].into_iter().for_each(|(number, n, part)| numbers.put(number, n, part));
        let found: Vec<_> = (998..1_006).filter_map(|number| numbers.get(number).map(|found| (number, found))).collect();
        assert_eq!(found, [(1_000, (5, 1)), (1_001, (5, 2)), (1_004, (0, 1))]);
        assert_eq!(numbers.get(u64::MAX / 2 - 1_000), None);
    }
}
