//! `[[accounts.caps]]`: how often an account may reach one recipient.

use super::account::Class;
use super::limits;
use super::reader::Reader;
use super::values::Choices;
use crate::base::Span;

/// At most so many messages to one recipient in so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub count: u32,
    /// In which time; counted by the minute.
    pub period: Span,
    /// Messages of these classes count, together.
    pub classes: Vec<Class>,
    /// Over these channels, together.
    pub channels: Vec<Channel>,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Short messages.
    Sms,
    /// Multimedia messages.
    Mms,
    /// Calls.
    Voice,
}
const CHANNELS: &Choices<Channel> = &[("sms", Channel::Sms), ("mms", Channel::Mms), ("voice", Channel::Voice)];

/// The first is what counts when nothing else is said: a cap is for advertising.
const CLASSES: &Choices<Class> =
    &[("marketing", Class::Marketing), ("service", Class::Service), ("transactional", Class::Transactional), ("otp", Class::Otp)];

pub(super) fn read(r: &mut Reader<'_>) -> Vec<Cap> {
    r.list_of_tables("caps", limits::CAPS_OF_ACCOUNT_MAX, cap)
}

fn cap(r: &mut Reader<'_>) -> Cap {
    Cap {
        count: r.integer("count", &limits::CAP_COUNT),
        period: r.span("period", &limits::CAP_PERIOD),
        classes: r.choices("classes", CLASSES, 1),
        channels: r.choices("channels", CHANNELS, CHANNELS.len()),
    }
}
