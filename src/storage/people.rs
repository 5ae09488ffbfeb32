//! What is kept about recipients for as long as the gateway lives: who has opted out, and what a recipient prefers. Rows,
//! not frames: they outlive every slice. Here is what they hold and how they are written into the commit that brings
//! them; what they mean is for `directory`. Reading a list fails by `None`.

use crate::base::Time;
use prost::Message;

/// Who said it. The numbers are in the journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Origin {
    /// The recipient, by answering: START takes it back.
    Recipient = 0,
    /// The customer, by the API or an import: only the customer takes it back.
    Customer = 1,
}

impl Origin {
    /// From its number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Origin> {
        match number {
            0 => Some(Origin::Recipient),
            1 => Some(Origin::Customer),
            _ => None,
        }
    }
}

/// Which row. Rows are listed in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SuppressionKey {
    /// The account's name.
    pub account: String,
    /// The recipient's number, as digits.
    pub number: u64,
    /// Who said it.
    pub origin: Origin,
    /// What is stopped, in the words of `directory::consent`.
    pub scope: String,
}

/// A recipient who has opted out of something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suppression {
    /// Which.
    pub key: SuppressionKey,
    /// The classes it stops: bit n is the class of priority n.
    pub classes: u8,
    /// Where it was said: `sms`, `api`, `import`, or the customer's word.
    pub source: String,
    /// Why, in the customer's words; the keyword, when the recipient said it.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

impl Suppression {
    /// What a row is after this was said, given what it was before. A recipient who says stop again has said nothing new:
    /// the first word and its instant stay, classes add up. What a customer says replaces.
    #[must_use]
    pub fn after(self, before: Option<&Suppression>) -> Suppression {
        match before {
            Some(before) if self.key.origin == Origin::Recipient => {
                Suppression { classes: self.classes | before.classes, ..before.clone() }
            }
            _ => self,
        }
    }
}

/// What a recipient prefers, as the customer tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preference {
    /// The account's name.
    pub account: String,
    /// The recipient's number, as digits.
    pub number: u64,
    /// At most so many messages in so many seconds; 0 of both: no cap of its own.
    pub cap: (u32, u32),
    /// The recipient's time zone; empty when not known.
    pub zone: String,
    /// The recipient's language (BCP 47); empty when not known.
    pub locale: String,
    /// Since when.
    pub since: Time,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PersonChange {
    /// Somebody has opted out.
    Suppress(Suppression),
    /// And in again. A row that is not there is not missed.
    Lift(SuppressionKey),
    /// Preferences, whole.
    Prefer(Preference),
    /// None any more.
    Forget {
        /// The account's name.
        account: String,
        /// The recipient's number.
        number: u64,
    },
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    changes: Vec<Record>,
}

/// One change as it lies in a slice.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(string, tag = "2")]
    account: String,
    #[prost(fixed64, tag = "3")]
    number: u64,
    #[prost(uint32, tag = "4")]
    origin: u32,
    #[prost(string, tag = "5")]
    scope: String,
    #[prost(uint32, tag = "6")]
    classes: u32,
    #[prost(string, tag = "7")]
    source: String,
    #[prost(string, tag = "8")]
    reason: String,
    #[prost(int64, tag = "9")]
    since: i64,
    #[prost(uint32, tag = "10")]
    cap_count: u32,
    #[prost(uint32, tag = "11")]
    cap_seconds: u32,
    #[prost(string, tag = "12")]
    zone: String,
    #[prost(string, tag = "13")]
    locale: String,
}

const SUPPRESS: u32 = 1;
const LIFT: u32 = 2;
const PREFER: u32 = 3;
const FORGET: u32 = 4;

