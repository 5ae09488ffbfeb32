//! What the numbers of the protocol mean: command_status, message_state, network error types, congestion.
//!
//! The classes are defaults (`codes.json`); a carrier's own table may override any of them, above all in the vendor
//! range 0x400-0x4FF. Nothing here fails: an unknown number keeps its value and is [`Class::Ambiguous`].

use std::fmt;

/// A command_status (SMPP 3.4 §5.1.3, 5.0 §4.7.6), known or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

/// What a status asks of the sender of the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Accepted.
    Ok,
    /// Refused for good: the message fails, or another route is tried.
    Permanent,
    /// Refused for now: try again with back-off, a bounded number of times.
    Temporary,
    /// Too fast, or a queue is full: slow the route down; this is not a try.
    Throttle,
    /// The session is in the wrong state: rebind, requeue; this is not a try.
    Session,
    /// The peer cannot follow our octets: close, rebind, requeue.
    Protocol,
    /// The bind was refused: wait (minutes for a wrong password), alert.
    Bind,
    /// A query, cancel or replace was refused; no message is touched.
    Operation,
    /// Means different things at different carriers: try once or twice more, then another route.
    Ambiguous,
}

macro_rules! statuses {
    ($($name:ident = $value:literal, $text:literal, $class:ident;)*) => {
        impl Status {
            $(#[doc = $text] pub const $name: Status = Status($value);)*

            /// Every status with a name, in the order of its number.
            pub const ALL: &'static [Status] = &[$(Status::$name),*];

            /// The name in the specification; `vendor specific` in 0x400-0x4FF, else `reserved`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    0x400..=0x4FF => "vendor specific",
                    _ => "reserved",
                }
            }

            /// What it asks of us, unless the carrier's own table says otherwise.
            #[must_use]
            pub const fn class(self) -> Class {
                match self.0 {
                    $($value => Class::$class,)*
                    _ => Class::Ambiguous,
                }
            }
        }
    };
}

