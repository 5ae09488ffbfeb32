//! What accounts add to the rules and take from them. In: the configuration. Out: per account, a policy by number, equal ones
//! once; and, for a pack, which of its rules bind a message. What names nothing of a pack is a fault of the load, and
//! the rules in use stay.

use super::fault::LawFault;
use crate::base::Time;
use crate::config::{self, AccountHours, QuietHours};
use crate::directory::hours::{CalendarRef, Channel, Hours, Loosening, Override, RuleRef};
use crate::message::content::Class;
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// The policies of all accounts.
#[derive(Debug)]
pub(super) struct Policies {
    /// The first is that of accounts that say nothing, and of none.
    list: Vec<AccountHours>,
    by_account: HashMap<Box<str>, u16>,
}

impl Default for Policies {
    fn default() -> Policies {
        Policies { list: vec![AccountHours::default()], by_account: HashMap::new() }
    }
}

impl Policies {
    pub(super) fn new(accounts: &[config::Account]) -> Policies {
        let mut policies = Policies::default();
        for account in accounts {
            let found = policies.list.iter().position(|one| *one == account.hours);
            let number = found.unwrap_or_else(|| {
                policies.list.push(account.hours.clone());
                policies.list.len() - 1
            });
            let number = u16::try_from(number).expect("limits::ACCOUNTS_MAX is below");
            policies.by_account.insert(account.name.as_str().into(), number);
        }
        policies
    }

    /// The number of an account's policy; 0 for accounts that nobody knows.
    pub(super) fn of(&self, account: &str) -> u16 {
        self.by_account.get(account).copied().unwrap_or(0)
    }

    pub(super) fn get(&self, policy: u16) -> &AccountHours {
        self.list.get(usize::from(policy)).unwrap_or(&self.list[0])
    }

    /// Every policy with the accounts that have it, in order of names.
    pub(super) fn by_account(&self) -> Vec<(&str, &AccountHours)> {
        let mut all: Vec<(&str, &AccountHours)> = self.by_account.iter().map(|(name, policy)| (&**name, self.get(*policy))).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }

    /// A rule file with the quiet hours of all accounts, beside those of the pack; `None` when there are none.
    pub(super) fn quiet_file(&self) -> Option<String> {
        let all: BTreeSet<QuietHours> = self.list.iter().filter_map(|one| one.quiet).collect();
        let rule = |quiet: &QuietHours| {
            format!(
                "[[rule]]\nid = \"{}\"\nchannels = [\"sms\", \"mms\", \"voice\"]\nclass = \"marketing\"\n\
                 windows = {{ mon-sun = {:?} }}\nholidays = \"ignore\"\nbasis = \"default\"\nconfidence = \"high\"\n\
                 sources = [\"the configuration\"]\n",
                quiet_id(*quiet),
                windows(*quiet)
            )
        };
        // The version has the youngest date of all files: this one never is.
        (!all.is_empty()).then(|| format!("dated = \"1970-01-01\"\n{}", all.iter().map(rule).collect::<String>()))
    }

    /// Whether a pack has all that the accounts name.
    pub(super) fn check(&self, hours: &Hours) -> Result<(), LawFault> {
        for (account, policy) in self.by_account() {
            let fault = |key: &'static str, why: String| LawFault::Account { account: account.into(), key, why: why.into() };
            for id in &policy.rules {
                hours.rule_by_name(id).ok_or_else(|| fault("rules", format!("there is no rule {id}")))?;
            }
            for name in &policy.calendars {
                hours.calendar_by_name(name).ok_or_else(|| fault("calendars", format!("there is no calendar {name}")))?;
            }
            for one in &policy.overrides {
                let rule = hours.rule_by_name(&one.rule).ok_or_else(|| fault("override.rule", format!("there is no rule {}", one.rule)))?;
                let how = loosening(hours, one).ok_or_else(|| fault("override.to", format!("there is no rule {}", one.to)))?;
                let wanted = [Override { rule: &one.rule, how, by: &one.by, why: &one.why }];
                hours.loosen(&[rule], &wanted).map_err(|why| fault("override.to", format!("{}: {why}", one.rule)))?;
            }
        }
        Ok(())
    }
}

