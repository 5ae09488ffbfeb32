//! What is done to the disk: syncs that fail, no room, power cuts on file systems of our own, flipped bits.

use crate::common::gateway::Gateway;
use crate::common::peers::Peer;
use crate::common::{Bench, until};
use crate::rig::{Rig, Wanted, has, install, shell};
use crate::{Given, Outcome};
use relais::lab::Chance;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// F9, INV-2, INV-3: the N-th sync of a thread fails once, as real disks do; the process must end and answer nothing more.
pub(crate) fn sync(given: Given) -> Outcome {
    if !has("strace") && !install("strace", "strace") {
        return Outcome::Skipped("strace cannot be installed here".into());
    }
    let (mut failed, mut survived, mut at, mut sums) = (0, 0, 1_u64, Vec::new());
    while failed < 3 || (given.goes_on() && failed < 200) {
        let wanted = Wanted { carrier: "ambiguity_hold = \"200ms\"\n".into(), ..Wanted::default() };
        let mut rig = Rig::new("chaos-sync", given.seed + at, &wanted);
        rig.customers(3, Duration::from_millis(30));
        rig.load.as_ref().expect("customers").forgive();
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={at}");
        let process = Gateway::spawn_traced(rig.path(), &["trace=fdatasync,fsync", &inject]);
        if rig.up_with(process).is_some() {
            let mut gateway = rig.take().expect("it was ready");
            // Customers go on at the address they know; what they are answered is in the ledger.
            rig.load.as_ref().expect("customers").gateway_at(Some(gateway.at()));
            let began = std::time::Instant::now();
            while !gateway.has_ended() && began.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if !gateway.has_ended() {
                // It was the sync of a directory, which SQLite passes over; each thread has one at most.
                survived += 1;
                gateway.kill_traced();
            }
            rig.load.as_ref().expect("customers").gateway_at(None);
        }
        sums.push(rig.settle().figures(json!({})));
        failed += 1;
        at += 1 + failed / 20;
    }
    assert!(survived <= failed / 2, "INV-3: {survived} of {failed} failed syncs were survived");
    Outcome::Held(json!({ "failed_syncs": failed, "of_directories": survived, "last_at": at, "sum": crate::process::added(&sums) }))
}

/// A file system of our own, mounted in the place of the gateway's data.
pub(crate) struct Mounted {
    at: PathBuf,
    image: Option<PathBuf>,
}

impl Mounted {
    pub(crate) fn new(rig: &Rig, make: &str, options: &str, megabytes: u32) -> Result<Mounted, String> {
        let (at, image) = (rig.path().join("data"), rig.path().join("disk.img"));
        std::fs::create_dir_all(&at).map_err(|fault| fault.to_string())?;
        shell(&format!("truncate -s {megabytes}M {} && {make} {} >/dev/null", image.display(), image.display()))?;
        let mounted = Mounted { at, image: Some(image) };
        mounted.mount(options)?;
        Ok(mounted)
    }

    pub(crate) fn mount(&self, options: &str) -> Result<(), String> {
        let image = self.image.as_ref().expect("it has one");
        shell(&format!("mount -o loop{options} {} {}", image.display(), self.at.display())).map(drop)
    }

    pub(crate) fn unmount(&self) -> Result<(), String> {
        shell(&format!("umount {}", self.at.display())).map(drop)
    }
}

impl Mounted {
    /// Read-only or not, while it stays where it is.
    pub(crate) fn remount(&self, how: &str) -> Result<(), String> {
        shell(&format!("mount -o remount,{how} {}", self.at.display())).map(drop)
    }

    /// The kernel finds a fault in it, and takes no more writes (`errors=remount-ro`).
    pub(crate) fn distrust(&self) -> Result<(), String> {
        let device = shell(&format!("findmnt -n -o SOURCE {}", self.at.display()))?;
        let name = device.trim_start_matches("/dev/");
        shell(&format!("echo planned > /sys/fs/ext4/{name}/trigger_fs_error")).map(drop)
    }

    /// After that, while it is not mounted.
    pub(crate) fn mend(&self) -> Result<(), String> {
        let image = self.image.as_ref().expect("it has one");
        // 1: something was corrected, which is what it is for.
        shell(&format!("fsck.ext4 -fy {} >/dev/null 2>&1 || [ $? -le 1 ]", image.display())).map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = shell(&format!("umount -l {} 2>/dev/null", self.at.display()));
    }
}

