//! The seam of chance.

/// Random octets, unpredictable in the real world, repeatable in a simulation.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Numbers from octets.
pub trait Entropy64 {
    /// A random number.
    fn next_u64(&self) -> u64;
    /// A random number below `bound` (at least 1). The bias is below bound / 2^64.
    fn below(&self, bound: u64) -> u64;
}

impl<T: Entropy + ?Sized> Entropy64 for T {
    fn next_u64(&self) -> u64 {
        let mut octets = [0; 8];
        self.fill(&mut octets);
        u64::from_le_bytes(octets)
    }
    fn below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "a bound is at least 1");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}
