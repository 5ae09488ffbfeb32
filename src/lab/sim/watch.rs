//! What a carrier tells the model as it happens.

use super::model::Model;
use super::seen::{Seen, Submit};
use crate::lab::pdu::SubmitView;
use crate::lab::personality::State;
use crate::lab::record::{Fate, Watch, hashed};

/// The watcher of one carrier.
pub struct CarrierWatch {
    /// Which.
    pub carrier: u8,
    /// Who is told.
    pub model: Model,
}

impl Watch for CarrierWatch {
    fn submit(&self, view: &SubmitView<'_>, fate: &Fate<'_>, number: u64, delay_ms: u64) {
        let n = hashed(view).and_then(|token| token.parse().ok());
        let (part, total) = view.part.map_or((1, 1), |part| (part.number, part.total));
        let message_id = std::str::from_utf8(fate.message_id).unwrap_or_default();
        let Fate { session, sequence, status, answered: is_answered, .. } = *fate;
        let carrier = self.carrier;
        let validity = instant(view.validity).unwrap_or(0);
        let submit = Submit { carrier, session, n, validity, part, total, sequence, status, number, message_id, is_answered, delay_ms };
        self.model.see(&Seen::Submit(submit));
    }
    fn malformed(&self, _session: u64) {
        self.model.see(&Seen::Malformed { carrier: self.carrier });
    }
    fn bound(&self, session: u64) {
        self.model.see(&Seen::Bound { carrier: self.carrier, session });
    }
    fn closed(&self, session: u64, is_orderly: bool) {
        self.model.see(&Seen::Closed { carrier: self.carrier, session, is_orderly });
    }
    fn receipt_acknowledged(&self, number: u64, state: State) {
        self.model.see(&Seen::Receipt { carrier: self.carrier, number, state });
    }
    fn mo_acknowledged(&self, from: &[u8], text: &str) {
        let from = std::str::from_utf8(from).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        self.model.see(&Seen::Mo { carrier: self.carrier, from, text });
    }
    fn unanswered(&self, session: u64) {
        self.model.see(&Seen::Unanswered { carrier: self.carrier, session });
    }
}

/// `YYMMDDhhmmsstnn+` of SMPP 3.4 §7.1.1, always of UTC here, in milliseconds.
fn instant(octets: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(octets).ok().filter(|text| text.len() == 16 && text.is_ascii())?;
    let field = |at: usize| text[2 * at..2 * at + 2].parse::<i8>().ok();
    let date = jiff::civil::date(2_000 + i16::from(field(0)?), field(1)?, field(2)?);
    let civil = date.at(field(3)?, field(4)?, field(5)?, 0);
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
