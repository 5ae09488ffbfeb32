//! One thread's judgements, kept: for each kind of recipient (account's hours, place, own zone, channel, class) the verdict
//! and how long it stands. A message whose kind is known costs the reading of its number's prefix and one look-up.
//! Bounded; it empties itself when full and when the rules are new. Never wrong, only empty.

use super::case::{Address, Case, OwnZone, Subject};
use super::office::Office;
use super::policy;
use super::question::{Question, Verdict};
use super::statute::{Statute, of_rule};
use super::together::{NEVER_CLOSES, group, hold, verdict};
use crate::base::{Span, Time};
use crate::config::limits::RULE_PAGES_MAX;
use crate::directory::caps::Limit;
use crate::directory::hours::{Hours, HoursCache, Version};
use crate::message::content::Channel;
use crate::message::outcome::Reason;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::Arc;

/// When to ask again while the rules are still being read.
const RULES_AGAIN: Span = Span::secs(1);
/// When to ask again while it is not known which rules were replaced: until then, or until somebody says otherwise.
const UNSURE_AGAIN: Span = Span::secs(60);
const DAY_MS: i64 = 86_400_000;

/// States that are told apart at once: they have twelve bits, and the world has some four thousand.
const REGIONS_MAX: usize = 4_095;

/// An own zone that the database does not have.
const ZONE_UNKNOWN: u16 = u16::MAX;

/// One kind of recipient.
#[derive(Debug)]
struct Page {
    cases: Vec<Case>,
    /// How often its rules allow.
    limits: Box<[Limit]>,
    group: u16,
    /// From then on its rules are others: an override has ended.
    stale_at: Time,
    /// The verdict stands from the first to before the second.
    stands: (Time, Time),
    verdict: Verdict,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Book {
    statute: Arc<Statute>,
    pages: HashMap<u64, Page, FixedState>,
    sheets: HoursCache,
    /// The account asked about last, and its policy: messages come in frames of one account.
    account: (String, u16),
    /// The own zone asked about last, and its number.
    zone: (String, u16),
    /// States of addresses, by number, and the one asked about last.
    regions: HashMap<Box<str>, u16, FixedState>,
    region: (String, u16),
    asked_at: Time,
    /// Whether any page has limits.
    is_limiting: bool,
}

impl Book {
    pub(super) fn new(statute: Arc<Statute>) -> Book {
        let none = || (String::new(), 0);
        Book {
            statute,
            pages: HashMap::default(),
            sheets: HoursCache::default(),
            account: none(),
            zone: none(),
            regions: HashMap::default(),
            region: none(),
            asked_at: Time(0),
            is_limiting: false,
        }
    }

    pub(super) fn version(&self) -> Version<'_> {
        self.statute.hours.version()
    }

    pub(super) fn stamp(&self) -> u32 {
        self.statute.stamp
    }

    /// The hours in force.
    pub(super) fn hours(&mut self, office: &Office) -> &Hours {
        self.renew(office);
        &self.statute.hours
    }

    pub(super) fn judge(&mut self, office: &Office, question: &Question<'_>, now: Time) -> Verdict {
        self.renew(office);
        if !self.statute.limits[question.class as usize] {
            return Verdict::Go { closes: NEVER_CLOSES };
        }
        if self.statute.is_shut {
            return hold(now, RULES_AGAIN, Reason::WindowClosed);
        }
        if now < self.statute.unsure_until {
            return hold(now, UNSURE_AGAIN, Reason::Revival);
        }
        self.asked_at = now;
        let key = self.key(office, question);
        if let Some(page) = self.pages.get(&key)
            && page.stands.0 <= now
            && now < page.stands.1
        {
            return page.verdict;
        }
        self.work_out(office, question, key, now)
    }

    pub(super) fn group(&mut self, office: &Office, question: &Question<'_>) -> u16 {
        self.renew(office);
        if !self.statute.limits[question.class as usize] {
            return 0;
        }
        let key = self.key(office, question);
        if let Some(page) = self.pages.get(&key) {
            return page.group;
        }
        let at = self.asked_at;
        self.page(office, question, key, at).group
    }

    /// How often the rules allow what was judged just before.
    pub(super) fn limits(&mut self, office: &Office, question: &Question<'_>) -> &[Limit] {
        if !self.is_limiting {
            return &[];
        }
        let key = self.key(office, question);
        self.pages.get(&key).map_or(&[], |page| &page.limits)
    }

