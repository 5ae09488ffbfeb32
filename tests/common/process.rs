//! A program that was started by a test: its lines of output, signals to it, its end. Ends with the test at the latest.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Lines {
    seen: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Lines>,
}

impl Process {
    /// Starts it; its standard error is appended to `<name>.log` in `dir`.
    pub fn start(name: &str, dir: &Path, mut command: Command) -> Process {
        let log: File = OpenOptions::new().create(true).append(true).open(dir.join(format!("{name}.log"))).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|fault| panic!("{name} does not start: {fault}"));
        let output = child.stdout.take().expect("it was asked for");
        let lines = Arc::new(Lines::default());
        let theirs = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                theirs.seen.lock().expect("no reader panics").0.push(line);
                theirs.changed.notify_all();
            }
            theirs.seen.lock().expect("no reader panics").1 = true;
            theirs.changed.notify_all();
        });
        Process { name: name.into(), child, lines }
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of output; `None` when the program ended, or the time is over, without it.
    pub fn line(&self, within: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut seen = self.lines.seen.lock().expect("no reader panics");
        let mut looked = 0;
        loop {
            if let Some(line) = seen.0[looked..].iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            looked = seen.0.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            if seen.1 {
                return None;
            }
            seen = self.lines.changed.wait_timeout(seen, left).expect("no reader panics").0;
        }
    }

    /// The newest line of output.
    pub fn last_line(&self) -> Option<String> {
        self.lines.seen.lock().expect("no reader panics").0.last().cloned()
    }

    /// kill -9, and gone.
    pub fn kill9(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// SIGTERM.
    pub fn term(&self) {
        self.signal("TERM");
    }

    /// A signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().expect("kill is there");
        assert!(sent.success(), "{}: no process to signal", self.name);
    }

    /// Its end, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours")
    }

    /// Waits for its end.
    pub fn end(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        super::until(&what, within, || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
