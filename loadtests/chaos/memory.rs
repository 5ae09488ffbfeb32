//! A limit on memory, as a container has it: with room for what the configuration allows, an overload stays below it; with too
//! little room the kernel kills the process, which is a kill -9 at a moment nobody chose.

use crate::common::gateway::Gateway;
use crate::crowd::crowd;
use crate::rig::{Rig, Wanted};
use crate::{Given, Outcome};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// What the container may have, and what is far too little for the same load.
const ROOM: u64 = 256 << 20;
const TIGHT: [u64; 3] = [14 << 20, 20 << 20, 28 << 20];
/// Messages of one request; a crowd of so many customers.
const MANY: usize = 200;
const CUSTOMERS: u32 = 32;

/// A group of processes with a limit, by either version of cgroups.
struct Group {
    path: PathBuf,
    /// Names of the files: limit, peak (if it is told), kills.
    names: (&'static str, Option<&'static str>, &'static str),
}

impl Group {
    fn new(seed: u64) -> Result<Group, String> {
        let name = format!("relais-chaos-{}-{seed}", std::process::id());
        let first = ("memory.limit_in_bytes", Some("memory.max_usage_in_bytes"), "memory.oom_control");
        let second = ("memory.max", Some("memory.peak"), "memory.events");
        for (home, names) in [("/sys/fs/cgroup/memory", first), ("/sys/fs/cgroup", second)] {
            let path = Path::new(home).join(&name);
            if std::fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Group { path, names };
            if group.path.join(names.0).exists() {
                return Ok(group);
            }
        }
        Err("no memory limit can be set here: no cgroup with a memory controller can be made".into())
    }

    fn limit(&self, octets: u64) -> Result<(), String> {
        std::fs::write(self.path.join(self.names.0), octets.to_string()).map_err(|fault| format!("{}: {fault}", self.names.0))
    }

    /// How often the kernel killed in it.
    fn kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.path.join(self.names.2)).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    fn peak(&self) -> Option<u64> {
        std::fs::read_to_string(self.path.join(self.names.1?)).ok()?.trim().parse().ok()
    }

    /// The gateway, in this group.
    fn spawn(&self, dir: &Path) -> crate::common::process::Process {
        let join = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.path.display());
        Gateway::spawn_by(dir, &["sh", "-c", &join, "sh"])
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// F6, INV-25.
pub(crate) fn memory(given: Given) -> Outcome {
    let group = match Group::new(given.seed).and_then(|group| group.limit(ROOM).map(|()| group)) {
        Ok(group) => group,
        Err(why) => return Outcome::Skipped(why),
    };
    let wanted = Wanted {
        http: "journal_queue_bytes_max = \"8MiB\"\nbody_bytes_max = \"256KiB\"\n".into(),
        carrier: "window = 200\n".into(),
        more: "[engine]\nlane_bytes_max = \"8MiB\"\n[journal]\nframe_cache_bytes = \"8MiB\"\nreserve_bytes = \"16MiB\"\n".into(),
        ..Wanted::default()
    };
    let mut rig = Rig::new("chaos-memory", given.seed, &wanted);
    let process = group.spawn(rig.path());
    rig.up_with(process).expect("it starts");
    let next = AtomicUsize::new(50_000_000);
    let mut tally = crowd(rig.gateway().at(), &next, (CUSTOMERS, MANY), Duration::from_secs(2), Some(8_000), given.seed);
    rig.others.append(&mut tally.acknowledged);
    let (resident, all) = (rig.memory(), group.peak());
    assert_eq!(group.kills(), 0, "INV-25: with {} MiB it was killed", ROOM >> 20);
    rig.kill9();
    // And now with far too little.
    rig.customers(6, Duration::from_millis(20));
    let (mut rounds, mut killed, mut at_start) = (0, 0, 0);
    while rounds < TIGHT.len() || (given.goes_on() && rounds < 40) {
        if let Err(why) = group.limit(TIGHT[rounds % TIGHT.len()]) {
            return Outcome::Skipped(why);
        }
        let before = group.kills();
        let process = group.spawn(rig.path());
        if rig.up_with(process).is_some() {
            if rig.ends(Duration::from_secs(4)).is_none() {
                rig.kill9();
            }
        } else {
            at_start += 1;
        }
        killed += usize::from(group.kills() > before);
        group.limit(ROOM).expect("more is always allowed");
        rounds += 1;
    }
    let settled = rig.settle();
    Outcome::Held(settled.figures(json!({
        "limit_mib": ROOM >> 20, "resident_peak_mib": resident >> 20, "with_page_cache_peak_mib": all.map(|octets| octets >> 20),
        "tight_rounds": rounds, "killed_by_the_kernel": killed, "of_them_at_start": at_start,
    })))
}
