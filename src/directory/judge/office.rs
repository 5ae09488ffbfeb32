//! The send windows in force, shared by all judges: one pack of rules with one zone database, and for seven days those they
//! replaced, which must allow too (INV-18), also over a restart. In: files as text and octets, what was kept, and the time.
//! Out: another version, or a fault with file and key, and what was in use stays.

use super::case::{Address, Case, OwnZone, Subject};
use super::fault::LawFault;
use super::overview::{Advice, Ending, Former, Loosened, Overview};
use super::policy::{self, Policies};
use super::question::Question;
use super::sources::{Kept, Sources};
use super::statute::{Replaced, Statute};
use super::together::verdict;
use crate::base::{Span, Time};
use crate::config::limits::{FORMER_RULES_MAX, RULES_KEPT_BYTES_MAX};
use crate::config::{AfterLoss, Config, RuleFiles};
use crate::directory::caps::Limit;
use crate::directory::hours::{Hours, HoursCache, Pack, Zones};
use crate::directory::number::Places;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// How long replaced rules and zones must go on allowing.
const BOTH_FOR: Span = Span::secs(7 * 24 * 3_600);
/// The name of the rule file made from the accounts' quiet hours.
const QUIET_FILE: &str = "(accounts)";

/// See the module.
#[derive(Debug)]
pub struct Office {
    current: Mutex<Arc<Statute>>,
    version: AtomicU64,
    pub(super) places: Arc<Places>,
    pub(super) policies: Policies,
}

/// No rules at all: for tests, and for those who ask nothing about hours.
impl Default for Office {
    fn default() -> Office {
        let none = Pack::parse::<&str, &str>(&[]).expect("nothing has no mistake");
        Office::over(
            Arc::new(Hours::new(none, Zones::shipped())),
            Sources { rules: Some(Vec::new()), zones: None },
            Policies::default(),
            false,
        )
    }
}

impl Office {
    pub(super) fn new(config: &Config) -> Office {
        let policies = Policies::new(&config.accounts);
        let RuleFiles { dir, zoneinfo_dir } = &config.rules;
        let sources = Sources::default().whole();
        let hours = compile(&sources, &policies).expect("a test parses the shipped pack and the quiet hours");
        // What an account names may be in the directories, so its faults are told by the first load.
        let is_shut = dir.is_some() || zoneinfo_dir.is_some() || policies.check(&hours).is_err();
        Office::over(hours, sources, policies, is_shut)
    }