    fn renew(&mut self, office: &Office) {
        if office.version() != self.statute.number {
            self.statute = office.current();
            self.pages.clear();
            self.zone = (String::new(), 0);
        }
    }

    /// Policy, own zone, place, state of the address, channel and class in one number: 16, 16, 16, 12 and 4 bits.
    fn key(&mut self, office: &Office, question: &Question<'_>) -> u64 {
        if self.account.0 != question.account {
            self.account = (question.account.to_owned(), office.policies.of(question.account));
        }
        let kind = question.class as u64 * Channel::ALL.len() as u64 + question.channel as u64;
        let kind = u64::from(self.region(question.region)) << 4 | kind;
        let (policy, zone) = (u64::from(self.account.1), u64::from(self.zone(question.zone)));
        policy << 48 | zone << 32 | u64::from(office.places.find(question.to)) << 16 | kind
    }

    /// The number of an own zone; 0 for none. Most have none, and two empty texts are dear to compare: a `memcmp` of no
    /// octets at an empty `String`'s address took 110 ns on a machine with AVX-512.
    fn zone(&mut self, name: &str) -> u16 {
        if name.is_empty() {
            return 0;
        }
        if self.zone.0 != name {
            let number = self.statute.hours.zone_by_name(name).map_or(ZONE_UNKNOWN, |zone| zone.number() + 1);
            self.zone = (name.to_owned(), number);
        }
        self.zone.1
    }

    /// The number of the state of an address; 0 for none, which most have.
    fn region(&mut self, name: &str) -> u16 {
        if name.is_empty() {
            return 0;
        }
        if self.region.0 != name {
            if self.regions.len() >= REGIONS_MAX {
                // The numbers are given anew, so nothing may be known by the former ones.
                self.regions.clear();
                self.pages.clear();
            }
            let next = self.regions.len() as u16 + 1;
            let number = *self.regions.entry(name.into()).or_insert(next);
            self.region = (name.to_owned(), number);
        }
        self.region.1
    }

    /// Makes a page; no verdict stands on it yet.
    fn page(&mut self, office: &Office, question: &Question<'_>, key: u64, now: Time) -> &mut Page {
        let own = match self.zone(question.zone) {
            0 => OwnZone::None,
            ZONE_UNKNOWN => OwnZone::Unknown,
            _ => OwnZone::Known(question.zone),
        };
        let policy = office.policies.get(self.account.1);
        let place = office.places.get(office.places.find(question.to));
        let address = Address::of(question.region, &office.places);
        let cases = self.statute.cases(&Subject { place, own, address, class: question.class, channel: question.channel, policy }, now);
        if self.pages.len() >= RULE_PAGES_MAX {
            self.pages.clear();
        }
        let nothing = (Time(i64::MAX), Time(i64::MIN));
        let verdict = Verdict::Go { closes: NEVER_CLOSES };
        let limits = limits(&cases);
        self.is_limiting |= !limits.is_empty();
        let page = Page { group: group(&cases), limits, cases, stale_at: policy::changes(policy, now), stands: nothing, verdict };
        self.pages.entry(key).insert(page).into_mut()
    }

    #[cold]
    fn work_out(&mut self, office: &Office, question: &Question<'_>, key: u64, now: Time) -> Verdict {
        // An override that ends makes another page; one that has ended does not come back when the clock goes back.
        if self.pages.get(&key).is_none_or(|page| page.stale_at <= now) {
            self.page(office, question, key, now);
        }
        let page = self.pages.get_mut(&key).expect("it was there or has been made");
        page.verdict = verdict(&page.cases, &mut self.sheets, page.stale_at, now);
        let end = match page.verdict {
            Verdict::Go { closes } => closes,
            Verdict::Hold { until, .. } => until,
            Verdict::Refuse { .. } => Time((now.0.div_euclid(DAY_MS) + 1).saturating_mul(DAY_MS)),
        };
        page.stands = (now, end.min(page.stale_at));
        page.verdict
    }
}

/// What the rules of all cases say of how often.
fn limits(cases: &[Case]) -> Box<[Limit]> {
    let mut all = Vec::new();
    for rule in cases.iter().flat_map(|case| case.rules.iter().map(|rule| case.hours.rule(*rule))) {
        for limit in of_rule(rule) {
            if !all.contains(&limit) {
                all.push(limit);
            }
        }
    }
    all.into()
}
