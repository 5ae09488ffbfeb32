//! Every rule at once: the send windows of the recipients' countries, the account's quiet hours, its caps, the guard
//! against repeats, and a list of opt-outs.
//!
//! A run must end at any hour of any day, so the rules are those of `config/rules/` with their hours opened wide;
//! they are asked all the same. Nobody who is written to has opted out, and nobody is over a cap: a refusal would be
//! cheaper than a message.

use super::drive::Door;
use anyhow::{Context as _, ensure};
use relais::base::Time;
use std::fmt::Write as _;
use std::path::Path;

/// Numbers that have opted out. None of them is in a `Workload`: those begin with +4471 to +4476.
const OPTED_OUT: u64 = 100_000;
const IMPORT: u64 = 10_000;

/// What the rules add to a gateway's configuration.
#[derive(Default)]
pub(crate) struct Lines {
    /// Keys of the account.
    pub(crate) account: String,
    /// Tables of the account.
    pub(crate) caps: String,
    /// Sections.
    pub(crate) sections: String,
}

/// Writes the rules; the lines that name them.
pub(crate) fn config(dir: &Path, now: Time) -> anyhow::Result<Lines> {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules"), dir.join("rules"));
    std::fs::create_dir_all(&to)?;
    for entry in std::fs::read_dir(&from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?;
        std::fs::write(to.join(name), open(&std::fs::read_to_string(&path)?))?;
    }
    // Zones of the recipients lie from ten hours behind UTC to two ahead of it: six hours ahead is nobody's clock.
    let hour = |ahead: i64| (now.0 + ahead * 3_600_000).rem_euclid(86_400_000) / 3_600_000;
    Ok(Lines {
        account: format!("default_class = \"marketing\"\nrepeat_guard = \"24h\"\nquiet_hours = \"{:02}:00-{:02}:00\"\n", hour(6), hour(7)),
        caps: "[[accounts.caps]]\ncount = 2\nperiod = \"24h\"\n[[accounts.caps]]\ncount = 4\nperiod = \"168h\"\n".into(),
        sections: format!("[rules]\ndir = {to:?}\n"),
    })
}

/// A rule file that is open always.
fn open(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        match key {
            "windows" => out += "windows = { mon-sun = [\"00:00-24:00\"] }\n",
            "holidays" => out += "holidays = \"ignore\"\n",
            "operator_windows" | "special_days" | "eve_windows" | "calendar" => {}
            _ => _ = writeln!(out, "{line}"),
        }
    }
    out
}

/// Imports the opt-outs.
pub(crate) async fn opt_out(door: &Door) -> anyhow::Result<()> {
    let mut client = door.client();
    for first in (0..OPTED_OUT).step_by(IMPORT as usize) {
        let mut body = String::new();
        (first..first + IMPORT).for_each(|n| _ = writeln!(body, "{{\"number\":\"+4479{n:08}\"}}"));
        let head = String::from_utf8(door.head("POST", "/v1/suppressions/import", body.len()))?;
        let head = head.replace("application/json", "application/x-ndjson");
        let answer = client.call(head.as_bytes(), body.as_bytes(), usize::MAX).await?;
        ensure!(answer.status == 200, "opt-outs: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(())
}