/// F8 on ext4.
pub(crate) fn power_ext4(given: Given) -> Outcome {
    power(given, "mkfs.ext4", "mkfs.ext4 -q", "e2fsprogs")
}

/// F8 on XFS.
pub(crate) fn power_xfs(given: Given) -> Outcome {
    power(given, "mkfs.xfs", "mkfs.xfs -q", "xfsprogs")
}

/// Stops a file system dead: `EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN` are one number; 2 = without flushing the log.
fn cut(at: &Path) -> Result<(), String> {
    let code = "import fcntl,os,struct,sys\nfcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587D,struct.pack('I',2))";
    shell(&format!("python3 -c \"{code}\" {}", at.display())).map(drop)
}

fn power(given: Given, program: &str, make: &str, package: &str) -> Outcome {
    if !install(program, package) {
        return Outcome::Skipped(format!("{program} cannot be installed here"));
    }
    let mut rig = Rig::new("chaos-power", given.seed, &Wanted::default());
    let mounted = match Mounted::new(&rig, make, "", 400) {
        Ok(mounted) => mounted,
        Err(why) => return Outcome::Skipped(format!("no file system of our own can be mounted here: {why}")),
    };
    rig.customers(6, Duration::from_millis(50));
    rig.load.as_ref().expect("customers").forgive();
    let mut cuts = 0;
    while cuts < 3 || (given.goes_on() && cuts < 100) {
        rig.up();
        rig.rest(150, 1_500);
        if let Err(why) = cut(&mounted.at) {
            rig.kill9();
            return Outcome::Skipped(format!("the file system cannot be shut down: {why}"));
        }
        // Only answers seen before the cut count; what the process still says is believed too, and must be true.
        rig.rest(0, 100);
        rig.kill9();
        mounted.unmount().expect("nobody uses it");
        mounted.mount("").expect("it is sound: its journal is replayed");
        cuts += 1;
    }
    let settled = rig.settle();
    drop(mounted);
    Outcome::Held(settled.figures(json!({ "cuts": cuts, "file_system": program })))
}

/// F11, INV-6.
pub(crate) fn full(given: Given) -> Outcome {
    let mut rig = Rig::new("chaos-full", given.seed, &Wanted::default());
    let mounted = match Mounted::new(&rig, "mkfs.ext4 -q -m 0", "", 160) {
        Ok(mounted) => mounted,
        Err(why) => return Outcome::Skipped(format!("no file system of our own can be mounted here: {why}")),
    };
    rig.customers(4, Duration::from_millis(20));
    rig.up();
    rig.rest(500, 800);
    let ballast = mounted.at.join("ballast");
    let (mut fills, mut refused_ms, mut resumed_ms) = (0, Vec::new(), Vec::new());
    while fills < 2 || (given.goes_on() && fills < 20) {
        let began = std::time::Instant::now();
        let _ = shell(&format!("dd if=/dev/zero of={} bs=64k status=none 2>/dev/null", ballast.display()));
        let is_full = |rig: &Rig| rig.gateway().api().metric("relais_journal_full", &[]) == 1.0;
        until("new messages are refused", Duration::from_secs(30), || is_full(&rig).then_some(()));
        refused_ms.push(began.elapsed().as_millis() as u64);
        rig.rest(500, 2_000);
        let began = std::time::Instant::now();
        std::fs::remove_file(&ballast).expect("it is there");
        until("it goes on by itself", Duration::from_secs(30), || (!is_full(&rig)).then_some(()));
        resumed_ms.push(began.elapsed().as_millis() as u64);
        rig.rest(300, 800);
        fills += 1;
    }
    let settled = rig.settle();
    drop(mounted);
    assert_eq!(settled.sum.doubled, 0, "INV-9");
    Outcome::Held(settled.figures(json!({ "fills": fills, "refused_after_ms": refused_ms, "resumed_after_ms": resumed_ms })))
}