statuses! {
    ROK = 0x0, "ESME_ROK", Ok;
    RINVMSGLEN = 0x1, "ESME_RINVMSGLEN", Permanent;
    RINVCMDLEN = 0x2, "ESME_RINVCMDLEN", Protocol;
    RINVCMDID = 0x3, "ESME_RINVCMDID", Permanent;
    RINVBNDSTS = 0x4, "ESME_RINVBNDSTS", Session;
    RALYBND = 0x5, "ESME_RALYBND", Session;
    RINVPRTFLG = 0x6, "ESME_RINVPRTFLG", Permanent;
    RINVREGDLVFLG = 0x7, "ESME_RINVREGDLVFLG", Permanent;
    RSYSERR = 0x8, "ESME_RSYSERR", Temporary;
    RINVSRCADR = 0xA, "ESME_RINVSRCADR", Permanent;
    RINVDSTADR = 0xB, "ESME_RINVDSTADR", Permanent;
    RINVMSGID = 0xC, "ESME_RINVMSGID", Permanent;
    RBINDFAIL = 0xD, "ESME_RBINDFAIL", Bind;
    RINVPASWD = 0xE, "ESME_RINVPASWD", Bind;
    RINVSYSID = 0xF, "ESME_RINVSYSID", Bind;
    RCANCELFAIL = 0x11, "ESME_RCANCELFAIL", Operation;
    RREPLACEFAIL = 0x13, "ESME_RREPLACEFAIL", Operation;
    RMSGQFUL = 0x14, "ESME_RMSGQFUL", Throttle;
    RINVSERTYP = 0x15, "ESME_RINVSERTYP", Permanent;
    RINVNUMDESTS = 0x33, "ESME_RINVNUMDESTS", Permanent;
    RINVDLNAME = 0x34, "ESME_RINVDLNAME", Permanent;
    RINVDESTFLAG = 0x40, "ESME_RINVDESTFLAG", Permanent;
    RINVSUBREP = 0x42, "ESME_RINVSUBREP", Permanent;
    RINVESMCLASS = 0x43, "ESME_RINVESMCLASS", Permanent;
    RCNTSUBDL = 0x44, "ESME_RCNTSUBDL", Permanent;
    RSUBMITFAIL = 0x45, "ESME_RSUBMITFAIL", Ambiguous;
    RINVSRCTON = 0x48, "ESME_RINVSRCTON", Permanent;
    RINVSRCNPI = 0x49, "ESME_RINVSRCNPI", Permanent;
    RINVDSTTON = 0x50, "ESME_RINVDSTTON", Permanent;
    RINVDSTNPI = 0x51, "ESME_RINVDSTNPI", Permanent;
    RINVSYSTYP = 0x53, "ESME_RINVSYSTYP", Bind;
    RINVREPFLAG = 0x54, "ESME_RINVREPFLAG", Permanent;
    RINVNUMMSGS = 0x55, "ESME_RINVNUMMSGS", Permanent;
    RTHROTTLED = 0x58, "ESME_RTHROTTLED", Throttle;
    RINVSCHED = 0x61, "ESME_RINVSCHED", Permanent;
    RINVEXPIRY = 0x62, "ESME_RINVEXPIRY", Permanent;
    RINVDFTMSGID = 0x63, "ESME_RINVDFTMSGID", Permanent;
    RX_T_APPN = 0x64, "ESME_RX_T_APPN", Temporary;
    RX_P_APPN = 0x65, "ESME_RX_P_APPN", Permanent;
    RX_R_APPN = 0x66, "ESME_RX_R_APPN", Permanent;
    RQUERYFAIL = 0x67, "ESME_RQUERYFAIL", Operation;
    RINVOPTPARSTREAM = 0xC0, "ESME_RINVOPTPARSTREAM", Permanent;
    ROPTPARNOTALLWD = 0xC1, "ESME_ROPTPARNOTALLWD", Permanent;
    RINVPARLEN = 0xC2, "ESME_RINVPARLEN", Permanent;
    RMISSINGOPTPARAM = 0xC3, "ESME_RMISSINGOPTPARAM", Permanent;
    RINVOPTPARAMVAL = 0xC4, "ESME_RINVOPTPARAMVAL", Permanent;
    RDELIVERYFAILURE = 0xFE, "ESME_RDELIVERYFAILURE", Permanent;
    RUNKNOWNERR = 0xFF, "ESME_RUNKNOWNERR", Ambiguous;
    RSERTYPUNAUTH = 0x100, "ESME_RSERTYPUNAUTH", Permanent;
    RPROHIBITED = 0x101, "ESME_RPROHIBITED", Permanent;
    RSERTYPUNAVAIL = 0x102, "ESME_RSERTYPUNAVAIL", Temporary;
    RSERTYPDENIED = 0x103, "ESME_RSERTYPDENIED", Permanent;
    RINVDCS = 0x104, "ESME_RINVDCS", Permanent;
    RINVSRCADDRSUBUNIT = 0x105, "ESME_RINVSRCADDRSUBUNIT", Permanent;
    RINVDSTADDRSUBUNIT = 0x106, "ESME_RINVDSTADDRSUBUNIT", Permanent;
    RINVBCASTFREQINT = 0x107, "ESME_RINVBCASTFREQINT", Permanent;
    RINVBCASTALIAS_NAME = 0x108, "ESME_RINVBCASTALIAS_NAME", Permanent;
    RINVBCASTAREAFMT = 0x109, "ESME_RINVBCASTAREAFMT", Permanent;
    RINVNUMBCAST_AREAS = 0x10A, "ESME_RINVNUMBCAST_AREAS", Permanent;
    RINVBCASTCNTTYPE = 0x10B, "ESME_RINVBCASTCNTTYPE", Permanent;
    RINVBCASTMSGCLASS = 0x10C, "ESME_RINVBCASTMSGCLASS", Permanent;
    RBCASTFAIL = 0x10D, "ESME_RBCASTFAIL", Permanent;
    RBCASTQUERYFAIL = 0x10E, "ESME_RBCASTQUERYFAIL", Permanent;
    RBCASTCANCELFAIL = 0x10F, "ESME_RBCASTCANCELFAIL", Permanent;
    RINVBCAST_REP = 0x110, "ESME_RINVBCAST_REP", Permanent;
    RINVBCASTSRVGRP = 0x111, "ESME_RINVBCASTSRVGRP", Permanent;
    RINVBCASTCHANIND = 0x112, "ESME_RINVBCASTCHANIND", Permanent;
}

impl Status {
    /// Whether it is in the range left to vendors.
    #[must_use]
    pub const fn is_vendor(self) -> bool {
        matches!(self.0, 0x400..=0x4FF)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#X})", self.name(), self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            name @ ("vendor specific" | "reserved") => write!(f, "{name} {:#010X}", self.0),
            name => f.write_str(name),
        }
    }
}

/// A message_state (SMPP 3.4 §5.2.28, 5.0 §4.7.15), also the meaning of a receipt's `stat` word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum State {
    /// Waits for its time at the carrier.
    Scheduled = 0,
    /// On its way.
    Enroute = 1,
    /// At the handset.
    Delivered = 2,
    /// The validity period ended first.
    Expired = 3,
    /// Taken back.
    Deleted = 4,
    /// Cannot be delivered.
    Undeliverable = 5,
    /// Read by customer service on behalf of the subscriber, in the words of the specification; in practice: taken by
    /// the next hop.
    Accepted = 6,
    /// The carrier does not know.
    Unknown = 7,
    /// Refused.
    Rejected = 8,
    /// Accepted and deliberately not sent (SMPP 5.0).
    Skipped = 9,
}

impl State {
    /// All of them, in the order of their numbers.
    pub const ALL: [State; 10] = [
        State::Scheduled,
        State::Enroute,
        State::Delivered,
        State::Expired,
        State::Deleted,
        State::Undeliverable,
        State::Accepted,
        State::Unknown,
        State::Rejected,
        State::Skipped,
    ];

