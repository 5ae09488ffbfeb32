//! What one question is answered on one day of UTC, worked out once: the stretches that are open, and why the rest is not.

use super::open::{DAY, Question, UNENDING, Why};
use crate::base::time::Span;

/// The decisions of one day of UTC for one question: what the cache keeps.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Open stretches that touch the day, their ends with the margin taken off, and the one after.
    pub opens: Box<[(i64, i64)]>,
    /// From when on a closed instant of the day has this reason.
    pub whys: Box<[(i64, Why)]>,
}

impl Sheet {
    /// `margin` is taken off each end, in whole seconds.
    pub(super) fn new(question: &Question<'_>, margin: Span, day: i64) -> Sheet {
        let margin = i64::try_from(margin.0 / 1_000_000).unwrap_or(UNENDING);
        let mut opens = Vec::new();
        for (from, to) in question.openings(day) {
            let to = if to == UNENDING { to } else { to.saturating_sub(margin) };
            opens.extend((from < to).then_some((from, to)));
            if from < to && from >= (day + 1) * DAY {
                break;
            }
        }
        let mut whys: Vec<(i64, Why)> = Vec::new();
        for edge in question.edges(day) {
            let why = question.why(edge);
            if whys.last().is_none_or(|(_, before)| *before != why) {
                whys.push((edge, why));
            }
        }
        Sheet { opens: opens.into(), whys: whys.into() }
    }
}
