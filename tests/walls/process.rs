//! What the process is to the machine it runs on: files that are its user's alone, no core when it dies, and files left for
//! the journal and the carriers, however many connections strangers open.

use crate::common::gateway::{Gateway, Settings};
use crate::common::peers::Peer;
use crate::common::{Bench, until};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn message(n: usize) -> serde_json::Value {
    let to = serde_json::json!([{"to": format!("+33612{n:06}"), "client_ref": format!("{n}")}]);
    serde_json::json!({"defaults": {"from": "SHOP", "text": "x", "class": "service"}, "recipients": to})
}

/// Starts it by a shell that first does what it is told.
fn after(dir: &Path, first: &str) -> Gateway {
    let process = Gateway::spawn_with(dir, |command| {
        let (program, arguments) = (command.get_program().to_owned(), command.get_args().map(ToOwned::to_owned).collect::<Vec<_>>());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{first}; exec \"$0\" \"$@\"")).arg0("sh").arg(program).args(arguments).current_dir(dir);
        *command = shell;
    });
    Gateway::ready(process).unwrap_or_else(|| panic!("{}", std::fs::read_to_string(dir.join("relais.log")).unwrap_or_default()))
}

#[test]
fn files_are_the_gateways_users_alone_and_no_core_holds_its_memory() {
    let bench = Bench::new("process");
    let smsc = Peer::smsc(bench.path(), &[]);
    Settings { smsc: smsc.port(), ..Settings::default() }.write(bench.path());
    // Whatever the shell allowed before.
    let gateway = after(bench.path(), "umask 000; ulimit -Sc unlimited 2>/dev/null || true");
    let mut api = gateway.api();
    let (batch, _) = api.take(&message(1));
    api.final_batch(&batch, LONG);
    let of = |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", gateway.pid())).expect("it runs");
    let limits = of("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("it is listed");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    assert_eq!(u32::from_str_radix(of("coredump_filter").trim(), 16), Ok(0));
    assert!(of("status").lines().any(|line| line == "Umask:\t0077"));
    let data = bench.path().join("data");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data).expect("readable").flatten().map(|file| file.path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
    assert!(gateway.stop().success());
}

#[test]
fn a_directory_that_others_may_read_is_told_of() {
    let bench = Bench::new("readable");
    Settings { smsc: 1, ..Settings::default() }.write(bench.path());
    let data = bench.path().join("data");
    std::fs::create_dir(&data).expect("a directory of ours");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    assert!(Gateway::start(bench.path()).stop().success());
    let log = || std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
    assert_eq!(log().matches("data_dir is open to others").count(), 1, "{}", log());
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(Gateway::start(bench.path()).stop().success());
    assert_eq!(log().matches("data_dir is open to others").count(), 1, "{}", log());
}

#[test]
fn connections_leave_files_for_the_journal_and_the_carriers() {
    let bench = Bench::new("files");
    let smsc = Peer::smsc(bench.path(), &["disconnect_every=5"]);
    let carrier = "reconnect_min = \"10ms\"\nreconnect_max = \"20ms\"\nretry_min = \"20ms\"\nretry_max = \"50ms\"\nresponse_timeout = \"2s\"\n\
                   ambiguity_hold = \"1s\"";
    Settings { smsc: smsc.port(), carrier: carrier.into(), ..Settings::default() }.write(bench.path());
    let gateway = after(bench.path(), "ulimit -n 320");
    let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
    assert!(log.contains("may not open enough files"), "{log}");
    // 256 are kept, and two for the one session.
    let places = 320.0 - 256.0 - 2.0;
    let strangers: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(gateway.at()).expect("it listens")).collect();
    let mut api = gateway.api();
    until("all places are taken", LONG, || {
        let open = api.metric("relais_http_connections", &[]);
        assert!(open <= places, "{open}");
        (open == places).then_some(())
    });
    // The carrier ends its session every five messages: it is called again and again, and the journal goes on.
    for n in 0..20 {
        api.take(&message(n));
    }
    until("sessions come and go", LONG, || (api.metric("relais_reconnects_total", &["carrier=\"main\""]) >= 3.0).then_some(()));
    drop(strangers);
    drop(smsc);
    assert!(gateway.stop().code().is_some());
    let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("a log");
    assert!(!log.contains("Too many open files"), "{log}");
}
