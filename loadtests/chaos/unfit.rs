//! A data directory that cannot be used: read-only under the gateway and at its start, somebody else's, of a newer format, of
//! yesterday, or gone. The process ends or does not begin, says why each time it is tried, and finds everything once that is mended.

use crate::common::gateway::{Gateway, key};
use crate::common::http::Client;
use crate::common::until;
use crate::disk::Mounted;
use crate::load::bulk;
use crate::rig::{Rig, Wanted, has, shell};
use crate::{Given, Outcome};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Exit status when the start failed, and when the journal did.
const NOT_STARTED: Option<i32> = Some(2);
const FAILED: Option<i32> = Some(70);
/// A supervisor that starts it again and again.
const TRIES: usize = 3;
/// The number of the message that a directory takes with it.
const TAKEN: usize = 90_000_000;

/// F14, F15, F32.
pub(crate) fn unfit(given: Given) -> Outcome {
    let wanted =
        Wanted { carrier: "ambiguity_hold = \"200ms\"\n".into(), more: "[journal]\nwitness = \"witness\"\n".into(), ..Wanted::default() };
    let mut rig = Rig::new("chaos-unfit", given.seed, &wanted);
    let mounted = match Mounted::new(&rig, "mkfs.ext4 -q -m 0", ",errors=remount-ro", 200) {
        Ok(mounted) => mounted,
        Err(why) => return Outcome::Skipped(format!("no file system of our own can be mounted here: {why}")),
    };
    rig.customers(4, Duration::from_millis(40));
    rig.load.as_ref().expect("customers").forgive();
    let (mut rounds, mut ended_ms, mut refused) = (0, Vec::new(), 0);
    while rounds < 2 || (given.goes_on() && rounds < 20) {
        rig.up();
        rig.rest(300, 900);
        // At rest: what is answered in the very instant is a question to the kernel (docs/proof.md, "Not seen yet").
        let (load, at) = (rig.load.as_ref().expect("customers"), rig.gateway().at());
        load.gateway_at(None);
        rests(&rig);
        // What a kernel does with a disk that it does not trust any more; then they go on.
        let began = Instant::now();
        if let Err(why) = mounted.distrust() {
            rig.kill9();
            return Outcome::Skipped(format!("the file system cannot be made to fail: {why}"));
        }
        load.gateway_at(Some(at));
        let ended = rig.ends(Duration::from_secs(20)).expect("INV-3: it does not go on with a disk that takes nothing");
        assert_eq!(ended.code(), FAILED, "INV-3: {}", tail(&rig));
        ended_ms.push(began.elapsed().as_millis() as u64);
        refused += refuses(&rig, &["read-only", "readonly"], Gateway::spawn);
        mounted.unmount().expect("nobody uses it");
        mounted.mend().expect("it is sound: its journal is replayed");
        mounted.mount(",errors=remount-ro").expect("it is sound");
        rounds += 1;
    }
    // Read-only from the start, by an operator's hand.
    mounted.remount("ro").expect("nobody writes");
    refused += refuses(&rig, &["read-only", "readonly"], Gateway::spawn);
    mounted.remount("rw").expect("it is sound");
    if has("setpriv") {
        // Somebody else's: this process may not even look into the build directory, so it is asked where anybody may look.
        refused += someone_elses();
    }
    refused += of_tomorrow(&rig);
    refused += of_yesterday(&mut rig);
    rig.up();
    let settled = rig.settle();
    drop(mounted);
    let gone_ms = gone(given.seed);
    Outcome::Held(settled.figures(json!({
        "read_only_rounds": rounds, "ended_after_ms": ended_ms, "starts_refused": refused, "gone_found_after_ms": gone_ms,
    })))
}

