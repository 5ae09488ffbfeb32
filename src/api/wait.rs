//! What keeps a message that was accepted from going at once, as answers say it.

use crate::base::Time;
use crate::message::{Reason, Status};
use crate::pipeline::journal::Start;

/// Why a message waits, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wait {
    pub(super) why: Reason,
    pub(super) until: Time,
}

impl Wait {
    /// What keeps a message that starts so; `None` when nothing does.
    pub(super) fn of(start: Start) -> Option<Wait> {
        (start.due > Time(0)).then_some(Wait { why: start.why, until: start.due })
    }

    /// The status of a message that waits so.
    pub(super) fn status(self) -> Status {
        if self.why == Reason::Scheduled { Status::Scheduled } else { Status::Held }
    }

    /// Why, unless the customer wished it.
    pub(super) fn reason(self) -> Option<&'static str> {
        (self.why != Reason::Scheduled).then(|| self.why.word())
    }
}
