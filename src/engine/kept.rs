//! The rules in use and those they replaced, as notes of the journal, so that a restart forgets none: a list with the end of
//! each and the hash of what it was read from, and beside it one compressed copy of each. In: what the law says is to be
//! kept. Out: notes; and at start what they held. What is damaged or gone is told in the log and answered with an instant
//! until which it is not known what else must allow.

use crate::base::{Span, Time};
use crate::config::AfterLoss;
use crate::config::limits::{FORMER_RULES_MAX, RULES_KEPT_BYTES_MAX};
use crate::directory::judge::{Kept, Sources};
use crate::engine::writer::Notes;
use crate::storage::{Archive, Recovered, StoreFault};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The list.
const LIST: &str = "rules.list";
/// Copies lie under this and their hash.
const COPIES: &str = "rules.copy/";
/// Begins the list: its form.
const FORM: u8 = 1;
/// The end of those in use.
const IN_USE: i64 = i64::MIN;
/// So long what was replaced is asked.
const BOTH_FOR: Span = Span::secs(7 * 24 * 3_600);

type Digest = [u8; 32];
/// A generation's end, none of those in use, and its hash.
type Entry = (Option<Time>, Digest);

/// What the journal holds.
#[derive(Default, Debug)]
pub(crate) struct Shelved {
    list: Vec<u8>,
    copies: BTreeSet<String>,
}

/// What was found at start.
pub(crate) struct Recalled {
    pub(crate) generations: Vec<Kept>,
    pub(crate) shelved: Shelved,
    /// Something is lost that must allow until then.
    pub(crate) unsure_until: Option<Time>,
}

fn copy_key(digest: &Digest) -> String {
    let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{COPIES}{hex}")
}

/// The notes that bring the journal up to date; none when it is.
pub(crate) fn write((kept, unsure_until): (Vec<Kept>, Option<Time>), shelved: &mut Shelved) -> Notes {
    let (mut list, mut notes, mut copies) = (vec![FORM], Notes::new(), BTreeSet::new());
    list.extend(unsure_until.map_or(IN_USE, |until| until.0).to_le_bytes());
    for one in kept {
        let (octets, digest) = one.sources.write();
        list.extend(one.until.map_or(IN_USE, |until| until.0).to_le_bytes());
        list.extend(digest);
        let key = copy_key(&digest);
        if !shelved.copies.contains(&key) && !copies.contains(&key) {
            let copy = zstd::bulk::compress(&octets, 3).expect("memory takes all that is written to it");
            notes.push((key.clone(), Some(copy)));
        }
        copies.insert(key);
    }
    notes.extend(shelved.copies.difference(&copies).map(|key| (key.clone(), None)));
    if list != shelved.list {
        notes.push((LIST.to_owned(), Some(list.clone())));
    }
    *shelved = Shelved { list, copies };
    notes
}

/// The list read: until when something is not known, and each generation's end and hash.
fn entries(list: &[u8]) -> Option<(Option<Time>, Vec<Entry>)> {
    let time = |octets: &[u8; 8]| Some(i64::from_le_bytes(*octets)).filter(|until| *until != IN_USE).map(Time);
    let ([FORM], rest) = list.split_first_chunk::<1>()? else { return None };
    let (unsure, mut rest) = rest.split_first_chunk::<8>()?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (until, behind) = rest.split_first_chunk::<8>()?;
        let (digest, behind) = behind.split_first_chunk::<32>()?;
        all.push((time(until), *digest));
        rest = behind;
    }
    // One more than the bound: those in use.
    (all.len() <= FORMER_RULES_MAX + 1).then_some((time(unsure), all))
}

