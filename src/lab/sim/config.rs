//! The gateway's configuration in a simulated life, and who is where.

use super::scenario::Scenario;
use crate::base::Secret;
use crate::config::{self, Config, KeyHash, MapSecrets};
use std::fmt::Write as _;
use std::net::SocketAddr;

const PEPPER: &str = "0123456789abcdef";
/// Signs the webhooks.
pub const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// How long the wall clock must have been steady after a jump.
pub const CLOCK_SETTLE_S: i64 = 10;

/// How long a throttled carrier rests.
pub const THROTTLE_PAUSE_MS: i64 = 4_000;

/// So many minutes before its hours end advertising leaves no more.
pub const MARGIN_M: i64 = 3;

/// Where the gateway listens.
#[must_use]
pub fn listen() -> SocketAddr {
    SocketAddr::from(([10, 8, 0, 1], 8_080))
}

/// Where a carrier listens.
#[must_use]
pub fn carrier_at(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 7, 0, index as u8 + 1], 2_775))
}

/// Where an account's webhook listens.
#[must_use]
pub fn sink_at(account: u8) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, account + 1], 9_000))
}

/// An account's API key.
#[must_use]
pub fn key(account: u8) -> String {
    format!("k{account}.secret-{account}")
}

/// The configuration.
///
/// # Panics
/// When the scenario's own lines are wrong.
#[must_use]
pub fn of(scenario: &Scenario) -> Config {
    let text = text(scenario);
    config::load(&text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("scenario", &mistakes)))
}

fn text(scenario: &Scenario) -> String {
    let mut out = format!("[secrets]\npepper = \"{PEPPER}\"\n[http]\nlisten = \"{}\"\n", listen());
    let Scenario { journal, engine, shards, .. } = scenario;
    write!(
        out,
        "[journal]\nbackend = \"memory\"\n{journal}\n[engine]\nshards = {shards}\nclock_settle = \"{CLOCK_SETTLE_S}s\"\n{engine}\n"
    )
    .expect("into memory");
    out.push_str("[webhook_rules]\nallow_private = true\nallow_http = true\nports = [9000]\n");
    for account in 0..scenario.accounts {
        let hash = KeyHash::of(&Secret::new(PEPPER), format!("secret-{account}").as_bytes()).to_hex();
        write!(
            out,
            "[[accounts]]\nname = \"a{account}\"\nmargin = \"{MARGIN_M}m\"\n{}\n[[accounts.keys]]\nid = \"k{account}\"\nhash = \"{hash}\"\n\
             [[webhooks]]\nname = \"h{account}\"\naccount = \"a{account}\"\nurl = \"http://{}/\"\nsecret = \"{SECRET}\"\n\
             events = [\"final\", \"inbound\", \"sent\"]\n",
            scenario.account,
            sink_at(account)
        )
        .expect("into memory");
    }
    for (index, plan) in scenario.carriers.iter().enumerate() {
        let at = carrier_at(index);
        let bind = if plan.is_paired { "transmitter_receiver" } else { "transceiver" };
        write!(
            out,
            "[[carriers]]\nname = \"c{index}\"\nhost = \"{}\"\nport = {}\nsystem_id = \"relais\"\npassword = \"secret\"\nbind = \"{bind}\"\n\
             binds = {}\nwindow = {}\nsegments_per_second = {:?}\nburst = {}\nresponse_timeout = \"{}s\"\nambiguity_hold = \"{}s\"\n\
             receipt_wait = \"{}m\"\nvalidity = \"{}m\"\nid_base = \"{}\"\nthrottle_pause = \"{}ms\"\ninbound_account = \"a{}\"\nreconnect_min = \"200ms\"\nreconnect_max = \"5s\"\nretry_min = \"1s\"\n\
             retry_max = \"30s\"\n[[routes]]\nprefix = \"336{index:02}\"\ncarrier = \"c{index}\"\n",
            at.ip(),
            at.port(),
            plan.binds,
            plan.window,
            plan.rate,
            plan.burst,
            plan.response_timeout_s,
            plan.hold_s,
            plan.receipt_wait_m,
            plan.receipt_wait_m,
            plan.id_base,
            THROTTLE_PAUSE_MS,
            index % usize::from(scenario.accounts)
        )
        .expect("into memory");
    }
    out
}
