//! What no key can know alone: names that must exist or be unique, routes that hide each other, bounds that contradict.
//!
//! Concludes nothing from a key that is wrong by itself: one slip is one mistake.

use super::carrier::{Bind, Carrier, Version};
use super::journal::Backend;
use super::limits::{PASSWORD_CHARS_USUAL, PROMISED, PROMISED_HOOK};
use super::model::Config;
use super::near::did_you_mean;
use super::pass::Pass;
use super::quantity::{show_bytes, show_span};
use super::text::{ClassForm, Joining};
use super::webhook::Webhook;
use crate::base::Span;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Notes every contradiction.
pub(super) fn check(config: &Config, pass: &Pass<'_>) {
    names(config, pass);
    accounts(config, pass);
    for (index, carrier) in config.carriers.iter().enumerate() {
        check_carrier(config, carrier, &format!("carriers[{index}]"), pass);
    }
    routes(config, pass);
    replies(config, pass);
    for (index, hook) in config.webhooks.iter().enumerate() {
        check_webhook(config, hook, &format!("webhooks[{index}]"), pass);
    }
    server(config, pass);
}

fn names(config: &Config, pass: &Pass<'_>) {
    unique(
        config.accounts.iter().map(|account| account.name.as_str()).enumerate().map(|(i, name)| (format!("accounts[{i}].name"), name)),
        pass,
    );
    unique(
        config.carriers.iter().map(|carrier| carrier.name.as_str()).enumerate().map(|(i, name)| (format!("carriers[{i}].name"), name)),
        pass,
    );
    unique(config.webhooks.iter().map(|hook| hook.name.as_str()).enumerate().map(|(i, name)| (format!("webhooks[{i}].name"), name)), pass);
    let keys = config.accounts.iter().enumerate().flat_map(|(i, account)| {
        account.keys.iter().enumerate().map(move |(j, key)| (format!("accounts[{i}].keys[{j}].id"), key.id.as_str()))
    });
    unique(keys, pass);
}

/// The empty name is the placeholder of one that was wrong.
fn unique<'a>(named: impl Iterator<Item = (String, &'a str)>, pass: &Pass<'_>) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (path, name) in named.filter(|(_, name)| !name.is_empty()) {
        match seen.get(name) {
            Some(first) => pass.mistake(&path, format!("`{name}` is taken by {first}"), None),
            None => {
                seen.insert(name, path);
            }
        }
    }
}

fn accounts(config: &Config, pass: &Pass<'_>) {
    for (index, account) in config.accounts.iter().enumerate() {
        let path = format!("accounts[{index}].keys");
        if account.keys.is_empty() && !pass.is_wrong(&path) {
            pass.mistake(&path, "the account has no key", Some("add [[accounts.keys]] with id and hash".into()));
        }
    }
    for (index, account) in config.accounts.iter().enumerate() {
        let kept = config.journal.retention;
        let read_back = |key: String, period: Span| {
            if period > kept && !pass.is_wrong(&key) && !pass.is_wrong("journal.retention") {
                let (period, kept) = (show_span(period), show_span(kept));
                let what =
                    format!("{period} is more than journal.retention ({kept}): what was sent is read back from the journal at start");
                pass.mistake(&key, what, Some(format!("raise journal.retention to {period}")));
            }
        };
        account.caps.iter().enumerate().for_each(|(at, cap)| read_back(format!("accounts[{index}].caps[{at}].period"), cap.period));
        read_back(format!("accounts[{index}].repeat_guard"), account.repeat_guard);
    }
    if config.accounts.is_empty() {
        pass.warn("accounts", "there is no account: nobody can send", None);
    } else if config.pepper.expose().is_empty() && !pass.is_wrong("secrets.pepper") {
        let hint = "write { env = \"NAME\" } or { file = \"/path\" } in [secrets]";
        pass.mistake("secrets.pepper", "required, because there are accounts", Some(hint.into()));
    }
}

