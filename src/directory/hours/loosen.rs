//! Overrides: the only way a message leaves outside the recommended windows. Each names the rule, the way, who decided and
//! why, and is handed back for the audit. Tightening needs none of this: one more rule in the list is enough.

use super::decide::Hours;
use super::refs::RuleRef;
use super::rule::Tier;

/// How a rule is loosened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loosening {
    /// To the hours operators still let pass, where the pack knows them.
    OperatorHours,
    /// Off, by the recipient's proven consent, where the law says that consent lifts the hours.
    RecipientConsent,
    /// To another rule, the account's own: the account answers for it.
    OwnRule(RuleRef),
}

/// One decision of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Override<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// How.
    pub how: Loosening,
    /// Who decided.
    pub by: &'a str,
    /// Why, in their words.
    pub why: &'a str,
}

/// Why an override was refused; the rules stay as they were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoosenFault {
    /// Without a name and a reason nothing is loosened.
    #[error("an override needs who decided and why")]
    Unaudited,
    /// The rule has no operators' hours, or consent does not lift it.
    #[error("the rule does not offer this")]
    NotOffered,
    /// The rule in its place is of other rules.
    #[error("the rule in its place is stale")]
    Stale,
}

impl Hours {
    /// The rules with the overrides that touch them, and the overrides that did: what the audit keeps.
    ///
    /// # Errors
    /// The first override that is refused.
    pub fn loosen<'a>(
        &self,
        rules: &[RuleRef],
        overrides: &'a [Override<'a>],
    ) -> Result<(Vec<RuleRef>, Vec<&'a Override<'a>>), LoosenFault> {
        let (mut left, mut used) = (Vec::with_capacity(rules.len()), Vec::new());
        for one in rules {
            let Some(found) = overrides.iter().find(|other| other.rule == self.rule_name(*one)) else {
                left.push(*one);
                continue;
            };
            if found.by.trim().is_empty() || found.why.trim().is_empty() {
                return Err(LoosenFault::Unaudited);
            }
            let rule = self.rule(*one);
            match found.how {
                Loosening::OperatorHours if rule.operator_week.is_some() => left.push(RuleRef { tier: Tier::Operator, ..*one }),
                Loosening::RecipientConsent if rule.consent_lifts => {}
                Loosening::OwnRule(own) if own.stamp == self.stamp => left.push(own),
                Loosening::OwnRule(_) => return Err(LoosenFault::Stale),
                Loosening::OperatorHours | Loosening::RecipientConsent => return Err(LoosenFault::NotOffered),
            }
            used.push(found);
        }
        Ok((left, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Span, Time};
    use crate::directory::hours::{Ask, CalendarRef};

    #[test]
    fn operator_hours_open_two_hours_more_and_say_who_wanted_it() {
        let hours = Hours::shipped();
        let rules = [hours.rule_by_name("FR-sms").expect("a rule")];
        let zones = [hours.zone_by_name("Europe/Paris").expect("a zone")];
        let at = Time::parse_rfc3339("2026-07-13T21:30:00+02:00").expect("a time");
        let allowed =
            |rules: &[RuleRef]| hours.decide(&Ask { rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::ZERO }, at).allowed;
        let wanted = [Override { rule: "FR-sms", how: Loosening::OperatorHours, by: "ops@example.com", why: "evening sale" }];
        let (loose, used) = hours.loosen(&rules, &wanted).expect("it is offered");
        assert!(!allowed(&rules) && allowed(&loose));
        assert_eq!(used, [&wanted[0]]);
    }

    #[test]
    fn nothing_is_loosened_without_a_name_a_reason_and_an_offer() {
        let hours = Hours::shipped();
        let rule = |id: &str| hours.rule_by_name(id).expect("a rule");
        let fault = |id: &str, how, by, why| hours.loosen(&[rule(id)], &[Override { rule: id, how, by, why }]).err();
        assert_eq!(fault("FR-sms", Loosening::OperatorHours, " ", "x"), Some(LoosenFault::Unaudited));
        assert_eq!(fault("FR-sms", Loosening::OperatorHours, "x", ""), Some(LoosenFault::Unaudited));
        assert_eq!(fault("FR-sms", Loosening::RecipientConsent, "x", "x"), Some(LoosenFault::NotOffered));
        assert_eq!(fault("DE-all", Loosening::OperatorHours, "x", "x"), Some(LoosenFault::NotOffered));
        assert_eq!(fault("FR-voice", Loosening::RecipientConsent, "x", "x"), None);
        let stale = RuleRef { stamp: rule("DE-all").stamp ^ 1, ..rule("DE-all") };
        assert_eq!(fault("FR-sms", Loosening::OwnRule(stale), "x", "x"), Some(LoosenFault::Stale));
    }
}