fn quiet_id(quiet: QuietHours) -> String {
    format!("quiet_{:04}-{:04}", quiet.from / 60 * 100 + quiet.from % 60, quiet.to / 60 * 100 + quiet.to % 60)
}

/// What is left of the day.
fn windows(quiet: QuietHours) -> Vec<String> {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let pieces = if quiet.from < quiet.to { vec![(0, quiet.from), (quiet.to, 1_440)] } else { vec![(quiet.to, quiet.from)] };
    pieces.into_iter().filter(|(from, to)| from < to).map(|(from, to)| format!("{}-{}", clock(from), clock(to))).collect()
}

fn loosening(hours: &Hours, one: &config::Override) -> Option<Loosening> {
    match one.to.as_str() {
        "operator_hours" => Some(Loosening::OperatorHours),
        "consent" => Some(Loosening::RecipientConsent),
        id => hours.rule_by_name(id).map(Loosening::OwnRule),
    }
}

/// The rules that bind, from those of the place: loosened first, then tightened, so that no override touches what the account
/// added. What this pack does not have (one replaced within the last days) is left out: the pack in use has it.
pub(super) fn bind(hours: &Hours, policy: &AccountHours, place: &[RuleRef], (class, channel): (Class, Channel), now: Time) -> Vec<RuleRef> {
    let mut rules = place.to_vec();
    for one in policy.overrides.iter().filter(|one| one.until.is_none_or(|until| now < until)) {
        let Some(how) = loosening(hours, one) else { continue };
        let wanted = [Override { rule: &one.rule, how, by: &one.by, why: &one.why }];
        if let Ok((loosened, _)) = hours.loosen(&rules, &wanted) {
            rules = loosened;
        }
    }
    let quiet = policy.quiet.map(quiet_id);
    for id in policy.rules.iter().chain(&quiet) {
        let Some(one) = hours.rule_by_name(id) else { continue };
        let rule = hours.rule(one);
        if rule.class == class && rule.speaks(channel) && !rules.contains(&one) {
            rules.push(one);
        }
    }
    rules
}

/// The first instant after `now` at which an override ends and the rules change; the end of time when none does.
pub(super) fn changes(policy: &AccountHours, now: Time) -> Time {
    policy.overrides.iter().filter_map(|one| one.until).filter(|until| now < *until).min().unwrap_or(Time(i64::MAX))
}

/// The account's calendar for a region, if it names one.
pub(super) fn calendar(hours: &Hours, policy: &AccountHours, region: &str) -> Option<CalendarRef> {
    let of = |name: &&String| name.split_once('-').map_or(name.as_str(), |(country, _)| country) == region;
    policy.calendars.iter().find(of).and_then(|name| hours.calendar_by_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::hours::Pack;

    #[test]
    fn quiet_hours_leave_the_rest_of_the_day() {
        let quiet = |from, to| windows(QuietHours { from, to });
        assert_eq!(quiet(1_200, 540), ["09:00-20:00"]);
        assert_eq!(quiet(720, 810), ["00:00-12:00", "13:30-24:00"]);
        assert_eq!(quiet(0, 480), ["08:00-24:00"]);
        assert_eq!(quiet(1_200, 0), ["00:00-20:00"]);
    }

    #[test]
    fn the_quiet_hours_of_all_accounts_are_one_file_of_rules() {
        let mut policies = Policies::default();
        assert_eq!(policies.quiet_file(), None);
        for (from, to) in [(1_200, 540), (720, 810), (1_200, 540)] {
            policies.list.push(AccountHours { quiet: Some(QuietHours { from, to }), ..AccountHours::default() });
        }
        let file = policies.quiet_file().expect("a file");
        let pack = Pack::parse(&[("accounts", file)]).expect("a pack");
        let ids: Vec<&str> = pack.rules().iter().map(|rule| &*rule.id).collect();
        assert_eq!(ids, ["quiet_1200-1330", "quiet_2000-0900"]);
    }
}