/// Waits until nothing was committed for a second.
fn rests(rig: &Rig) {
    let commits = || rig.gateway().api().metric("relais_journal_commits_total", &[]);
    let (mut last, mut since) = (commits(), Instant::now());
    until("nothing is committed", Duration::from_secs(60), || {
        let now = commits();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// Starts it some times: each time it is refused with a reason that has one of these words. How many times.
fn refuses(rig: &Rig, words: &[&str], spawn: impl Fn(&std::path::Path) -> crate::common::process::Process) -> usize {
    for _ in 0..TRIES {
        let (status, said) = rig.refused(&spawn);
        assert_eq!(status, NOT_STARTED, "{said}");
        let last = said.lines().last().unwrap_or_default().to_lowercase();
        assert!(words.iter().any(|word| last.contains(word)), "F15: the last line does not say why: {said}");
        assert!(last.contains("data"), "F15: the last line does not say where: {said}");
    }
    TRIES
}

fn tail(rig: &Rig) -> String {
    let log = rig.log();
    log.lines().rev().take(5).collect::<Vec<_>>().join("\n")
}

/// Started by another user than the directory's. How many starts were refused.
fn someone_elses() -> usize {
    let home = tempfile::Builder::new().prefix("chaos-owner-").tempdir().expect("a place where anybody may look");
    let rig = Rig::new("chaos-owner", 1, &Wanted::default());
    let (text, to) = (std::fs::read_to_string(rig.path().join("relais.toml")).expect("written"), home.path().join("relais.toml"));
    let data = home.path().join("data");
    let text: String = text
        .lines()
        .map(|line| if line.starts_with("data_dir") { format!("data_dir = {data:?}\n") } else { format!("{line}\n") })
        .collect();
    std::fs::write(&to, text).expect("ours");
    std::fs::create_dir(&data).expect("ours");
    shell(&format!(
        "cp {} {}/relais && chmod 755 {} && chmod 700 {}",
        env!("CARGO_BIN_EXE_relais"),
        home.path().display(),
        home.path().display(),
        data.display()
    ))
    .expect("there is room");
    let command = format!("exec setpriv --reuid=65534 --regid=65534 --clear-groups ./relais serve --config {}", to.display());
    for _ in 0..TRIES {
        let output = std::process::Command::new("sh").args(["-c", &command]).current_dir(home.path()).output().expect("sh is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), NOT_STARTED, "{said}");
        assert!(last.to_lowercase().contains("permission denied") && last.contains(&*data.to_string_lossy()), "F15: {said}");
    }
    TRIES
}

/// A newer format in the newest slice, then in the notes: refused, named, and nothing is changed. How many starts were.
fn of_tomorrow(rig: &Rig) -> usize {
    let files = "import glob,sqlite3,sys\n\
        name = sorted(glob.glob(sys.argv[1] + '/slice-*.db'))[-1] if sys.argv[2] == 'slice' else sys.argv[1] + '/meta.db'\n\
        base = sqlite3.connect(name)\n\
        print(base.execute('select version from format').fetchone()[0])\n\
        base.execute('update format set version = ?', (int(sys.argv[3]),))\n\
        base.commit()\n";
    let script = rig.path().join("format.py");
    std::fs::write(&script, files).expect("the bench's directory");
    let set = |what: &str, version: &str| {
        shell(&format!("python3 {} {} {what} {version}", script.display(), rig.path().join("data").display())).expect("it is a database")
    };
    let mut refused = 0;
    for what in ["slice", "meta"] {
        let found = set(what, "9");
        for _ in 0..TRIES {
            let (status, said) = rig.refused(Gateway::spawn);
            assert_eq!(status, NOT_STARTED, "{said}");
            assert!(said.lines().last().unwrap_or_default().contains("version 9"), "F32: {said}");
            refused += 1;
        }
        assert_eq!(set(what, &found), "9", "F32: a refused file is not changed");
    }
    refused
}

/// An old copy in the place of the directory, then nothing in it, as when a disk is not mounted: refused and named, and the right one
/// is taken again. How many starts were refused.
fn of_yesterday(rig: &mut Rig) -> usize {
    let home = rig.path().to_owned();
    let run = |command: &str| shell(&format!("cd {} && {command}", home.display())).expect("there is room");
    let reached = || std::fs::read_to_string(home.join("witness")).ok().and_then(|text| text.trim().parse::<u64>().ok());
    run("mkdir old new && cp -a data/. old");
    rig.up();
    let before = reached();
    // Until something was committed that the witness has heard of.
    until("the witness was told", Duration::from_secs(20), || (reached() > before).then_some(()));
    rig.kill9();
    let mut refused = 0;
    for command in ["mv data/* new && cp -a old/. data", "rm -rf data/*"] {
        run(command);
        for _ in 0..TRIES {
            let (status, said) = rig.refused(Gateway::spawn);
            assert_eq!(status, NOT_STARTED, "{said}");
            assert!(said.lines().last().unwrap_or_default().contains("an old copy was put back"), "F14: {said}");
            refused += 1;
        }
    }
    run("rm -rf data/* && mv new/* data");
    refused
}

/// The directory is removed, then renamed, under a gateway: it finds out by itself, and nothing is answered after that. How long
/// that took.
fn gone(seed: u64) -> Vec<u64> {
    let mut found = Vec::new();
    for (index, command) in ["rm -rf data", "mv data elsewhere"].into_iter().enumerate() {
        let mut rig = Rig::new("chaos-gone", seed, &Wanted::default());
        rig.up();
        let at = rig.gateway().at();
        rig.gateway().api().take(&bulk(0..10));
        let began = Instant::now();
        shell(&format!("cd {} && {command}", rig.path().display())).expect("ours");
        let body = serde_json::to_vec(&bulk(TAKEN..TAKEN + 1)).expect("plain values");
        let answer = Client::new(at, &key()).call("POST", "/v1/batches", &[("content-type", "application/json")], &body);
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status >= 500), "INV-1: it was answered for, and is nowhere");
        let ended = until("it finds out", Duration::from_secs(20), || rig.ends(Duration::ZERO));
        assert_eq!(ended.code(), FAILED, "{}", tail(&rig));
        assert!(rig.log().contains("data directory"), "F15: it says why: {}", tail(&rig));
        found.push(began.elapsed().as_millis() as u64);
        if index == 1 {
            shell(&format!("cd {} && rm -rf data && mv elsewhere data", rig.path().display())).expect("ours");
            rig.up();
            let batches: Value = rig.gateway().api().see("/v1/batches");
            assert_eq!(batches["batches"].as_array().map(Vec::len), Some(1), "what was there is there: {batches:#}");
        }
    }
    found
}