fn replies(config: &Config, pass: &Pass<'_>) {
    for (index, reply) in config.consent.replies.iter().enumerate() {
        let path = format!("consent.replies[{index}].accounts");
        for account in reply.accounts.iter().filter(|name| config.accounts.iter().all(|known| known.name != **name)) {
            let names = config.accounts.iter().map(|known| known.name.as_str());
            pass.mistake(&path, format!("there is no account `{}`", shortened(account)), did_you_mean(account, names));
        }
    }
}

fn check_carrier(config: &Config, carrier: &Carrier, path: &str, pass: &Pass<'_>) {
    let key = |name: &str| format!("{path}.{name}");
    let spans =
        |lesser: &str, a: Span, greater: &str, b: Span| at_most(pass, (&key(lesser), a, greater), (&key(greater), b, lesser), show_span);
    if let Some(account) = &carrier.inbound_account
        && !config.accounts.iter().any(|known| known.name == *account)
    {
        let names = config.accounts.iter().map(|known| known.name.as_str());
        pass.mistake(&key("inbound_account"), format!("there is no account `{account}`"), did_you_mean(account, names));
    }
    spans("reconnect_min", carrier.reconnect_min, "reconnect_max", carrier.reconnect_max);
    spans("retry_min", carrier.retry_min, "retry_max", carrier.retry_max);
    spans("validity", carrier.validity, "receipt_wait", carrier.receipt_wait);
    spans("ambiguity_hold", carrier.ambiguity_hold, "receipt_wait", carrier.receipt_wait);
    let kept = ("journal.retention", config.journal.retention);
    at_most(pass, (&key("receipt_wait"), carrier.receipt_wait, kept.0), (kept.0, kept.1, &key("receipt_wait")), show_span);
    at_most(pass, (&key("orphan_ttl"), carrier.orphan_ttl, kept.0), (kept.0, kept.1, &key("orphan_ttl")), show_span);
    promised(pass, &key("receipt_wait"), carrier.receipt_wait, PROMISED);
    promised(pass, &key("orphan_ttl"), carrier.orphan_ttl, PROMISED);
    let is_without_tlvs = carrier.interface_version == Version::V33;
    if is_without_tlvs && carrier.joining != Joining::Udh {
        pass.mistake(&key("joining"), "SMPP 3.3 has no optional parameters", Some("write joining = \"udh\"".into()));
    }
    if is_without_tlvs && carrier.message_class_as == ClassForm::Subunit {
        pass.mistake(&key("message_class_as"), "SMPP 3.3 has no optional parameters", Some("write message_class_as = \"general\"".into()));
    }
    if carrier.interface_version == Version::V33 && carrier.bind == Bind::Transceiver {
        let at = if pass.is_set(&key("bind")) { "bind" } else { "interface_version" };
        pass.mistake(&key(at), "SMPP 3.3 has no transceiver", Some("write bind = \"transmitter_receiver\"".into()));
    }
    if carrier.segments_per_second == 0.0 && pass.is_set(&key("burst")) && !pass.is_wrong(&key("segments_per_second")) {
        pass.warn(&key("burst"), "means nothing without segments_per_second", None);
    }
    if carrier.password.expose().len() > PASSWORD_CHARS_USUAL {
        pass.warn(&key("password"), "longer than the 8 octets of SMPP 3.4: the carrier must allow it", None);
    }
    if carrier.tls.is_none() && ["ca_file", "server_name"].iter().any(|name| pass.is_set(&key(&format!("tls.{name}")))) {
        pass.warn(&key("tls"), "without `enabled = true` the connection is not encrypted", None);
    }
    if carrier.response_timeout > config.engine.drain_timeout {
        let what = format!("{} is more than engine.drain_timeout: a stop may leave messages in doubt", show_span(carrier.response_timeout));
        pass.warn(&key("response_timeout"), what, None);
    }
    if !config.routes.iter().any(|route| route.carrier == carrier.name) && !carrier.name.is_empty() {
        pass.warn(&key("name"), "no route leads to this carrier", None);
    }
}

