//! Lines for whoever started the process; a closed output is no reason to stop.

use std::io::Write as _;

/// A line on standard output.
pub(crate) fn println(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Text on standard error.
pub(crate) fn eprint(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
