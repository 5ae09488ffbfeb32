//! What all handlers share: the engine, and the configuration as they need it. Nothing here is locked per message.

use crate::api::held::InProgress;
use crate::api::problem::Problem;
use crate::base::Span;
use crate::config::{self, Config};
use crate::directory::{Atlas, Rates};
use crate::engine::Engine;
use crate::message::{Class, DoubtPolicy};
use crate::pipeline::accept::{AccountRules, BulkLimits, Coding, Country, Inflate, InflateLimits, Repeats, Senders, Split};
use crate::pipeline::intake::{Intake, Terms};
use crate::pipeline::route::Routes;
use crate::telemetry::AccountMetrics;
use crate::world::Pool;
use std::sync::Arc;

/// Threads that read bulks: each takes in more than a million messages a second.
const READERS: usize = 2;

/// One account, ready to be served.
pub(super) struct Customer {
    /// Its name in the configuration.
    pub(super) name: String,
    pub(super) rules: AccountRules,
    pub(super) concat: config::Concat,
    pub(super) sender_check: config::SenderCheck,
    pub(super) rates: Rates,
    pub(super) metrics: Arc<AccountMetrics>,
}

/// See the module.
pub(super) struct Api {
    pub(super) engine: Arc<Engine>,
    /// In the configuration's order.
    pub(super) customers: Vec<Customer>,
    /// Names, in the configuration's order.
    pub(super) carriers: Vec<String>,
    pub(super) routes: Routes,
    pub(super) atlas: Arc<Atlas>,
    /// Where bulks are read: threads that give way, so that sending comes first when cores are short.
    pub(super) readers: Option<Pool>,
    /// Requests with an idempotency key that are being served.
    pub(super) in_progress: Arc<InProgress>,
}

impl Api {
    pub(super) fn new(engine: Arc<Engine>) -> Api {
        let config = engine.config.clone();
        let atlas = Atlas::shared();
        let customer = |account: &config::Account| Customer {
            name: account.name.clone(),
            rules: rules(account, &atlas),
            concat: account.concat,
            sender_check: account.sender_check,
            rates: Rates::new(account),
            metrics: engine.metrics.account(&account.name),
        };
        Api {
            customers: config.accounts.iter().map(customer).collect(),
            carriers: config.carriers.iter().map(|carrier| carrier.name.clone()).collect(),
            routes: Routes::new(&config.routes, &config.carriers),
            readers: engine.world.start.pool("bulks", READERS, config.http.bulk_niceness),
            in_progress: Arc::default(),
            atlas,
            engine,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.engine.config
    }

    /// An intake for one request of an account.
    pub(super) fn intake<'a>(&'a self, customer: &'a Customer) -> Intake<'a> {
        let Customer { name, rules, concat, sender_check, .. } = customer;
        let terms = Terms { account: name, rules, concat: *concat, sender_check: *sender_check, routes: &self.routes };
        Intake::new(terms, self.engine.rules.law.clone())
    }

    /// A decoder for a body of at most `body_bytes_max` octets.
    pub(super) fn inflate(&self, coding: Coding, body_bytes_max: u64) -> Result<Inflate, Problem> {
        Ok(Inflate::new(coding, InflateLimits { body_bytes_max, ratio_max: self.config().http.compression_ratio_max })?)
    }

    pub(super) fn bulk_limits(&self) -> BulkLimits {
        let http = &self.config().http;
        BulkLimits {
            body_bytes_max: http.bulk_bytes_max,
            line_bytes_max: usize::try_from(http.line_bytes_max).unwrap_or(usize::MAX),
            lines_max: http.bulk_lines_max,
        }
    }

    /// How long a body may pause.
    pub(super) fn idle(&self) -> Span {
        self.config().http.body_idle_timeout
    }
}

fn rules(account: &config::Account, atlas: &Arc<Atlas>) -> AccountRules {
    let senders: Vec<Box<str>> = account.senders.iter().map(|sender| sender.as_str().into()).collect();
    let doubt = match account.doubt {
        config::Doubt::ResendOnce => DoubtPolicy::ResendOnce,
        config::Doubt::AtMostOnce => DoubtPolicy::AtMostOnce,
    };
    AccountRules {
        // With one sender there is nothing to choose.
        from: if let [only] = &*senders { Some(only.clone()) } else { None },
        senders: if senders.is_empty() { Senders::Any } else { Senders::Only(senders) },
        class: match account.default_class {
            config::Class::Otp => Class::Otp,
            config::Class::Transactional => Class::Transactional,
            config::Class::Service => Class::Service,
            config::Class::Marketing => Class::Marketing,
        },
        doubt: [doubt; Class::ALL.len()],
        max_segments: account.max_segments,
        split: match account.split {
            config::Split::Grapheme => Split::Grapheme,
            config::Split::Codepoint => Split::Codepoint,
        },
        zone: account.time_zone.as_deref().unwrap_or_default().into(),
        country: account.default_region.as_deref().and_then(Country::parse),
        atlas: Some(atlas.clone()),
        substitute: account.substitute,
        transliterate: account.transliterate,
        stop_mention: account.stop_mention.as_deref().unwrap_or_default().into(),
        protocol_ids: account.protocol_ids.clone(),
        repeats: if account.repeat_guard == Span::ZERO { Repeats::Sent } else { Repeats::Guarded },
        ..AccountRules::default()
    }
}
