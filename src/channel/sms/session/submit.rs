//! Messages onto the wire: a submit_sm for each part, from a template a sender and a form share.

use super::Session;
use crate::base::{Mono, Time};
use crate::channel::sms::form::Kind;
use crate::channel::sms::profile::{Profile, sender_address};
use crate::message::record::MessageRecord;
use crate::wire::smpp::{Address, Segment, SubmitOptions, SubmitTemplate, Tlvs, time};

/// Templates kept: one per sender and kind. A campaign needs two.
const TEMPLATES_MAX: usize = 512;

impl Session {
    /// Writes one part of a message; its sequence number. `None` when it cannot be written: not bound, or fields
    /// that have no form on this wire. `reference` goes into user_message_reference where the peer takes TLVs.
    pub fn submit(
        &mut self,
        record: &MessageRecord,
        part: u8,
        concat_reference: u16,
        reference: u16,
        expires: Time,
        now: Mono,
    ) -> Option<u32> {
        if !self.carries_submits() {
            return None;
        }
        let sequence = self.sequence();
        let Session { profile, forming, templates, out, takes_tlvs, .. } = self;
        let form = forming.form(profile, record, part, concat_reference);
        let key = (record.from.clone(), form.kind);
        if !templates.contains_key(&key) {
            if templates.len() >= TEMPLATES_MAX {
                templates.clear();
            }
            let template = template(profile, record, form.kind)?;
            templates.insert(key.clone(), template);
        }
        let template = templates.get(&key)?;
        let validity = time::absolute(expires);
        let mut tlvs = [0; 32];
        let own = if *takes_tlvs { &[0x02, 0x04, 0, 2, (reference >> 8) as u8, reference as u8][..] } else { &[] };
        let length = own.len() + form.tlvs.len();
        tlvs[..own.len()].copy_from_slice(own);
        tlvs[own.len()..length].copy_from_slice(form.tlvs);
        let tlvs = Tlvs::from_octets(&tlvs[..length]).unwrap_or(Tlvs::EMPTY);
        let mut digits = [0; 15];
        let segment = Segment { udh: form.udh, payload: form.octets, validity: &validity, esm_bits: 0, tlvs };
        template.write(out, sequence, record.recipient().digits(&mut digits), &segment).ok()?;
        self.spoke_at = now;
        Some(sequence)
    }
}

fn template(profile: &Profile, record: &MessageRecord, kind: Kind) -> Option<SubmitTemplate> {
    let addresses = &profile.addresses;
    let from = record.sender();
    let form = sender_address(addresses, from);
    // Names travel in the GSM default alphabet, numbers without plus.
    let mut digits = Vec::with_capacity(21);
    crate::wire::gsm::alphabet::encode(from.strip_prefix('+').unwrap_or(from), &mut digits).ok()?;
    SubmitTemplate::new(&SubmitOptions {
        source: Address { ton: form.ton, npi: form.npi, digits: &digits },
        dest_ton: addresses.destination.ton,
        dest_npi: addresses.destination.npi,
        registered_delivery: profile.registered_delivery,
        data_coding: kind.data_coding,
        protocol_id: kind.protocol_id,
        place: kind.place(),
        ..SubmitOptions::default()
    })
    .ok()
}