    fn over(hours: Arc<Hours>, sources: Sources, policies: Policies, is_shut: bool) -> Office {
        let statute = Statute { is_shut, ..Statute::new(hours, Arc::new(sources), Vec::new(), 1, None) };
        Office { current: Mutex::new(Arc::new(statute)), version: AtomicU64::new(1), places: Places::shared(), policies }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Statute>> {
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Another number whenever the rules or zones are others; 1 at first.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Arc<Statute> {
        self.lock().clone()
    }

    /// Takes back, before the first load, what was kept of the time before a restart: what was in use then is replaced now,
    /// unless the first load brings the same. What cannot be read any more is answered with the instant until which it would
    /// have been asked; nothing with rules goes before that, unless `after_loss` says so, or before `unsure_until`.
    pub fn recall(&self, kept: Vec<Kept>, unsure_until: Option<Time>, after_loss: AfterLoss, now: Time) -> Option<Time> {
        let (mut former, mut lost) = (Vec::new(), None);
        for one in kept {
            let until = one.until.unwrap_or_else(|| both_until(now));
            match compile(&one.sources, &self.policies) {
                _ if until <= now => {}
                Ok(_) if crate::base::planted::is("former-rules-forgotten-at-restart") => {}
                Ok(hours) => former.push(Replaced { hours, sources: one.sources, until }),
                Err(_) => lost = lost.max(Some(until)),
            }
        }
        // What is in the program among them stays: it is not in use before the first load says so.
        let mut current = self.lock();
        if crate::base::planted::is("shipped-rules-forgotten-at-restart") {
            former.retain(|one| one.hours.version() != current.hours.version());
        }
        let number = current.number + 1;
        let lost = lost.filter(|_| after_loss == AfterLoss::Hold);
        let unsure_until = unsure_until.max(lost).unwrap_or(Time(i64::MIN));
        let Statute { hours, sources, is_shut, since, .. } = &**current;
        let statute = Statute::new(hours.clone(), sources.clone(), former, number, *since);
        *current = Arc::new(Statute { is_shut: *is_shut, unsure_until, ..statute });
        self.version.store(number, Ordering::Release);
        lost
    }

    /// What must be kept over a restart: what is in use, then what was replaced and must still allow; and until when it is
    /// not known what was.
    #[must_use]
    pub fn kept(&self, now: Time) -> (Vec<Kept>, Option<Time>) {
        let statute = self.current();
        let former = statute.former.iter().filter(|one| now < one.until);
        let former = former.map(|one| Kept { sources: one.sources.clone(), until: Some(one.until) });
        let in_use = Kept { sources: statute.sources.clone(), until: None };
        (std::iter::once(in_use).chain(former).collect(), Some(statute.unsure_until).filter(|until| now < *until))
    }

    /// Nothing with rules goes until rules were loaded.
    pub fn shut(&self) {
        let mut current = self.lock();
        let number = current.number + 1;
        *current = Arc::new(Statute { is_shut: true, number, ..(**current).clone() });
        self.version.store(number, Ordering::Release);
    }

    /// Takes rules and zones whole, or not at all. What they replace must go on allowing for seven days, but for what nothing
    /// could be sent by. Whether anything is new.
    ///
    /// # Errors
    /// `LawFault` with file or account, and key; what was in use stays.
    pub fn reload(&self, sources: Sources, now: Time) -> Result<bool, LawFault> {
        let sources = sources.whole();
        if sources.bytes() > RULES_KEPT_BYTES_MAX {
            return Err(LawFault::TooLarge);
        }
        let hours = compile(&sources, &self.policies)?;
        self.policies.check(&hours)?;
        let mut current = self.lock();
        let is_same = current.hours.version() == hours.version();
        if is_same && !current.is_shut && current.since.is_some() {
            return Ok(false);
        }
        let is_first = current.since.is_none();
        let mut former: Vec<Replaced> = current.former.iter().filter(|one| now < one.until).cloned().collect();
        // Going back to rules that were replaced: they are asked anyway.
        former.retain(|one| one.hours.version() != hours.version());
        if !is_first && !is_same && !crate::base::planted::is("former-rules-forgotten") {
            former.push(Replaced { hours: current.hours.clone(), sources: current.sources.clone(), until: both_until(now) });
        }
        if former.len() > FORMER_RULES_MAX {
            return Err(LawFault::TooOften);
        }
        let number = current.number + 1;
        let statute = Statute::new(hours, Arc::new(sources), former, number, Some(now));
        *current = Arc::new(Statute { unsure_until: current.unsure_until, ..statute });
        self.version.store(number, Ordering::Release);
        Ok(true)
    }

    /// What is in force, for people.
    #[must_use]
    pub fn overview(&self, now: Time) -> Overview {
        let statute = self.current();
        let (pack, zones) = (statute.hours.version().pack.to_owned(), statute.hours.version().zones.to_owned());
        let former = |one: &Replaced| Former { version: one.hours.version().to_string(), until: one.until };
        let loosened = self.policies.by_account().into_iter().flat_map(|(account, policy)| {
            policy.overrides.iter().map(move |one| Loosened {
                account: account.to_owned(),
                rule: one.rule.clone(),
                to: one.to.clone(),
                by: one.by.clone(),
                why: one.why.clone(),
                until: one.until,
                is_over: one.until.is_some_and(|until| until <= now),
            })
        });
        Overview {
            pack,
            zones,
            since: statute.since,
            is_shut: statute.is_shut,
            unsure_until: Some(statute.unsure_until).filter(|until| now < *until),
            former: statute.former.iter().filter(|one| now < one.until).map(former).collect(),
            endings: statute.hours.endings(now).into_iter().map(|(calendar, last_year)| Ending { calendar, last_year }).collect(),
            loosened: loosened.collect(),
        }
    }

    /// What the rules say of a message at `at`, with their reasons: [`super::Law::advise`] knows the recipient, too.
    pub(super) fn advise(&self, question: &Question<'_>, at: Time) -> Advice {
        let statute = self.current();
        let hours = &statute.hours;
        let own = match question.zone {
            "" => OwnZone::None,
            name if hours.zone_by_name(name).is_some() => OwnZone::Known(name),
            _ => OwnZone::Unknown,
        };
        let policy = self.policies.get(self.policies.of(question.account));
        let place = self.places.get(self.places.find(question.to));
        let address = Address::of(question.region, &self.places);
        let cases = statute.cases(&Subject { place, own, address, class: question.class, channel: question.channel, policy }, at);
        let mut sheets = HoursCache::new(64);
        let verdict = verdict(&cases, &mut sheets, policy::changes(policy, at), at);
        let decisions: Vec<_> = cases.iter().map(|case| case.decide(&mut sheets, at)).collect();
        let closed = decisions.iter().find(|decision| !decision.allowed).or(decisions.first());
        let of_all = |names: &dyn Fn(&Case) -> Vec<String>| {
            let mut all = Vec::new();
            for name in cases.iter().flat_map(names) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
            all
        };
        Advice {
            verdict,
            reason: closed.map_or("no_rule", |decision| decision.reason.word()),
            rules: of_all(&|case| case.rules.iter().map(|rule| case.hours.rule_name(*rule).to_owned()).collect()),
            zones: of_all(&|case| case.zones.iter().map(|zone| case.hours.zone_name(*zone).to_owned()).collect()),
            version: hours.version().to_string(),
        }
    }

    /// How often all rules that are asked allow: for those who remember what was sent.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        self.current().all_limits()
    }

    /// The rules and zones in use, for questions that name them.
    #[must_use]
    pub fn hours(&self) -> Arc<Hours> {
        self.current().hours.clone()
    }
}

/// Until when what is replaced now must allow.
fn both_until(now: Time) -> Time {
    now.after(BOTH_FOR)
}

/// Rules and zones read. Those of this program, which a start reads several times, are read once.
fn compile(sources: &Sources, policies: &Policies) -> Result<Arc<Hours>, LawFault> {
    let mut files: Vec<(&str, &str)> = match &sources.rules {
        Some(files) => files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
        None => Pack::shipped_files().to_vec(),
    };
    let quiet = policies.quiet_file();
    if quiet.is_none() && sources.zones.is_none() && files == Pack::shipped_files() {
        return Ok(Hours::shared());
    }
    files.extend(quiet.as_deref().map(|text| (QUIET_FILE, text)));
    let zones = match &sources.zones {
        Some((version, files)) => Zones::parse(version, files)?,
        None => Zones::shipped(),
    };
    Ok(Arc::new(Hours::new(Pack::parse(&files)?, zones)))
}
