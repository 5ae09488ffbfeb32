//! The nearest right word to a wrong one.

/// Longer words are nobody's typing errors, and the distance costs length times length.
const WORD_MAX: usize = 64;

/// The candidate that was probably meant, if one is near enough: at most a third of the letters differ, or it is the
/// only one that holds the word (`timeout` for `connect_timeout`) or is held by it.
pub(super) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = given.chars().take(WORD_MAX + 1).flat_map(char::to_lowercase).collect();
    if word.is_empty() || word.len() > WORD_MAX {
        return None;
    }
    let lower = given.to_lowercase();
    let (mut best, mut holding, mut holders) = (None, None, 0);
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().take(WORD_MAX).flat_map(char::to_lowercase).collect();
        let distance = distance(&word, &other);
        let allowed = (word.len().max(other.len()) / 3).max(1);
        if distance <= allowed && distance < other.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
        if word.len().min(other.len()) >= 3 && (candidate.contains(&lower) || lower.contains(candidate)) {
            holding = Some(candidate);
            holders += 1;
        }
    }
    best.map(|(_, candidate)| candidate).or(if holders == 1 { holding } else { None })
}

/// The hint for it.
pub(super) fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Letters put in, left out, exchanged for others, or swapped with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let exchanged = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = exchanged.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_that_was_meant() {
        let keys = ["window", "windows_max", "response_timeout", "bind_timeout", "password", "host"];
        for (given, meant) in [
            ("windw", Some("window")),
            ("Window", Some("window")),
            ("wnidow", Some("window")),
            ("response-timeout", Some("response_timeout")),
            ("responseTimeout", Some("response_timeout")),
            ("password_file", Some("password")),
            ("hots", Some("host")),
            ("timeout", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, keys), meant, "{given}");
        }
        assert_eq!(nearest(&"w".repeat(10_000), keys), None);
    }
}
