//! What is done to the process: killed, asked to stop, put to sleep, left without file descriptors, its clock moved.

use crate::common::gateway::{Gateway, key};
use crate::common::http::Client;
use crate::common::until;
use crate::rig::{LINKS, Rig, WINDOW, Wanted, has, install, shell};
use crate::{Given, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// Kill cycles of one bench: each starts with an empty journal, so that the check at the end stays short.
const CYCLES: usize = 50;

/// F1. Two hundred kills in ten minutes, as many more as there is time for.
pub(crate) fn kill(given: Given) -> Outcome {
    let (mut kills, mut in_recovery, mut rounds, mut sums) = (0, 0, 0, Vec::new());
    while rounds == 0 || kills < given.kills || given.goes_on() {
        let mut rig = Rig::new("chaos-kill", given.seed + rounds, &Wanted::default());
        rig.customers(8, Duration::from_millis(100));
        let mut cycles = 0;
        while cycles < CYCLES && (cycles < 5 || kills + cycles < given.kills || given.goes_on()) {
            let process = Gateway::spawn(rig.path());
            cycles += 1;
            if rig.chance.hit(0.2) {
                let mut process = process;
                rig.rest(1, 300);
                process.kill9();
                in_recovery += 1;
                continue;
            }
            rig.up_with(process).expect("INV-4: it starts after every crash");
            rig.rest(100, 1_500);
            if rig.chance.hit(0.1) {
                // An operator who asks twice does not want to wait: as a kill.
                let gateway = rig.take().expect("it runs");
                gateway.term();
                gateway.term();
                let _ = gateway.end();
            } else {
                rig.kill9();
            }
        }
        kills += cycles;
        rounds += 1;
        let settled = rig.settle();
        let most = cycles * WINDOW * LINKS;
        assert!(settled.sum.doubled <= most, "INV-10: {} doubled in {cycles} kills", settled.sum.doubled);
        sums.push(settled.figures(json!({})));
    }
    Outcome::Held(json!({ "kills": kills, "in_recovery": in_recovery, "sum": added(&sums) }))
}

/// The numbers of several figures, added.
pub(crate) fn added(all: &[Value]) -> Value {
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for figures in all {
        for (name, value) in figures.as_object().into_iter().flatten() {
            if let Some(number) = value.as_u64() {
                *sum.entry(name.clone()).or_default() += number;
            }
        }
    }
    json!(sum)
}

/// F33, INV-29: nothing is in doubt after an orderly end.
pub(crate) fn term(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-term", given.seed, &Wanted::default());
    rig.customers(6, Duration::from_millis(100));
    let mut stops = 0;
    while stops < 3 || (given.goes_on() && stops < 100) {
        rig.up();
        rig.rest(200, 900);
        let gateway = rig.take().expect("it runs");
        assert_eq!(gateway.stop().code(), Some(0), "INV-29: it ends in order");
        stops += 1;
    }
    let settled = rig.settle();
    assert_eq!((settled.sum.doubled, settled.sum.labelled, settled.sum.unseen), (0, 0, 0), "INV-29: nothing was in doubt");
    Outcome::Held(settled.figures(json!({ "stops": stops })))
}

/// F5.
pub(crate) fn asleep(given: Given) -> Outcome {
    let wanted = Wanted { carrier: "response_timeout = \"2s\"\nenquire_link = \"1s\"\n".into(), ..Wanted::default() };
    let mut rig = Rig::new("chaos-asleep", given.seed, &wanted);
    rig.customers(6, Duration::from_millis(100));
    rig.up();
    let mut sleeps = 0;
    while sleeps < 3 || (given.goes_on() && sleeps < 60) {
        rig.rest(200, 1_000);
        rig.gateway().signal("STOP");
        rig.rest(200, 4_000);
        rig.gateway().signal("CONT");
        sleeps += 1;
    }
    Outcome::Held(rig.settle().figures(json!({ "sleeps": sleeps })))
}

/// F7: new connections find no descriptor; what is bound goes on, and so does everything when they are gone.
pub(crate) fn files(given: Given) -> Outcome {
    if !has("prlimit") {
        return Outcome::Skipped("prlimit is not here".into());
    }
    let mut rig = Rig::new("chaos-files", given.seed, &Wanted::default());
    rig.customers(4, Duration::from_millis(50));
    rig.up();
    rig.rest(500, 1_000);
    let binds = |rig: &Rig| rig.gateway().api().metric("relais_reconnects_total", &[]);
    let before = binds(&rig);
    let mut rounds = 0;
    while rounds < 2 || (given.goes_on() && rounds < 20) {
        let (pid, at) = (rig.gateway().pid(), rig.gateway().at());
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(60, Iterator::count);
        shell(&format!("prlimit --pid {pid} --nofile={}:", open + 4)).expect("our own process");
        let crowd: Vec<_> = (0..64).filter_map(|_| TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()).collect();
        rig.rest(500, 2_000);
        drop(crowd);
        shell(&format!("prlimit --pid {pid} --nofile=1024:")).expect("our own process");
        until("it answers again", Duration::from_secs(10), || {
            Client::new(at, &key()).call("GET", "/readyz", &[], &[]).ok().filter(|answer| answer.status == 200)
        });
        rounds += 1;
    }
    assert_eq!(binds(&rig), before, "F7: live sessions stayed");
    let settled = rig.settle();
    assert_eq!(settled.sum.doubled, 0, "INV-9");
    Outcome::Held(settled.figures(json!({ "rounds": rounds })))
}

/// F16: the wall clock of the process steps to and fro; timers are not its matter, and nothing is lost or sent twice.
pub(crate) fn clock(given: Given) -> Outcome {
    if !install("faketime", "faketime") {
        return Outcome::Skipped("faketime cannot be installed here".into());
    }
    let library = shell("ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -1").unwrap_or_default();
    if library.is_empty() {
        return Outcome::Skipped("libfaketime is not where it is on Debian".into());
    }
    let mut rig = Rig::new("chaos-clock", given.seed, &Wanted::default());
    rig.customers(6, Duration::from_millis(100));
    let steer = rig.path().join("clock");
    std::fs::write(&steer, "+0").expect("the bench's directory");
    let process = Gateway::spawn_with(rig.path(), |command: &mut Command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &steer)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    });
    rig.up_with(process).expect("it starts");
    let mut steps = 0;
    while steps < 6 || (given.goes_on() && steps < 300) {
        // Hours, not months: what outlives a message's lifetime expires it, as it should.
        let by = rig.chance.between(0, 7_200) as i64 - 3_600;
        std::fs::write(&steer, format!("{by:+}")).expect("the bench's directory");
        rig.rest(100, 500);
        steps += 1;
    }
    std::fs::write(&steer, "+0").expect("the bench's directory");
    let settled = rig.settle();
    assert_eq!(settled.sum.doubled, 0, "INV-17");
    Outcome::Held(settled.figures(json!({ "steps": steps })))
}