fn routes(config: &Config, pass: &Pass<'_>) {
    let carriers: HashSet<&str> = config.carriers.iter().map(|carrier| carrier.name.as_str()).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, route) in config.routes.iter().enumerate() {
        let (prefix, carrier) = (format!("routes[{index}].prefix"), format!("routes[{index}].carrier"));
        // A carrier whose own name is wrong may be the one that is meant.
        if !route.carrier.is_empty() && !carriers.contains(route.carrier.as_str()) && !carriers.contains("") {
            let hint = if pass.is_full() { None } else { did_you_mean(&route.carrier, carriers.iter().copied()) };
            pass.mistake(&carrier, format!("there is no carrier `{}`", shortened(&route.carrier)), hint);
        }
        // A prefix that was wrong has the placeholder of the route for all: it hides nothing.
        if pass.is_wrong(&prefix) {
            continue;
        }
        let hiding = (0..=route.prefix.len()).filter_map(|end| seen.get(&route.prefix[..end]).map(|first| (*first, end))).min();
        match hiding {
            Some((first, end)) if end == route.prefix.len() => {
                pass.mistake(&prefix, format!("routes[{first}] has the same prefix and comes first"), None)
            }
            Some((first, end)) => {
                let what = format!("never reached: routes[{first}] with prefix {:?} comes first", &route.prefix[..end]);
                pass.mistake(&prefix, what, Some(format!("move it before routes[{first}]")));
            }
            None => {}
        }
        seen.entry(&route.prefix).or_insert(index);
    }
    if config.routes.is_empty() {
        pass.warn("routes", "there is no route: every message is refused", None);
    }
}

fn check_webhook(config: &Config, hook: &Webhook, path: &str, pass: &Pass<'_>) {
    let key = |name: &str| format!("{path}.{name}");
    let is_known = config.accounts.iter().any(|account| account.name == hook.account || account.name.is_empty());
    if !hook.account.is_empty() && !is_known {
        let hint =
            if pass.is_full() { None } else { did_you_mean(&hook.account, config.accounts.iter().map(|account| account.name.as_str())) };
        pass.mistake(&key("account"), format!("there is no account `{}`", shortened(&hook.account)), hint);
    }
    at_most(pass, (&key("timeout"), hook.timeout, "retry_for"), (&key("retry_for"), hook.retry_for, "timeout"), show_span);
    let kept = ("journal.retention", config.journal.retention);
    at_most(pass, (&key("retry_for"), hook.retry_for, kept.0), (kept.0, kept.1, &key("retry_for")), show_span);
    promised(pass, &key("retry_for"), hook.retry_for, PROMISED_HOOK);
    if !hook.url.is_empty() {
        check_url(config, hook, &key("url"), pass);
    }
}

/// What can be seen without resolving the name. The courier checks every address again before it connects.
fn check_url(config: &Config, hook: &Webhook, path: &str, pass: &Pass<'_>) {
    let rules = &config.webhook_rules;
    let uri: hyper::Uri = hook.url.parse().expect("checked when it was read");
    let is_plain = uri.scheme_str() == Some("http");
    if is_plain && !rules.allow_http && !pass.is_wrong("webhook_rules.allow_http") {
        pass.mistake(path, "must be https", Some("or set webhook_rules.allow_http".into()));
    }
    let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    if !rules.ports.contains(&port) && !pass.is_wrong("webhook_rules.ports") {
        pass.mistake(path, format!("port {port} is not one of {:?}", rules.ports), Some("add it to webhook_rules.ports".into()));
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) if address.is_loopback() && !rules.allow_loopback => {
            pass.mistake(path, "leads to this machine", Some("or set webhook_rules.allow_loopback".into()));
        }
        Ok(address) if is_private(address) && !rules.allow_private => {
            pass.mistake(path, "leads to a private network", Some("or set webhook_rules.allow_private".into()));
        }
        Ok(_) => {}
        Err(_) if last.eq_ignore_ascii_case("localhost") && !rules.allow_loopback => {
            pass.mistake(path, "leads to this machine", Some("or set webhook_rules.allow_loopback".into()));
        }
        // Decimal, octal and hexadecimal spellings of addresses, which some resolvers take.
        Err(_) if last.is_empty() || last.bytes().all(|c| c.is_ascii_digit()) || last.starts_with("0x") => {
            pass.mistake(path, "has neither a name nor an address for host", None);
        }
        Err(_) => {}
    }
}

