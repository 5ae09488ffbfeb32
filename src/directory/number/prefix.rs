//! Prefixes of numbers and what the longest one says: a tree of digits, and the form of the files it is read from.
//!
//! 30 kB for the 3,240 prefixes of the zones; a look-up follows at most one place per digit of the longest prefix.

/// What a prefix leads to: the place of something in a list, below 32,767.
pub(super) type Value = u16;

/// The entry of a digit: 0 for nothing, the place of a node, or a value with this bit.
const LEAF: u16 = 0x8000;
const NO_VALUE: u16 = u16::MAX;

/// One place in the tree.
struct Node {
    /// What the digits up to here lead to, or [`NO_VALUE`].
    value: Value,
    next: [u16; 10],
}

/// Prefixes, each with a value. The longest prefix of a number decides.
pub(super) struct PrefixTable {
    nodes: Vec<Node>,
}

impl PrefixTable {
    pub(super) fn new() -> PrefixTable {
        PrefixTable { nodes: vec![Node { value: NO_VALUE, next: [0; 10] }] }
    }

    /// Puts a prefix of ASCII digits; one put twice has the later value.
    pub(super) fn put(&mut self, prefix: &[u8], value: Value) {
        assert!(value < LEAF - 1 && !prefix.is_empty() && prefix.iter().all(u8::is_ascii_digit), "the tables are built in");
        let mut at = 0;
        for (place, digit) in prefix.iter().enumerate() {
            let entry = self.nodes[at].next[usize::from(digit - b'0')];
            let is_node = entry != 0 && entry & LEAF == 0;
            if place + 1 == prefix.len() && !is_node {
                self.nodes[at].next[usize::from(digit - b'0')] = LEAF | value;
                return;
            }
            if !is_node {
                // A leaf that gets longer prefixes below it keeps its value as a node.
                let made = u16::try_from(self.nodes.len()).ok().filter(|made| made & LEAF == 0).expect("a few thousand prefixes");
                self.nodes.push(Node { value: if entry == 0 { NO_VALUE } else { entry & !LEAF }, next: [0; 10] });
                self.nodes[at].next[usize::from(digit - b'0')] = made;
            }
            at = usize::from(self.nodes[at].next[usize::from(digit - b'0')]);
        }
        self.nodes[at].value = value;
    }

    /// The value of the longest prefix of these ASCII digits.
    #[inline]
    pub(super) fn longest(&self, digits: &[u8]) -> Option<Value> {
        let (mut best, mut at) = (NO_VALUE, 0usize);
        for digit in digits {
            let entry = self.nodes[at].next[usize::from(digit.wrapping_sub(b'0') % 10)];
            if entry == 0 {
                break;
            }
            if entry & LEAF != 0 {
                best = entry & !LEAF;
                break;
            }
            at = usize::from(entry);
            if self.nodes[at].value != NO_VALUE {
                best = self.nodes[at].value;
            }
        }
        (best != NO_VALUE).then_some(best)
    }
}

/// One line of a file of rules: the words before `=`, and those behind it.
pub(super) struct Group {
    pub(super) key: Vec<&'static str>,
    pub(super) items: Vec<&'static str>,
}

/// Reads `word word = item item …`, with `#` for comments; a line that begins with a space continues the one before it.
/// Lines without `=` are left out.
pub(super) fn groups(text: &'static str) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            let last = found.last_mut().expect("a continued line has one before it");
            last.items.extend(line.split_whitespace());
        } else if let Some((key, items)) = line.split_once('=') {
            found.push(Group { key: key.split_whitespace().collect(), items: items.split_whitespace().collect() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_longest_prefix_decides_in_whatever_order_they_were_put() {
        for order in [["1", "12", "1234"], ["1234", "12", "1"], ["12", "1", "1234"]] {
            let mut table = PrefixTable::new();
            order.iter().for_each(|prefix| table.put(prefix.as_bytes(), prefix.len() as u16));
            for (digits, value) in [("1", Some(1)), ("13", Some(1)), ("123", Some(2)), ("12345", Some(4)), ("2", None), ("", None)] {
                assert_eq!(table.longest(digits.as_bytes()), value, "{order:?} {digits}");
            }
        }
    }

    #[test]
    fn groups_go_on_over_lines() {
        let found = groups("# head\n\nA B = 1\n    2 3\n# between\nC -> D\nE =\n    4\n");
        let shown: Vec<_> = found.iter().map(|group| (group.key.join(" "), group.items.join(" "))).collect();
        assert_eq!(shown, [("A B".into(), "1 2 3".into()), ("E".into(), "4".into())]);
    }

    proptest::proptest! {
        #[test]
        fn a_table_answers_as_a_map_of_prefixes_does(
            prefixes in proptest::collection::btree_map("[0-3]{1,5}", 0u16..100, 0..40),
            digits in "[0-3]{0,8}",
        ) {
            let prefixes: BTreeMap<String, u16> = prefixes;
            let mut table = PrefixTable::new();
            prefixes.iter().for_each(|(prefix, value)| table.put(prefix.as_bytes(), *value));
            let expected = (1..=digits.len()).rev().find_map(|end| prefixes.get(&digits[..end]).copied());
            proptest::prop_assert_eq!(table.longest(digits.as_bytes()), expected);
        }
    }
}