/// F13, INV-4: a small store, stopped; one octet of one file is another; the gateway starts, says what is damaged or serves all,
/// and never panics. Every octet when there is time, else octets drawn by the seed.
pub(crate) fn flips(given: Given) -> Outcome {
    let bench = Bench::new("chaos-flips");
    let ids = small_store(&bench);
    let whole = bench.path().join("data");
    let kept = bench.path().join("kept");
    shell(&format!("cp -a {} {}", whole.display(), kept.display())).expect("there is room");
    let mut files: Vec<PathBuf> = files_of(&kept).into_iter().filter(|path| path.metadata().is_ok_and(|meta| meta.len() > 0)).collect();
    files.sort();
    let total: u64 = files.iter().map(|path| path.metadata().map_or(0, |meta| meta.len())).sum();
    let (mut chance, mut flipped, mut told, mut refused, mut changed) = (Chance::new(given.seed), 0_u64, 0_u64, 0_u64, 0_u64);
    while flipped < 10 || (given.goes_on() && flipped < total) {
        let mut place = chance.below(total);
        let path = files
            .iter()
            .find(|path| {
                let length = path.metadata().map_or(0, |meta| meta.len());
                let is_here = place < length;
                place -= if is_here { 0 } else { length };
                is_here
            })
            .expect("within the sum");
        let bit = 1_u8 << chance.below(8);
        shell(&format!("rm -rf {} && cp -a {} {}", whole.display(), kept.display(), whole.display())).expect("there is room");
        let target = whole.join(path.strip_prefix(&kept).expect("below it"));
        let mut octets = std::fs::read(&target).expect("copied");
        octets[place as usize] ^= bit;
        std::fs::write(&target, octets).expect("ours");
        flipped += 1;
        match started(&bench, &ids) {
            Started::Refused => refused += 1,
            Started::Serves { damage, missing } => {
                told += u64::from(damage);
                changed += u64::from(missing > 0);
                assert!(
                    missing == 0 || damage,
                    "INV-4: {missing} messages are gone in silence: {} octet {place} bit {bit}",
                    target.display()
                );
            }
        }
    }
    Outcome::Held(json!({
        "octets": total, "flipped": flipped, "told_damage": told, "refused_with_a_reason": refused, "with_loss_told": changed,
        "lost_in_silence": 0, "panics": 0,
    }))
}

fn files_of(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_of(&path)) } else { found.push(path) }
    }
    found
}

/// Twenty messages: most delivered, some waiting for a carrier that is away.
fn small_store(bench: &Bench) -> Vec<String> {
    let smsc = Peer::smsc(bench.path(), &[]);
    let settings = |port: u16| {
        crate::common::gateway::Settings { smsc: port, sink: None, carrier: "reconnect_min = \"50ms\"\n".into(), more: String::new() }
            .write(bench.path())
    };
    settings(smsc.port());
    let bulk = |from: usize| crate::load::bulk(from..from + 10);
    let gateway = Gateway::start(bench.path());
    let (batch, mut ids) = gateway.api().take(&bulk(0));
    gateway.api().final_batch(&batch, Duration::from_secs(30));
    assert_eq!(gateway.stop().code(), Some(0));
    drop(smsc);
    let gateway = Gateway::start(bench.path());
    ids.extend(gateway.api().take(&bulk(10)).1);
    gateway.kill9();
    ids
}

enum Started {
    /// It did not start, and said why, without a panic.
    Refused,
    Serves {
        damage: bool,
        missing: usize,
    },
}

fn started(bench: &Bench, ids: &[String]) -> Started {
    let log = bench.path().join("relais.log");
    let _ = std::fs::remove_file(&log);
    let gateway = Gateway::ready(Gateway::spawn(bench.path()));
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(!said.contains("panicked"), "INV-35: {said}");
    let Some(gateway) = gateway else {
        assert!(!said.trim().is_empty(), "INV-4: it refuses with a reason");
        return Started::Refused;
    };
    let mut api = gateway.api();
    let found = ids.iter().filter(|id| api.get(&format!("/v1/messages/{id}")).is_ok_and(|answer| answer.status == 200)).count();
    let missing = ids.len() - found;
    gateway.kill9();
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(!said.contains("panicked"), "INV-35: {said}");
    let damage = ["damage", "cannot be read", "set aside", "malformed", "checksum"].iter().any(|word| said.contains(word));
    Started::Serves { damage, missing }
}
