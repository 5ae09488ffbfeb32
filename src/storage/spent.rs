//! What was sent to whom and when, for caps: twelve octets a row, opaque here. Reading fails by `None`.

/// One send that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent {
    /// Which account's recipient, as a hash.
    pub key: u64,
    /// The minute and the kind, as `directory::caps` packs them.
    pub stamp: u32,
}

/// Rows that are alike in some bits: those an erasure takes away, named by whoever knows what a key is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpentLike {
    /// What the row says, and which bits of it are looked at.
    pub row: Spent,
    pub key_mask: u64,
    pub stamp_mask: u32,
}

impl SpentLike {
    /// Whether a row is one of them.
    #[must_use]
    pub const fn is_met(&self, row: &Spent) -> bool {
        (row.key ^ self.row.key) & self.key_mask == 0 && (row.stamp ^ self.row.stamp) & self.stamp_mask == 0
    }
}

const OCTETS: usize = 12;

/// A commit's rows in one blob.
#[must_use]
pub fn write_spent(rows: &[Spent]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(rows.len() * OCTETS);
    for row in rows {
        blob.extend_from_slice(&row.key.to_le_bytes());
        blob.extend_from_slice(&row.stamp.to_le_bytes());
    }
    blob
}

/// The inverse, a row at a time; `None` when octets are left over.
#[must_use]
pub fn read_spent(blob: &[u8]) -> Option<impl Iterator<Item = Spent> + '_> {
    let (rows, rest) = blob.as_chunks::<OCTETS>();
    let row = |octets: &[u8; OCTETS]| {
        let (key, stamp) = octets.split_at(8);
        let key = key.try_into().map(u64::from_le_bytes).expect("8 of 12 octets");
        Spent { key, stamp: stamp.try_into().map(u32::from_le_bytes).expect("the other 4") }
    };
    rest.is_empty().then(|| rows.iter().map(row))
}
