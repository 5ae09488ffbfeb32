//! `[[webhooks]]` and `[webhook_rules]`: where outcomes and inbound messages are told, and where they must never be.

use super::limits;
use super::reader::Reader;
use super::rules::{ACCOUNT_NAME, NAME, SIGNING, URL, signing_key};
use super::values::Choices;
use crate::base::{Secret, Span};

/// A customer's address for events.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Unique.
    pub name: String,
    /// Whose events.
    pub account: String,
    /// Absolute, http or https, without user name and fragment.
    pub url: String,
    /// `whsec_` and base64.
    pub secret: Secret,
    /// The secret before, still signed with while a customer changes over.
    pub previous_secret: Option<Secret>,
    /// Which events.
    pub events: Vec<HookEvent>,
    /// Events in one call.
    pub max_batch: u32,
    /// For a whole call.
    pub timeout: Span,
    /// How long an event is offered again.
    pub retry_for: Span,
}

impl Webhook {
    /// The octets that sign, the present secret first.
    #[must_use]
    pub fn signing_keys(&self) -> Vec<Vec<u8>> {
        let secrets = std::iter::once(&self.secret).chain(&self.previous_secret);
        secrets.map(|secret| signing_key(secret.expose()).expect("checked when it was read")).collect()
    }
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// A message reached its end.
    Final,
    /// A message came in.
    Inbound,
    /// A carrier took a message.
    Sent,
}
const EVENTS: &Choices<HookEvent> = &[("final", HookEvent::Final), ("inbound", HookEvent::Inbound), ("sent", HookEvent::Sent)];

/// Where webhooks may go. Addresses are checked again at each connection, after names are resolved.
#[derive(Clone, Debug)]
pub struct WebhookRules {
    /// 127.0.0.0/8 and ::1.
    pub allow_loopback: bool,
    /// Private, link-local and other addresses that are not public.
    pub allow_private: bool,
    /// Without TLS.
    pub allow_http: bool,
    /// These alone.
    pub ports: Vec<u16>,
}

pub(super) fn read(r: &mut Reader<'_>) -> Webhook {
    Webhook {
        name: r.required_text("name", &NAME),
        account: r.required_text("account", &ACCOUNT_NAME),
        url: r.required_text("url", &URL),
        secret: r.required_secret("secret", &SIGNING),
        previous_secret: r.optional_secret("previous_secret", "optional", &SIGNING),
        events: r.choices("events", EVENTS, 2),
        max_batch: r.integer("max_batch", &limits::MAX_BATCH),
        timeout: r.span("timeout", &limits::HOOK_TIMEOUT),
        retry_for: r.span("retry_for", &limits::RETRY_FOR),
    }
}

pub(super) fn read_rules(r: &mut Reader<'_>) -> WebhookRules {
    WebhookRules {
        allow_loopback: r.flag("allow_loopback", false),
        allow_private: r.flag("allow_private", false),
        allow_http: r.flag("allow_http", false),
        ports: r.integers("ports", &limits::HOOK_PORT, limits::PORTS_MAX),
    }
}
