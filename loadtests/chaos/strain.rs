//! A disk that is slow or breaks its word: syncs that take from ten milliseconds to two seconds, writes that fail, come to a
//! limit, are half done or interrupted. What was answered stays true; what was not is asked for again.

use crate::common::gateway::Gateway;
use crate::crowd::crowd;
use crate::load::{Acknowledged, bulk};
use crate::rig::{Rig, Wanted, has, shell};
use crate::stage::{Board, shim};
use crate::{Given, Outcome};
use serde_json::{Map, Value, json};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// What each sync takes longer, one after the other; then it is as before.
const DRAGS_MS: [u64; 4] = [10, 100, 500, 2_000];
/// Messages of one request, and customers.
const MANY: usize = 50;
const CUSTOMERS: u32 = 24;
/// Messages a second that are offered.
const OFFERED: u32 = 1_200;

/// F12: commits grow, answers wait, and no timer takes a slow disk for a silent carrier.
pub(crate) fn slow(given: Given) -> Outcome {
    let shim = match shim() {
        Ok(shim) => shim,
        Err(why) => return Outcome::Skipped(why),
    };
    let mut lines = Map::new();
    let span = given.until.saturating_duration_since(Instant::now()) / (3 * DRAGS_MS.len() as u32);
    for drag in DRAGS_MS {
        let wanted = Wanted {
            http: "journal_queue_bytes_max = \"1MiB\"\nbody_bytes_max = \"256KiB\"\n".into(),
            carrier: "window = 200\n".into(),
            ..Wanted::default()
        };
        let mut rig = Rig::new("chaos-slow", given.seed + drag, &wanted);
        let board = Board::calm(rig.path().join("board"));
        let process = board.spawn(&shim, rig.path());
        rig.up_with(process).expect("it starts");
        // Before the disk gets slow: the first commit of a slice makes a file, with more syncs than others have.
        let next = AtomicUsize::new(MANY);
        let (_, ids) = rig.gateway().api().take(&bulk(0..MANY));
        rig.others.extend(ids.into_iter().enumerate().map(|(number, id)| Acknowledged { id, number }));
        let syncs = board.read().synced;
        board.drag(Duration::from_millis(drag));
        let commits = |rig: &Rig| rig.gateway().api().metric("relais_journal_commits_total", &[]);
        let (before, began) = (commits(&rig), Instant::now());
        let span = span.clamp(Duration::from_secs(3), Duration::from_secs(10));
        let mut tally = crowd(rig.gateway().at(), &next, (CUSTOMERS, MANY), span, Some(OFFERED), given.seed + drag);
        let (made, took) = (commits(&rig) - before, began.elapsed().as_secs_f64());
        assert!(tally.refused.iter().all(|(status, _)| *status == 503), "what the disk is too slow for is 503");
        let taken = tally.acknowledged.len();
        assert!(taken > 0, "INV-26: something is taken");
        rig.others.append(&mut tally.acknowledged);
        let figures = json!({
            "taken_per_s": (taken as f64 / took) as u64, "commits_per_s": made / took, "syncs_of_the_first_commits": syncs, "refused_503": tally.refused.len(),
            "answer_ms_median": tally.answer_ms(0.5), "answer_ms_p99": tally.answer_ms(0.99), "memory_peak_mib": rig.memory() >> 20,
        });
        board.drag(Duration::ZERO);
        let settled = rig.settle();
        let doubt = (settled.sum.doubled, settled.sum.labelled, settled.sum.unseen);
        assert_eq!(doubt, (0, 0, 0), "INV-9: syncs of {drag} ms brought doubt");
        lines.insert(format!("{drag} ms"), settled.figures(figures));
    }
    Outcome::Held(Value::Object(lines))
}

/// How writes fail.
#[derive(Clone, Copy)]
enum How {
    /// With this errno, so many of them.
    Errno(i64, i64),
    /// Half of the octets are written, so many times.
    Short(i64),
    /// Files may not grow beyond some octets; with the signal, which kills, or without.
    Limit(Signal),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    Kills,
    Ignored,
}

