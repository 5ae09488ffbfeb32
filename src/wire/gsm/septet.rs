//! Septets packed into octets, low bits first (3GPP TS 23.038 clause 6.1.2.1), with the fill bits after a header.
//!
//! Most SMPP peers take septets unpacked, one per octet, and pack them themselves: this is for the few that do not,
//! and for reading what a TPDU holds. Nothing fails; what is not there is not read.

/// Bits between a header of `udh_octets` (its length octet included; 0 = no header) and the first septet: 0 to 6.
#[must_use]
pub const fn fill_bits(udh_octets: usize) -> usize {
    (7 - udh_octets * 8 % 7) % 7
}

/// The TP-User-Data-Length of a text of `septets` behind a header of `udh_octets`: septets, the header's included.
#[must_use]
pub const fn length(udh_octets: usize, septets: usize) -> usize {
    (udh_octets * 8).div_ceil(7) + septets
}

/// Appends `septets` (one per octet; the high bit is ignored) packed, as they follow a header of `udh_octets`.
/// Bits left over in the last octet are 0.
pub fn pack(septets: &[u8], udh_octets: usize, out: &mut Vec<u8>) {
    let mut held = fill_bits(udh_octets);
    let mut bits = 0u16;
    out.reserve((held + septets.len() * 7).div_ceil(8));
    for septet in septets {
        bits |= u16::from(septet & 0x7F) << held;
        held += 7;
        if held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 && !septets.is_empty() {
        out.push(bits as u8);
    }
}

/// Appends up to `count` septets, one per octet, from packed `octets` that follow a header of `udh_octets`. Fewer come
/// if the octets end before.
pub fn unpack(octets: &[u8], udh_octets: usize, count: usize, out: &mut Vec<u8>) {
    let fill = fill_bits(udh_octets);
    let there = (octets.len() * 8).saturating_sub(fill) / 7;
    for place in 0..count.min(there) {
        let bit = fill + place * 7;
        let low = u16::from(octets[bit / 8]);
        // The last septet may end with its octet: nothing more is needed then.
        let high = octets.get(bit / 8 + 1).map_or(0, |octet| u16::from(*octet));
        out.push(((low | high << 8) >> (bit % 8)) as u8 & 0x7F);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fill_bits_are_those_of_the_table() {
        let table = [(0, 0), (4, 3), (6, 1), (7, 0), (9, 5), (10, 4), (12, 2), (13, 1)];
        for (udh_octets, bits) in table {
            assert_eq!(fill_bits(udh_octets), bits, "{udh_octets}");
        }
    }

    #[test]
    fn a_full_part_with_its_header_is_160_septets_long() {
        assert_eq!((length(0, 160), length(6, 153), length(7, 152)), (160, 160, 160));
    }

    #[test]
    fn the_usual_example_is_packed_as_everyone_packs_it() {
        let mut octets = Vec::new();
        pack(b"hellohello", 0, &mut octets);
        assert_eq!(hex::encode(octets), "e8329bfd4697d9ec37");
    }

    #[test]
    fn nothing_is_packed_to_nothing() {
        let mut octets = Vec::new();
        pack(&[], 6, &mut octets);
        assert!(octets.is_empty());
    }

    proptest! {
        #[test]
        fn septets_come_back_behind_any_header(septets in proptest::collection::vec(0u8..128, 0..200), udh_octets in 0usize..140) {
            let (mut octets, mut back) = (Vec::new(), Vec::new());
            pack(&septets, udh_octets, &mut octets);
            unpack(&octets, udh_octets, septets.len(), &mut back);
            prop_assert_eq!(back, septets);
        }

        #[test]
        fn no_announced_count_reads_past_the_octets(octets in proptest::collection::vec(any::<u8>(), 0..150), udh_octets in 0usize..300) {
            let mut septets = Vec::new();
            unpack(&octets, udh_octets, usize::MAX, &mut septets);
            prop_assert!(septets.len() * 7 <= octets.len() * 8);
        }
    }
}