impl From<&PersonChange> for Record {
    fn from(change: &PersonChange) -> Record {
        let keyed = |kind, key: &SuppressionKey| Record {
            kind,
            account: key.account.clone(),
            number: key.number,
            origin: key.origin as u32,
            scope: key.scope.clone(),
            ..Record::default()
        };
        match change {
            PersonChange::Suppress(row) => Record {
                classes: u32::from(row.classes),
                source: row.source.clone(),
                reason: row.reason.clone(),
                since: row.since.0,
                ..keyed(SUPPRESS, &row.key)
            },
            PersonChange::Lift(key) => keyed(LIFT, key),
            PersonChange::Prefer(one) => Record {
                kind: PREFER,
                account: one.account.clone(),
                number: one.number,
                cap_count: one.cap.0,
                cap_seconds: one.cap.1,
                zone: one.zone.clone(),
                locale: one.locale.clone(),
                since: one.since.0,
                ..Record::default()
            },
            PersonChange::Forget { account, number } => {
                Record { kind: FORGET, account: account.clone(), number: *number, ..Record::default() }
            }
        }
    }
}

impl Record {
    fn read(self) -> Option<PersonChange> {
        let Record { account, number, .. } = self;
        let key = || Some((Origin::from_number(self.origin)?, self.scope.clone()));
        let keyed = |account| key().map(|(origin, scope)| SuppressionKey { account, number, origin, scope });
        Some(match self.kind {
            SUPPRESS => PersonChange::Suppress(Suppression {
                key: keyed(account)?,
                classes: u8::try_from(self.classes).ok()?,
                source: self.source,
                reason: self.reason,
                since: Time(self.since),
            }),
            LIFT => PersonChange::Lift(keyed(account)?),
            PREFER => PersonChange::Prefer(Preference {
                account,
                number,
                cap: (self.cap_count, self.cap_seconds),
                zone: self.zone,
                locale: self.locale,
                since: Time(self.since),
            }),
            FORGET => PersonChange::Forget { account, number },
            _ => return None,
        })
    }
}

/// Writes the changes of one commit.
#[must_use]
pub fn write_changes(changes: &[PersonChange]) -> Vec<u8> {
    List { changes: changes.iter().map(Record::from).collect() }.encode_to_vec()
}

/// Reads them; `None` unless every one can be read: an opt-out that is passed over would be a message sent.
#[must_use]
pub fn read_changes(octets: &[u8]) -> Option<Vec<PersonChange>> {
    List::decode(octets).ok()?.changes.into_iter().map(Record::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(classes: u8, since: i64) -> Suppression {
        let key = SuppressionKey { account: "shop".into(), number: 33_612_345_678, origin: Origin::Recipient, scope: "all".into() };
        Suppression { key, classes, source: "sms".into(), reason: "STOP".into(), since: Time(since) }
    }

    #[test]
    fn changes_are_read_as_they_were_written() {
        let changes = vec![
            PersonChange::Suppress(stop(12, 5)),
            PersonChange::Lift(SuppressionKey { origin: Origin::Customer, ..stop(0, 0).key }),
            PersonChange::Prefer(Preference {
                account: "shop".into(),
                number: 33_612_345_678,
                cap: (3, 86_400),
                zone: "Europe/Paris".into(),
                locale: "fr-FR".into(),
                since: Time(9),
            }),
            PersonChange::Forget { account: "shop".into(), number: 33_612_345_678 },
        ];
        let octets = write_changes(&changes);
        assert_eq!(read_changes(&octets), Some(changes));
        assert_eq!(read_changes(&octets[..octets.len() - 1]), None);
        assert_eq!(read_changes(&List { changes: vec![Record { kind: 9, ..Record::default() }] }.encode_to_vec()), None);
    }

    #[test]
    fn a_second_stop_adds_classes_and_keeps_the_first_instant() {
        let after = stop(2, 50).after(Some(&stop(8, 7)));
        assert_eq!((after.classes, after.since), (10, Time(7)));
        let customer =
            |classes, since| Suppression { key: SuppressionKey { origin: Origin::Customer, ..stop(0, 0).key }, ..stop(classes, since) };
        assert_eq!(customer(2, 50).after(Some(&customer(8, 7))), customer(2, 50));
    }
}
