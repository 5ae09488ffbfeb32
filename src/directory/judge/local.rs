//! What a message may say that follows from its recipient: the language he prefers, and what the clock shows where he is.
//! In: a question, and the wall clock. Out: a locale, an offset. Nothing fails; what is not known is the account's.

use super::{Judge, Question, placed};
use crate::base::Time;
use std::sync::Arc;

impl Judge {
    /// The language the recipient prefers, if he has said.
    pub fn locale(&mut self, question: &Question<'_>) -> Option<Arc<str>> {
        self.people.prefers(&self.law.consent, question).map(|prefers| prefers.locale).filter(|locale| !locale.is_empty())
    }

    /// Seconds by which clocks at the recipient's are ahead of UTC at `now`. The zone is the message's own, else the one the
    /// recipient prefers, else that of the number, if all zones it may be of agree at `now`; else `otherwise`; else UTC.
    pub fn offset(&mut self, question: &Question<'_>, otherwise: &str, now: Time) -> i32 {
        let prefers = self.people.prefers(&self.law.consent, question);
        let zone = placed(question, prefers.as_ref()).zone;
        let hours = self.book.hours(&self.law.hours);
        let of = |name: &str| hours.zone_by_name(name).and_then(|zone| hours.offset(zone, now));
        let number = || {
            let places = &self.law.hours.places;
            let mut all = places.get(places.find(question.to)).zones.iter().map(|zone| of(zone.name()));
            let first = all.next()??;
            all.all(|other| other == Some(first)).then_some(first)
        };
        of(zone).or_else(number).or_else(|| of(otherwise)).unwrap_or(0)
    }
}