/// The plainest of the addresses that are not public; the courier knows all of them.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local() || address.is_unspecified(),
    }
}

fn server(config: &Config, pass: &Pass<'_>) {
    let (http, journal) = (&config.http, &config.journal);
    let bytes = |lesser: &str, a: u64, greater: &str, b: u64| at_most(pass, (lesser, a, greater), (greater, b, lesser), show_bytes);
    bytes("http.line_bytes_max", http.line_bytes_max, "http.body_bytes_max", http.body_bytes_max);
    bytes("http.body_bytes_max", http.body_bytes_max, "http.bulk_bytes_max", http.bulk_bytes_max);
    bytes("http.body_bytes_max", http.body_bytes_max, "http.journal_queue_bytes_max", http.journal_queue_bytes_max);
    bytes("journal.commit_bytes_max", journal.commit_bytes_max, "http.journal_queue_bytes_max", http.journal_queue_bytes_max);
    bytes("journal.commit_bytes_max", journal.commit_bytes_max, "journal.slice_bytes_max", journal.slice_bytes_max);
    let spans = |lesser: &str, a: Span, greater: &str, b: Span| at_most(pass, (lesser, a, greater), (greater, b, lesser), show_span);
    spans("journal.slice", journal.slice, "journal.retention", journal.retention);
    spans("journal.idempotency_for", journal.idempotency_for, "journal.retention", journal.retention);
    promised(pass, "journal.idempotency_for", journal.idempotency_for, PROMISED);
    let in_flight: u64 = config.carriers.iter().map(|carrier| u64::from(carrier.binds) * u64::from(carrier.window)).sum();
    if in_flight > u64::from(config.engine.awaiting_max) {
        let what = format!("{} is less than all windows together", config.engine.awaiting_max);
        pass.mistake("engine.awaiting_max", what, Some(format!("the nearest is {in_flight}")));
    }
    if journal.backend == Backend::Memory {
        pass.warn("journal.backend", "nothing survives the end of the process", None);
    }
    if !http.listen.ip().is_loopback() && http.tls.is_none() {
        pass.warn("http.listen", "API keys cross the network in clear text", Some("add [http.tls], or listen on loopback behind a proxy"));
    }
    if pass.is_set("webhook_rules.ports") && config.webhook_rules.ports.is_empty() {
        pass.warn("webhook_rules.ports", "no port is allowed: no webhook is ever called", None);
    }
}

/// Notes a mistake when the first value is greater than the second: at the key that the file sets, and if it sets both,
/// at the lesser's. Each side is its path, its value and how the message calls the *other* side.
fn at_most<T: PartialOrd + Copy>(pass: &Pass<'_>, lesser: (&str, T, &str), greater: (&str, T, &str), show: fn(T) -> String) {
    if lesser.1 <= greater.1 || pass.is_wrong(lesser.0) || pass.is_wrong(greater.0) {
        return;
    }
    let (a, b) = (show(lesser.1), show(greater.1));
    if pass.is_set(lesser.0) || !pass.is_set(greater.0) {
        pass.mistake(lesser.0, format!("{a} is more than {} ({b})", lesser.2), None);
    } else {
        pass.mistake(greater.0, format!("{b} is less than {} ({a})", greater.2), None);
    }
}

/// Warns of what is allowed but keeps less than the gateway promises.
fn promised(pass: &Pass<'_>, path: &str, value: Span, promise: Span) {
    if value < promise {
        pass.warn(path, format!("{} is less than the {} that are promised", show_span(value), show_span(promise)), None);
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}
