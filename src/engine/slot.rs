//! A carrier before it is on its shard's thread: its desk, its profile, its lines.

use crate::channel::sms::Profile;
use crate::config::{self, Config};
use crate::directory::judge::Jury;
use crate::engine::gate::Gate;
use crate::engine::handsets::Handsets;
use crate::engine::people::Ear;
use crate::engine::report::Reporter;
use crate::engine::writer::WriterState;
use crate::pipeline::desk::{Desk, Receipts, Rules, Unnamed};
use crate::pipeline::submit::settle::Limits;
use crate::telemetry::Metrics;
use crate::wire::smpp::pdu::BindKind;
use std::sync::Arc;

/// Settled parts remembered per carrier, to recognise a second receipt: 40 octets each.
const RETIRED_MAX: usize = 400_000;

/// A carrier's slot before it is on its thread.
pub(crate) struct Slot0 {
    pub(crate) desk: Desk,
    pub(crate) profile: Arc<Profile>,
    pub(crate) kinds: Vec<BindKind>,
    pub(crate) reporter: Reporter,
    pub(crate) handsets: Handsets,
    /// What texts that were whole after a restart ask for.
    pub(crate) heard: Option<Ear>,
}

pub(crate) fn slot(
    carrier: &config::Carrier,
    config: &Config,
    metrics: &Arc<Metrics>,
    (gate, index): (&Arc<Gate>, usize),
    seed: u64,
    jury: Box<dyn Jury>,
    state: &Arc<WriterState>,
) -> Slot0 {
    let kinds: Vec<BindKind> = match carrier.bind {
        config::Bind::Transceiver => vec![BindKind::Transceiver; usize::from(carrier.binds)],
        config::Bind::TransmitterReceiver => {
            [BindKind::Transmitter, BindKind::Receiver].into_iter().cycle().take(2 * usize::from(carrier.binds)).collect()
        }
    };
    let first = config.accounts.first().map_or("", |account| account.name.as_str());
    let inbound_account = carrier.inbound_account.as_deref().unwrap_or(first);
    Slot0 {
        desk: Desk::new(rules(carrier, config), kinds.len(), seed, jury),
        profile: Arc::new(Profile::new(carrier, seed)),
        reporter: Reporter::new(metrics.carrier(&carrier.name), kinds.len(), gate.clone(), index),
        kinds,
        handsets: Handsets::new(carrier, inbound_account, &config.engine, state.clone()),
        heard: None,
    }
}

/// A carrier's rules, from its configuration.
fn rules(carrier: &config::Carrier, config: &Config) -> Rules {
    let carriers = config.carriers.len().max(1) as u64;
    Rules {
        carrier: carrier.name.as_str().into(),
        window: u32::from(carrier.window),
        rate: carrier.segments_per_second,
        burst: carrier.burst,
        response_timeout: carrier.response_timeout,
        ambiguity_hold: carrier.ambiguity_hold,
        throttle_pause: carrier.throttle_pause,
        receipt_wait: carrier.receipt_wait,
        receipts: if carrier.receipts == config::ReceiptsWanted::None { Receipts::None } else { Receipts::Final },
        limits: Limits { attempts_max: carrier.attempts_max, retry_min: carrier.retry_min, retry_max: carrier.retry_max },
        form: Profile::form(carrier.id_base),
        unnamed: Unnamed::ByDate,
        orphans_max: config.engine.orphans_max as usize,
        orphan_ttl: carrier.orphan_ttl,
        retired_max: RETIRED_MAX,
        bodies_bytes_max: usize::try_from(config.engine.lane_bytes_max / carriers).unwrap_or(usize::MAX),
        open_max: config.engine.awaiting_max as usize,
    }
}