    /// From the number on the wire; `None` above 9.
    #[must_use]
    pub fn from_number(number: u32) -> Option<State> {
        State::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Scheduled => "SCHEDULED",
            State::Enroute => "ENROUTE",
            State::Delivered => "DELIVERED",
            State::Expired => "EXPIRED",
            State::Deleted => "DELETED",
            State::Undeliverable => "UNDELIVERABLE",
            State::Accepted => "ACCEPTED",
            State::Unknown => "UNKNOWN",
            State::Rejected => "REJECTED",
            State::Skipped => "SKIPPED",
        }
    }

    /// The seven letters that a receipt's text carries in `stat:` (SMPP 3.4 Appendix B).
    #[must_use]
    pub const fn receipt_word(self) -> &'static str {
        match self {
            State::Scheduled | State::Enroute => "ENROUTE",
            State::Delivered => "DELIVRD",
            State::Expired => "EXPIRED",
            State::Deleted => "DELETED",
            State::Undeliverable => "UNDELIV",
            State::Accepted => "ACCEPTD",
            State::Unknown => "UNKNOWN",
            State::Rejected => "REJECTD",
            State::Skipped => "SKIPPED",
        }
    }

    /// Whether nothing can follow it. ENROUTE, ACCEPTED and SCHEDULED never settle a message.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, State::Scheduled | State::Enroute | State::Accepted)
    }
}

/// The network of a network_error_code's first octet (SMPP 3.4 §5.3.2.31, 5.0 §4.8.4.42); `None` for reserved numbers.
#[must_use]
pub const fn network_error_type(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "ANSI-136 access denied reason",
        2 => "IS-95 access denied reason",
        3 => "GSM",
        4 => "ANSI-136 cause",
        5 => "IS-95 cause",
        6 => "ANSI-41 error",
        7 => "SMPP error",
        8 => "message centre specific",
        _ => return None,
    })
}

/// The congestion_state of a response (SMPP 5.0 §4.8.4.18): how full the peer is. Aim for [`Congestion::Optimum`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Congestion {
    /// 0.
    Idle,
    /// 1 to 29.
    Low,
    /// 30 to 49.
    Medium,
    /// 50 to 79.
    High,
    /// 80 to 89.
    Optimum,
    /// 90 to 99: slow down.
    NearingCongestion,
    /// 100: stop.
    Congested,
}

impl Congestion {
    /// From the number on the wire; `None` above 100.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Congestion> {
        Some(match number {
            0 => Congestion::Idle,
            1..=29 => Congestion::Low,
            30..=49 => Congestion::Medium,
            50..=79 => Congestion::High,
            80..=89 => Congestion::Optimum,
            90..=99 => Congestion::NearingCongestion,
            100 => Congestion::Congested,
            _ => return None,
        })
    }

    /// Its words in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Congestion::Idle => "idle",
            Congestion::Low => "low load",
            Congestion::Medium => "medium load",
            Congestion::High => "high load",
            Congestion::Optimum => "optimum load",
            Congestion::NearingCongestion => "nearing congestion",
            Congestion::Congested => "congested",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/vectors/codes.json")).unwrap()
    }

    #[test]
    fn names_and_classes_are_those_of_the_table() {
        let codes = codes();
        let rows = codes["smpp_command_status"].as_array().unwrap();
        let mut numbered = 0;
        for row in rows {
            let (name, class) = (row["name"].as_str().unwrap(), row["class"].as_str().unwrap());
            let status = match row["code"].as_u64() {
                Some(code) => {
                    numbered += 1;
                    Status(code as u32)
                }
                None => Status(0x4AB),
            };
            assert_eq!(status.name(), name);
            assert_eq!(format!("{:?}", status.class()).to_lowercase(), class, "{name}");
        }
        assert_eq!(Status::ALL.len(), numbered);
        assert!(Status::ALL.windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!((Status(9).name(), Status(9).class()), ("reserved", Class::Ambiguous));
        assert!(Status(0x400).is_vendor() && Status(0x4FF).is_vendor() && !Status(0x500).is_vendor());
    }

    #[test]
    fn states_are_final_as_the_table_says() {
        for row in codes()["smpp_message_state"].as_array().unwrap() {
            let state = State::from_number(row["value"].as_u64().unwrap() as u32).unwrap();
            assert_eq!(u64::from(state.number()), row["value"].as_u64().unwrap());
            assert_eq!(state.name(), row["name"].as_str().unwrap());
            assert_eq!(state.is_final(), row["final"].as_bool().unwrap());
        }
        assert_eq!(State::from_number(10), None);
    }

    #[test]
    fn network_types_and_congestion_are_named_as_in_the_table() {
        let codes = codes();
        for (number, name) in codes["network_error_type"].as_object().unwrap() {
            assert_eq!(network_error_type(number.parse().unwrap()), name.as_str());
        }
        for row in codes["smpp5_congestion_state"].as_array().unwrap() {
            let range = row["range"].as_str().unwrap();
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            for number in low.parse::<u32>().unwrap()..=high.parse().unwrap() {
                assert_eq!(Congestion::from_number(number).unwrap().name(), row["meaning"].as_str().unwrap());
            }
        }
        assert_eq!(Congestion::from_number(101), None);
        assert_eq!(network_error_type(0), None);
    }
}
