//! What the gateway asks of the operating system for itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Asks of the operating system what a process with secrets and customers' data wants, once, before it reads or makes a
/// file: new files are its user's alone; it leaves no core when it dies, which would hold every key and text (a core that
/// is piped to a program is not bounded by the limit: it is left without memory); and it may open as many files
/// as the system lets it, as strangers' connections are files, too. Returns how many.
#[must_use]
pub fn prepare() -> u64 {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // To lower a limit is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Where there is no such file, there are no such cores, either.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
    let files = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    let allowed = if raised.is_ok() { files.maximum } else { files.current };
    allowed.unwrap_or(u64::MAX)
}
