//! The tables behind the advice: numbering plans, send windows.

use crate::directory::hours::Hours;
use crate::directory::number::Numbers;

/// The tables behind the advice, made once.
pub(super) struct Advisors {
    pub(super) numbers: Numbers,
    pub(super) hours: Hours,
}

impl Advisors {
    pub(super) fn new() -> Advisors {
        Advisors { numbers: Numbers::new(), hours: Hours::shipped() }
    }
}
