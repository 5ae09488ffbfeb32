//! From written values to rules and calendars: every word checked, every name resolved, nothing guessed.

use super::rule::{Basis, Holidays, Rule, Week, day};
use super::written::{DAYS_MAX, WrittenCalendar, WrittenDay, WrittenRule, WrittenWeek};
use crate::directory::calendar::rule::{Holiday, Observed, On, Shift, Years, month_day};
use crate::directory::calendar::{Calendar, Day, Weekday};
use crate::message::content::Channel;
use crate::message::content::Class;
use std::collections::HashMap;

/// How many calendars one may extend, all levels together: any Land of Germany needs 33.
const EXTENDED_MAX: usize = 200;

/// A rule; `calendars` has the names of the pack. Errors say what is wrong, without the file and the id.
pub(super) fn rule(written: WrittenRule, country: &str, calendars: &HashMap<Box<str>, u16>) -> Result<Rule, String> {
    let channels: Option<Vec<Channel>> = written.channels.iter().map(|word| Channel::from_word(word)).collect();
    let holidays = match (&*written.holidays, written.calendar.as_deref()) {
        ("ignore", None) => Holidays::Ignored,
        ("block", Some("*")) => Holidays::OfRecipient,
        ("block", Some(name)) => Holidays::Of(*calendars.get(name).ok_or_else(|| format!("there is no calendar {name}"))?),
        _ => return Err("holidays are ignore without a calendar, or block with one".into()),
    };
    let special = |(date, windows): (&String, &Vec<String>)| {
        let windows = day(windows).ok_or_else(|| format!("{date}: no list of windows"))?;
        Ok((month_day(date).ok_or_else(|| format!("{date}: no month and day"))?, windows))
    };
    if written.sources.is_empty() {
        return Err("a rule without a source".into());
    }
    if !["high", "medium", "low"].contains(&&*written.confidence) {
        return Err("confidence is high, medium or low".into());
    }
    Ok(Rule {
        country: country.into(),
        state: written.state.unwrap_or_default().into(),
        channels: channels.filter(|list| !list.is_empty()).ok_or("channels are sms, mms and voice")?,
        class: Class::from_word(&written.class).ok_or("no such class")?,
        basis: Basis::parse(&written.basis).ok_or("no such basis")?,
        consent_lifts: written.consent_lifts,
        frequency: written.frequency,
        sources: written.sources,
        note: written.note.into(),
        week: week(&written.windows).map_err(|why| format!("windows: {why}"))?,
        operator_week: written.operator_windows.as_ref().map(week).transpose().map_err(|why| format!("operator_windows: {why}"))?,
        eve: written.eve_windows.map(|windows| day(&windows).ok_or("eve_windows: no list of windows")).transpose()?,
        special: written.special_days.iter().map(special).collect::<Result<_, String>>()?,
        holidays,
        id: written.id.into(),
    })
}

fn week(written: &WrittenWeek) -> Result<Week, String> {
    let mut week: Week = Default::default();
    let mut named = [false; 7];
    for (days, windows) in written {
        let wrong = || format!("{days}: no days of the week with windows, each day once");
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (Some(first), Some(last), Some(windows)) = (Weekday::parse(first), Weekday::parse(last), day(windows)) else {
            return Err(wrong());
        };
        for at in first as usize..=last as usize {
            if named[at] {
                return Err(wrong());
            }
            (named[at], week[at]) = (true, windows.clone());
        }
        if first > last {
            return Err(wrong());
        }
    }
    // A rule that is never open would silence a country: that is a slip, not a rule.
    if week.iter().all(|day| day.is_empty()) {
        return Err("no day has any hours".into());
    }
    Ok(week)
}

type Days = Vec<(Box<str>, Holiday)>;

/// A calendar with the days of all it extends. Errors say what is wrong, without the file and the name.
pub(super) fn calendar(name: &str, written: &HashMap<&str, &WrittenCalendar>) -> Result<Calendar, String> {
    let (days, tabled_until) = days(name, written, &mut 0)?;
    if days.len() > DAYS_MAX {
        return Err(format!("more than {DAYS_MAX} days"));
    }
    Ok(Calendar::new(name, tabled_until, days))
}

fn days(name: &str, all: &HashMap<&str, &WrittenCalendar>, seen: &mut usize) -> Result<(Days, Option<i32>), String> {
    let written = all.get(name).ok_or_else(|| format!("there is no calendar {name}"))?;
    *seen += 1;
    if *seen > EXTENDED_MAX {
        return Err("it extends itself, or too many".into());
    }
    let (mut list, mut tabled_until) = (Days::new(), written.tabled_until);
    let mut dropped = vec![false; written.drop.len()];
    for parent in &written.extends {
        let (theirs, until) = days(parent, all, seen)?;
        tabled_until = [tabled_until, until].into_iter().flatten().min();
        for (title, holiday) in theirs {
            match written.drop.iter().position(|one| **one == *title) {
                Some(at) => dropped[at] = true,
                // Two parents often share days; one is enough.
                None if list.iter().any(|(known, one)| *known == title && *one == holiday) => {}
                None => list.push((title, holiday)),
            }
            if list.len() > DAYS_MAX {
                return Err(format!("more than {DAYS_MAX} days"));
            }
        }
    }
    if let Some(at) = dropped.iter().position(|done| !done) {
        return Err(format!("it drops {}, which it never had", written.drop[at]));
    }
    for day in &written.days {
        list.push((day.name.as_str().into(), holiday(day).ok_or_else(|| format!("{}: no rule and no dates", day.name))?));
    }
    Ok((list, tabled_until))
}

fn holiday(written: &WrittenDay) -> Option<Holiday> {
    if let Some(dates) = &written.dates {
        let alone = written.on.is_none() && written.moved.is_none() && written.observed.is_none() && written.every.is_none();
        let days: Option<Box<[Day]>> = dates.iter().map(|date| Day::parse(date)).collect();
        return days.filter(|_| alone && written.skip.is_none() && written.since.is_none()).map(Holiday::Tabled);
    }
    let mut skip = [false; 7];
    for word in written.skip.iter().flat_map(|words| words.split(' ')) {
        skip[Weekday::parse(word)? as usize] = true;
    }
    let every = written.every.unwrap_or(1);
    Some(Holiday::Ruled {
        on: On::parse(written.on.as_deref()?)?,
        moved: written.moved.as_deref().map_or(Some(Shift::default()), Shift::parse)?,
        observed: match written.observed.as_deref() {
            None => Observed::Never,
            Some("next") => Observed::NextFree,
            Some(shift) => Observed::Shifted(Shift::parse(shift)?),
        },
        skip,
        years: Years { since: written.since.unwrap_or(0), until: written.until.unwrap_or(9_999), every: (every >= 1).then_some(every)? },
    })
}