const STRAINS: [(&str, How); 7] = [
    ("EIO once", How::Errno(5, 1)),
    ("EIO for good", How::Errno(5, i64::MAX >> 1)),
    ("EROFS for good", How::Errno(30, i64::MAX >> 1)),
    ("half written", How::Short(200)),
    ("EINTR", How::Errno(4, 200)),
    ("EFBIG", How::Limit(Signal::Ignored)),
    ("SIGXFSZ", How::Limit(Signal::Kills)),
];

/// F10, INV-3.
pub(crate) fn writes(given: Given) -> Outcome {
    let shim = match shim() {
        Ok(shim) => shim,
        Err(why) => return Outcome::Skipped(why),
    };
    let (mut rounds, mut lines) = (0_usize, Map::new());
    while rounds < STRAINS.len() || (given.goes_on() && rounds < 140) {
        let (name, how) = STRAINS[rounds % STRAINS.len()];
        if matches!(how, How::Limit(_)) && !has("prlimit") {
            rounds += 1;
            continue;
        }
        let line = strain(&shim, given.seed + rounds as u64, name, how);
        let before = lines.get(name).cloned().unwrap_or_default();
        lines.insert(name.into(), crate::process::added(&[before, line]));
        rounds += 1;
    }
    lines.insert("rounds".into(), json!(rounds));
    Outcome::Held(Value::Object(lines))
}

/// One gateway under load whose writes fail; its figures.
fn strain(shim: &std::path::Path, seed: u64, name: &str, how: How) -> Value {
    let mut rig = Rig::new("chaos-writes", seed, &Wanted { carrier: "ambiguity_hold = \"200ms\"\n".into(), ..Wanted::default() });
    rig.customers(4, Duration::from_millis(30));
    rig.load.as_ref().expect("customers").forgive();
    let board = Board::calm(rig.path().join("board"));
    let process = match how {
        How::Limit(Signal::Ignored) => Gateway::spawn_by(rig.path(), &["env", "--ignore-signal=XFSZ"]),
        How::Limit(Signal::Kills) => Gateway::spawn(rig.path()),
        _ => board.spawn(shim, rig.path()),
    };
    rig.up_with(process).expect("it starts");
    rig.rest(300, 800);
    let may_live = matches!(how, How::Short(_) | How::Errno(4, _));
    match how {
        How::Errno(errno, many) => board.plan(errno, rig.chance.below(60), many),
        How::Short(many) => board.plan(-1, rig.chance.below(60), many),
        How::Limit(_) => {
            let most = rig.chance.between(4_096, 400_000);
            shell(&format!("prlimit --pid {} --fsize={most}:", rig.gateway().pid())).expect("our own process");
        }
    }
    let ended = if may_live {
        crate::common::until("the writes were struck", Duration::from_secs(20), || (board.struck() >= 200).then_some(()));
        rig.ends(Duration::ZERO)
    } else {
        rig.ends(Duration::from_secs(10))
    };
    let (failed, killed) = (ended.is_some_and(|status| status.code() == Some(70)), ended.is_some_and(|status| status.code().is_none()));
    assert!(ended.is_none() || failed || (killed && matches!(how, How::Limit(Signal::Kills))), "INV-3: {name}: it ended with {ended:?}");
    assert!(!may_live || ended.is_none(), "{name}: a write that can be made again ends nothing");
    if ended.is_none() && !may_live {
        // It was a write that nobody was promised anything by: the next start must find all the same.
        rig.kill9();
    }
    let struck = board.struck();
    let settled = rig.settle();
    if may_live {
        assert_eq!((settled.sum.doubled, settled.sum.labelled), (0, 0), "INV-9: {name}");
    }
    settled.figures(json!({
        "rounds": 1, "failed_stop": u64::from(failed), "killed_by_signal": u64::from(killed),
        "lived_on": u64::from(ended.is_none()), "struck": struck,
    }))
}
