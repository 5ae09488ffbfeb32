//! Repeatable randomness: xoshiro256++ seeded through splitmix64 (Blackman and Vigna, public domain).
//! For simulations and peers only; nothing secret may come from it.

/// One stream of numbers. The same seed gives the same stream for ever: a failing seed is the bug report.
#[derive(Clone, Debug)]
pub struct Chance {
    state: [u64; 4],
}

/// Mixes a number so that near inputs give far outputs (splitmix64's finaliser); a bijection.
#[must_use]
pub const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

impl Chance {
    /// A stream from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Chance {
        let (a, b) = (mix(seed), mix(seed ^ 0x5DEE_CE66));
        Chance { state: [a, b, mix(a ^ 1), mix(b ^ 2) | 1] }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (mut c, mut d) = (c ^ a, d ^ b);
        let (b2, a2) = (b ^ c, a ^ d);
        c ^= b << 17;
        d = d.rotate_left(45);
        self.state = [a2, b2, c, d];
        out
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when they are in the wrong order.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.below((high - low).saturating_add(1)) }
    }

    /// A fraction in [0, 1).
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability. A rate of 0 draws nothing, so switched-off habits leave the stream alone.
    pub fn hit(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.fraction() < rate
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let octets = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_seed_another() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..100).map(|_| chance.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn rates_and_bounds_are_kept() {
        let mut chance = Chance::new(3);
        let hits = (0..100_000).filter(|_| chance.hit(0.25)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| !chance.hit(0.0)));
        assert!((0..1_000).all(|_| (5..=9).contains(&chance.between(5, 9))));
        assert_eq!(chance.between(9, 5), 9);
    }
}
