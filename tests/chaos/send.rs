//! `relais send`: a file in bulks, and the same file again, which changes nothing.

use crate::common::gateway::{Gateway, Settings, key};
use crate::common::peers::Peer;
use crate::common::{Bench, until};
use std::process::{Command, Output};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_file_is_sent_in_bulks_and_once_however_often_it_is_sent() {
    let bench = Bench::new("send");
    let smsc = Peer::smsc(bench.path(), &[]);
    Settings { smsc: smsc.port(), sink: None, carrier: String::new(), more: String::new() }.write(bench.path());
    let gateway = Gateway::start(bench.path());
    let url = format!("http://{}", gateway.at());
    let send = |file: &str, key: &str| -> Output {
        let text = ["--from", "SHOP", "--text", "Hello {{first}} #{{code}}#", "--lines", "400"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
        command.arg("send").arg(bench.path().join(file)).args(["--url", &url]).args(text).env("RELAIS_KEY", key);
        command.output().expect("it runs")
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).trim().to_owned();

    let mut csv = String::from("to,first,code,client_ref\n");
    (0..1_000).for_each(|n| csv += &format!("+336{},Zoé,c{n},r{n}\n", 10_000_000 + n));
    csv += "0612,Bad,x,x\n";
    std::fs::write(bench.path().join("people.csv"), csv).expect("written");
    for _ in 0..2 {
        let done = send("people.csv", &key());
        assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), "1001 lines: 1000 accepted, 1 refused"));
    }
    let ndjson: String =
        (0..500).map(|n| format!("{{\"to\":\"+4915{n:08}\",\"params\":{{\"first\":\"A\",\"code\":\"n{n}\"}}}}\n")).collect();
    std::fs::write(bench.path().join("people.ndjson"), ndjson).expect("written");
    assert_eq!(said(&send("people.ndjson", &key())), "500 lines: 500 accepted, 0 refused");

    let wrong = send("people.ndjson", "nobody.nothing");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("401"), "{wrong:?}");
    assert_eq!(send("people.txt", &key()).status.code(), Some(1));

    let mut api = gateway.api();
    until("each is sent once", PATIENCE, || (api.metric("relais_outcomes_total", &["status=\"delivered\""]) >= 1_500.0).then_some(()));
    assert_eq!(api.metric("relais_submits_total", &[]), 1_500.0);
    assert_eq!(gateway.stop().code(), Some(0));
}
