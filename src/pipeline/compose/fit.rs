//! Whether a text may be sent as it is: one path for what is accepted and for what is made when it is sent. Of several
//! wordings the first is taken that fits.

use super::values::Values;
use super::wording::Wording;
use crate::channel::{Composer, RouteText, Wanted};
use crate::message::Encoding;
use crate::pipeline::accept::{Code, Refusal};

/// What a text has to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'f> {
    /// What the customer wants of it.
    pub(super) wanted: &'f Wanted<'f>,
    /// What its route allows.
    pub(super) route: &'f RouteText,
    /// The most segments the customer pays for.
    pub(super) max_segments: u8,
    /// Whether it is refused rather than sent as UCS-2.
    pub(super) gsm_alone: bool,
}

impl Fit<'_> {
    /// Encodes and cuts a text, if it is one that may be sent.
    ///
    /// # Errors
    /// `empty_text`, `not_gsm7`, `too_many_segments`.
    pub(super) fn one(&self, composer: &mut Composer, text: &str) -> Result<(), Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(Code::EmptyText, "/text", "the text is empty once its parameters are in"));
        }
        let size = composer.compose(text, self.wanted, self.route);
        if self.gsm_alone && size.encoding == Encoding::Ucs2 {
            let place = size.forced_by.map_or(0, |(_, place)| place);
            return Err(Refusal::new(Code::NotGsm7, "/text", format!("character {place} (from 0) is not in the GSM alphabet")));
        }
        few(size.ends.len(), self.max_segments, "/text")
    }

    /// The first of the wordings that fits, filled in: the composer has it, and its text is in `rendered`.
    ///
    /// # Errors
    /// As [`Fit::one`], `missing_param`, `template_error`; of several wordings the last one's.
    pub(super) fn first(
        &self,
        composer: &mut Composer,
        wordings: &[Wording],
        values: &Values<'_>,
        rendered: &mut String,
    ) -> Result<(), Refusal> {
        for (left, wording) in (0..wordings.len()).rev().zip(wordings) {
            wording.template.render(values, rendered)?;
            match self.one(composer, rendered) {
                // The last is the one whose refusal is told.
                Err(refusal) if left == 0 || refusal.code != Code::TooManySegments => return Err(refusal),
                Err(_) => {}
                Ok(()) => break,
            }
        }
        Ok(())
    }
}

/// Whether the customer pays for so many segments.
pub(super) fn few(segments: usize, max_segments: u8, pointer: &'static str) -> Result<(), Refusal> {
    if segments > usize::from(max_segments) {
        let detail = format!("{segments} segments, at most {max_segments} are allowed");
        return Err(Refusal::new(Code::TooManySegments, pointer, detail));
    }
    Ok(())
}