/// What the journal kept.
///
/// # Errors
/// When it cannot be read for other reasons than damage.
pub(crate) fn read(archive: &dyn Archive, recovered: &Recovered, after_loss: AfterLoss, now: Time) -> Result<Recalled, StoreFault> {
    let list = match archive.notes(LIST) {
        Ok(found) => found.into_iter().next().map(|(_, list)| list),
        Err(StoreFault::Damaged { .. }) => Some(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let lost = |until: Option<Time>| match after_loss {
        AfterLoss::Hold => until,
        AfterLoss::Send => {
            tracing::warn!("consent.after_loss says to send all the same");
            None
        }
    };
    let nothing = || Recalled { generations: Vec::new(), shelved: Shelved::default(), unsure_until: None };
    let Some(list) = list else {
        if recovered.notes_lost {
            tracing::error!("the list of the rules that were replaced is gone with the notes");
            return Ok(Recalled { unsure_until: lost(Some(now.after(BOTH_FOR))), ..nothing() });
        }
        return Ok(nothing());
    };
    let Some((unsure, entries)) = entries(&list) else {
        tracing::error!("the list of the rules that were replaced is damaged");
        return Ok(Recalled { unsure_until: lost(Some(now.after(BOTH_FOR))), ..nothing() });
    };
    let (mut generations, mut copies, mut unsure_until) = (Vec::new(), BTreeSet::new(), unsure.filter(|until| now < *until));
    for (until, digest) in entries {
        let key = copy_key(&digest);
        let copy = match archive.notes(&key) {
            Ok(found) => found.into_iter().next().map(|(_, copy)| copy),
            Err(StoreFault::Damaged { .. }) => None,
            Err(fault) => return Err(fault),
        };
        let octets = copy.and_then(|copy| zstd::bulk::decompress(&copy, 2 * RULES_KEPT_BYTES_MAX).ok());
        match octets.and_then(|octets| Sources::read(&octets, &digest)) {
            Some(sources) => {
                copies.insert(key);
                generations.push(Kept { sources: Arc::new(sources), until });
            }
            None if until.is_some_and(|until| until <= now) => {}
            None => {
                tracing::error!("a copy of rules that were in use is damaged or gone");
                unsure_until = unsure_until.max(Some(until.unwrap_or_else(|| now.after(BOTH_FOR))));
            }
        }
    }
    Ok(Recalled { generations, shelved: Shelved { list, copies }, unsure_until: unsure_until.and_then(|until| lost(Some(until))) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::memory::Memory;
    use crate::storage::{Group, Journal};

    const NOW: Time = Time(1_800_000_000_000);
    const DAY_MS: i64 = 86_400_000;

    fn generation(text: &str, days: Option<i64>) -> Kept {
        let sources = Sources { rules: Some(vec![("FR.toml".into(), text.into())]), zones: None };
        Kept { sources: Arc::new(sources), until: days.map(|days| Time(NOW.0 + days * DAY_MS)) }
    }

    fn commit(memory: &mut Memory, notes: Notes) {
        let seq = memory.recover().expect("memory").last_seq + 1;
        memory.commit(&Group { seq, at: NOW, notes, ..Group::default() }).expect("memory");
    }

    fn recall(memory: &mut Memory, after_loss: AfterLoss) -> Recalled {
        let recovered = memory.recover().expect("memory");
        read(memory.archive().as_ref(), &recovered, after_loss, NOW).expect("memory")
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_not_asked_any_more_goes() {
        let (mut memory, mut shelved) = (Memory::new(), Shelved::default());
        let first = (vec![generation("new", None), generation("old", Some(3))], None);
        commit(&mut memory, write(first.clone(), &mut shelved));
        assert!(write(first.clone(), &mut shelved).is_empty(), "it is up to date");
        let mut found = recall(&mut memory, AfterLoss::Hold);
        assert_eq!((&found.generations, found.unsure_until), (&first.0, None));
        assert!(write(first, &mut found.shelved).is_empty(), "it is up to date after a restart, too");
        let second = (vec![generation("newer", None), generation("new", Some(7))], None);
        commit(&mut memory, write(second.clone(), &mut found.shelved));
        assert_eq!(recall(&mut memory, AfterLoss::Hold).generations, second.0);
        assert_eq!(memory.archive().notes(COPIES).expect("memory").len(), 2, "the oldest is gone");
    }

    #[test]
    fn what_is_damaged_holds_for_as_long_as_it_would_have_been_asked() {
        let (mut memory, mut shelved) = (Memory::new(), Shelved::default());
        let kept = vec![generation("new", None), generation("old", Some(3)), generation("older", Some(1))];
        let notes = write((kept, None), &mut shelved);
        let until = |days: i64| Some(Time(NOW.0 + days * DAY_MS));
        for (at, days, left) in [(1, 3, 2), (0, 7, 2), (2, 1, 2), (3, 7, 0)] {
            for value in [Some(b"damaged".to_vec()), None] {
                if value.is_none() && at == 3 {
                    continue;
                }
                commit(&mut memory, notes.clone());
                commit(&mut memory, vec![(notes[at].0.clone(), value)]);
                let found = recall(&mut memory, AfterLoss::Hold);
                assert_eq!((found.generations.len(), found.unsure_until), (left, until(days)), "{at}");
                let found = recall(&mut memory, AfterLoss::Send);
                assert_eq!((found.generations.len(), found.unsure_until), (left, None), "{at}");
            }
        }
    }

    #[test]
    fn notes_that_are_gone_are_told_from_a_journal_that_never_had_any() {
        let mut memory = Memory::new();
        assert_eq!(recall(&mut memory, AfterLoss::Hold).unsure_until, None);
        let recovered = Recovered { notes_lost: true, ..Recovered::default() };
        let found = read(memory.archive().as_ref(), &recovered, AfterLoss::Hold, NOW).expect("memory");
        assert_eq!(found.unsure_until, Some(NOW.after(BOTH_FOR)));
    }

    #[test]
    fn a_list_that_nobody_wrote_is_refused() {
        for list in [&b""[..], b"\x02", b"\x01", b"\x01\0\0\0\0\0\0\0\0\x01", &[1; 9 + 40 * (FORMER_RULES_MAX + 2)]] {
            assert_eq!(entries(list), None);
        }
        assert_eq!(entries(&[1; 49]).map(|(_, all)| all.len()), Some(1));
    }
}
