//! What a courier is given (`Settings`) and what it shows (`CourierStats`). No behaviour beyond reading both.

use crate::base::Span;
use crate::config;
use crate::pipeline::webhook::{Key, KeyFault, Kinds, Policy, Rules, Target, UrlFault, check_url};
use crate::telemetry::Histogram;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// What is configured of an endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Unique; part of the notes' keys.
    pub name: String,
    /// Whose events.
    pub account: String,
    /// Where to.
    pub target: Target,
    /// What its addresses may be.
    pub rules: Rules,
    /// Signs each delivery, the present key first.
    pub keys: Vec<Key>,
    /// Which events.
    pub kinds: Kinds,
    /// How deliveries are made and retried.
    pub policy: Policy,
    /// For a whole exchange.
    pub timeout: Span,
}

/// Why an endpoint cannot be served. The configuration's own check says the same, with the place in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsFault {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlFault),
    /// A secret.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

impl Settings {
    /// From the configuration.
    pub fn new(hook: &config::Webhook, rules: &config::WebhookRules) -> Result<Settings, SettingsFault> {
        let rules = Rules {
            allow_loopback: rules.allow_loopback,
            allow_private: rules.allow_private,
            allow_http: rules.allow_http,
            ports: rules.ports.clone(),
        };
        let keys = std::iter::once(&hook.secret).chain(&hook.previous_secret).map(Key::parse).collect::<Result<_, _>>()?;
        Ok(Settings {
            name: hook.name.clone(),
            account: hook.account.clone(),
            target: check_url(&hook.url, &rules)?,
            rules,
            keys,
            kinds: Kinds {
                sent: hook.events.contains(&config::HookEvent::Sent),
                ended: hook.events.contains(&config::HookEvent::Final),
                inbound: hook.events.contains(&config::HookEvent::Inbound),
            },
            policy: Policy { max_batch: hook.max_batch.max(1) as usize, retry_for: hook.retry_for, ..Policy::default() },
            timeout: hook.timeout,
        })
    }
}

/// How an endpoint is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// The last delivery was taken, or none was made yet.
    Working = 0,
    /// Deliveries fail.
    Failing = 1,
    /// It answered 410.
    Gone = 2,
}

/// What a courier counts; read by the metrics.
#[derive(Default)]
pub struct CourierStats {
    /// Events taken.
    pub delivered: AtomicU64,
    /// POSTs made.
    pub posts: AtomicU64,
    /// POSTs that were not taken.
    pub failed: AtomicU64,
    /// From what happened to the acknowledgement, the oldest event of a POST standing for all of it.
    pub told_after: Option<Histogram>,
    /// Events given up.
    pub dead: AtomicU64,
    /// Dead letters dropped because there were too many.
    pub dropped: AtomicU64,
    /// Events set aside now.
    pub parked: AtomicU64,
    /// Events whose frame was gone before they were told.
    pub lost: AtomicU64,
    /// Positions of the journal not yet settled.
    pub lag: AtomicU64,
    /// Sum of the times of POSTs that were answered, in microseconds.
    pub answered_us: AtomicU64,
    /// How many were answered.
    pub answered: AtomicU64,
    pub(super) state: AtomicU8,
    pub(super) cursor: AtomicU64,
}

impl CourierStats {
    /// How the endpoint is.
    pub fn state(&self) -> State {
        match self.state.load(Relaxed) {
            0 => State::Working,
            1 => State::Failing,
            _ => State::Gone,
        }
    }

    /// The durable position up to which the endpoint needs no row of the log (`Journal::upkeep`). An endpoint
    /// that is gone needs none; one that has not begun needs all.
    pub fn told(&self) -> u64 {
        if self.state() == State::Gone { u64::MAX } else { self.cursor.load(Relaxed) }
    }
}
