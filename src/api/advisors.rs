//! The tables behind the advice: numbering plans. Send windows are those of the law the judges ask.

use crate::directory::number::Numbers;

/// The tables behind the advice, made once.
pub(super) struct Advisors {
    pub(super) numbers: Numbers,
}

impl Advisors {
    pub(super) fn new() -> Advisors {
        Advisors { numbers: Numbers::new() }
    }
}
