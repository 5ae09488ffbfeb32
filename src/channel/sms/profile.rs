//! What one carrier is like on the wire: from the configuration, with a test vector for each field and never an
//! `if` on its name.

use crate::base::Span;
use crate::channel::session::{Answer, FORMS_MAX, Keys};
use crate::config;
use crate::wire::smpp::ids::IdSeed;
use crate::wire::smpp::{Class, IdBase, Recognise, Status, key_of_receipt, key_of_response};
use std::collections::BTreeMap;

/// The profile of a carrier.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The account we bind with.
    pub system_id: String,
    /// Its password.
    pub password: crate::base::Secret,
    /// Up to 12 octets.
    pub system_type: String,
    /// interface_version of our binds.
    pub version: u8,
    /// address_range of our binds.
    pub address_range: String,
    /// A quiet link is asked after this.
    pub enquire_link: Span,
    /// An enquiry, and an unbind, is answered within this.
    pub response_timeout: Span,
    /// A bind is answered within this.
    pub bind_timeout: Span,
    /// TON and NPI by address form.
    pub addresses: config::Addresses,
    /// What data_coding 0 means, both ways.
    pub alphabet: config::Alphabet,
    /// How the parts of a long text are joined.
    pub joining: config::Joining,
    /// How the message class is told.
    pub message_class_as: config::ClassForm,
    /// data_coding of binary messages without a class.
    pub binary_as: config::BinaryCoding,
    /// registered_delivery of our submits.
    pub registered_delivery: u8,
    /// By what a receipt is recognised.
    pub recognise: Recognise,
    /// Whether ACCEPTD is the last word of this carrier.
    pub acceptd_is_final: bool,
    /// Its own meaning of some statuses.
    pub status: BTreeMap<u32, config::StatusClass>,
    /// The first sequence number of a session.
    pub sequence_start: u32,
    /// Keys the hash of long ids.
    pub seed: u64,
}

impl Profile {
    /// From the configuration. `seed` keys the hash of long ids; it need not survive the process, because the
    /// journal holds the ids themselves.
    #[must_use]
    pub fn new(carrier: &config::Carrier, seed: u64) -> Profile {
        Profile {
            system_id: carrier.system_id.clone(),
            password: carrier.password.clone(),
            system_type: carrier.system_type.clone(),
            version: carrier.interface_version.octet(),
            address_range: carrier.address_range.clone(),
            enquire_link: carrier.enquire_link,
            response_timeout: carrier.response_timeout,
            bind_timeout: carrier.bind_timeout,
            addresses: carrier.addresses,
            alphabet: carrier.alphabet,
            joining: carrier.joining,
            message_class_as: carrier.message_class_as,
            binary_as: carrier.binary_as,
            registered_delivery: match carrier.receipts {
                config::ReceiptsWanted::Final => 1,
                config::ReceiptsWanted::Failure => 2,
                config::ReceiptsWanted::None => 0,
            },
            recognise: if carrier.receipts_by_text { Recognise::ByText } else { Recognise::Marked },
            acceptd_is_final: carrier.acceptd_is_final,
            status: carrier.status.clone(),
            sequence_start: carrier.sequence_start,
            seed,
        }
    }

    /// The form of ids, when it is configured and not learnt.
    #[must_use]
    pub fn form(base: config::IdBase) -> Option<usize> {
        let base = match base {
            config::IdBase::Auto => return None,
            config::IdBase::AsIs => IdBase::AsIs,
            config::IdBase::AsIsStripAt => IdBase::AsIsStripAt,
            config::IdBase::RespHexReceiptDec => IdBase::RespHexReceiptDec,
            config::IdBase::RespDecReceiptHex => IdBase::RespDecReceiptHex,
        };
        IdBase::ALL.iter().position(|known| *known == base)
    }

    /// The configuration's word for a form.
    #[must_use]
    pub fn form_word(form: usize) -> &'static str {
        IdBase::ALL.get(form).map_or("unknown", |base| base.name())
    }

    /// The keys of a name given in a response.
    #[must_use]
    pub fn response_keys(&self, id: &str) -> Keys {
        self.keys(id, |base, id| key_of_response(base, IdSeed(self.seed), id).map(|key| key.0))
    }

    /// The keys of a name given in a receipt.
    #[must_use]
    pub fn receipt_keys(&self, id: &str) -> Keys {
        self.keys(id, |base, id| key_of_receipt(base, IdSeed(self.seed), id).map(|key| key.0))
    }

    fn keys(&self, id: &str, key: impl Fn(IdBase, &str) -> Option<u128>) -> Keys {
        let mut keys = Keys::default();
        if !id.is_empty() {
            for (slot, base) in keys.0.iter_mut().zip(IdBase::ALL) {
                *slot = key(base, id);
            }
        }
        debug_assert!(IdBase::ALL.len() <= FORMS_MAX);
        keys
    }

    /// What a status means here: the carrier's own table, else the field's (`codes.json`).
    #[must_use]
    pub fn class(&self, status: u32) -> Class {
        match self.status.get(&status) {
            Some(config::StatusClass::Permanent) => Class::Permanent,
            Some(config::StatusClass::Temporary) => Class::Temporary,
            Some(config::StatusClass::Throttle) => Class::Throttle,
            Some(config::StatusClass::Session) => Class::Session,
            Some(config::StatusClass::Ambiguous) => Class::Ambiguous,
            None => Status(status).class(),
        }
    }

    /// A submit's refusal, folded. An answered refusal is certain, whatever its number: it is never in doubt.
    #[must_use]
    pub fn refusal(&self, command_status: u32) -> Answer<'static> {
        match self.class(command_status) {
            Class::Throttle => Answer::Throttled { command_status },
            Class::Temporary | Class::Ambiguous => Answer::Later { command_status },
            Class::Session | Class::Protocol | Class::Bind => Answer::WrongSession { command_status },
            Class::Ok | Class::Permanent | Class::Operation => Answer::Refused { command_status },
        }
    }
}

/// TON and NPI of a sender, by its form: a name, a short code (3 to 8 digits), a number.
#[must_use]
pub fn sender_address(addresses: &config::Addresses, from: &str) -> config::Address {
    let digits = from.strip_prefix('+').unwrap_or(from);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        addresses.alphanumeric
    } else if digits.len() <= 8 && !from.starts_with('+') {
        addresses.short_code
    } else {
        addresses.international
    }
}
