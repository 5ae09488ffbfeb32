//! A deliver_sm or data_sm that is a receipt, folded into the pipeline's words.

use crate::base::Msisdn;
use crate::channel::session::Receipt;
use crate::channel::sms::profile::Profile;
use crate::message::event::PartState;
use crate::wire::smpp::receipt;
use crate::wire::smpp::tlv::{Tlvs, tag};
use crate::wire::smpp::{Address, State};

/// A receipt, and whether its state word was one nobody has told us.
pub struct Read<'a> {
    /// The receipt.
    pub receipt: Receipt<'a>,
    /// Alert: the word is not in our table.
    pub unmapped: bool,
}

/// Reads a receipt. `content` is its text without header; `source` is whom the message had been for.
#[must_use]
pub fn read<'a>(
    profile: &Profile,
    esm_class: u8,
    content: &'a [u8],
    tlvs: &Tlvs<'a>,
    source: Address<'_>,
    scratch: &'a mut String,
) -> Read<'a> {
    let parsed = receipt::parse(esm_class, content, tlvs);
    let (first, second) = match (parsed.text_id, parsed.tlv_id) {
        (Some(text), Some(tlv)) if text != tlv => (text, tlv),
        (Some(id), _) | (None, Some(id)) => (id, ""),
        (None, None) => ("", ""),
    };
    let number = std::str::from_utf8(source.digits).ok().and_then(|digits| Msisdn::parse(digits).ok()).map_or(0, Msisdn::as_u64);
    let error = match (parsed.err, parsed.network_error) {
        (Some(err), _) => err,
        (None, Some(error)) => {
            scratch.clear();
            let _ = std::fmt::Write::write_fmt(scratch, format_args!("{}", error.code));
            scratch
        }
        (None, None) => "",
    };
    let receipt = Receipt {
        carrier_id: first,
        other_id: second,
        keys: [profile.receipt_keys(first), profile.receipt_keys(second)],
        number,
        reference: tlvs.number(tag::USER_MESSAGE_REFERENCE).and_then(|reference| u16::try_from(reference).ok()),
        submit_date: parsed.submit_date.map_or(0, |date| date.seconds()),
        state: state(parsed.state, parsed.is_final, profile.acceptd_is_final),
        error: clip(error),
    };
    Read { receipt, unmapped: parsed.unmapped }
}

fn state(state: State, is_final: bool, acceptd_is_final: bool) -> PartState {
    match state {
        State::Accepted if acceptd_is_final => PartState::Delivered,
        _ if !is_final => PartState::Enroute,
        State::Delivered => PartState::Delivered,
        State::Expired => PartState::Expired,
        State::Deleted => PartState::Deleted,
        State::Undeliverable => PartState::Undeliverable,
        State::Rejected => PartState::Rejected,
        _ => PartState::Unknown,
    }
}

/// At most 32 characters: it is shown to customers and never more than a code.
fn clip(error: &str) -> &str {
    match error.char_indices().nth(32) {
        Some((end, _)) => &error[..end],
        None => error,
    }
}
