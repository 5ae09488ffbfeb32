//! A part of a message as a carrier wants it on the wire: alphabet, packing, header, parameters, data_coding. In: the
//! record (septets, UTF-16 or octets, as composed) and the carrier's profile. Out: what goes into submit_sm, byte for
//! byte. What is common (GSM 7-bit unpacked, UCS-2, joined by headers) is borrowed and copies nothing.
//!
//! Nothing fails: a record composed for another carrier (the route was changed since) still finds a form. What this
//! carrier's own alphabet lacks goes as UCS-2; what is longer than short_message holds goes as message_payload.

use super::profile::Profile;
use crate::config::{Alphabet, BinaryCoding, ClassForm, Joining};
use crate::message::record::MessageRecord;
use crate::message::{Encoding, Reference};
use crate::wire::gsm::national::{self, HEADER_OCTETS_MAX, Language, Tables};
use crate::wire::gsm::udh::Concat;
use crate::wire::gsm::{ConcatRef, septet, ucs2};
use crate::wire::smpp::template::Place;
use crate::wire::smpp::tlv::tag;

/// Octets of user data in a message; the longest header.
const HEADER_MAX: usize = 140;

/// Octets short_message holds (SMPP 3.4 §5.2.22).
const SHORT_MESSAGE_MAX: usize = 254;

/// The longest parameters of a part: SAR and dest_addr_subunit.
const TLVS_MAX: usize = 6 + 5 + 5 + 5;

/// What all parts share that one template can write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kind {
    pub(super) data_coding: u8,
    pub(super) protocol_id: u8,
    pub(super) is_payload: bool,
}

impl Kind {
    pub(super) fn place(self) -> Place {
        if self.is_payload { Place::Payload } else { Place::ShortMessage }
    }
}

/// One part, borrowed from its record or from [`Forming`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Form<'a> {
    pub(super) kind: Kind,
    /// The header with its length octet, or nothing.
    pub(super) udh: &'a [u8],
    /// What comes behind it.
    pub(super) octets: &'a [u8],
    /// Parameters of this part, as octets.
    pub(super) tlvs: &'a [u8],
}

/// Buffers; one a session.
#[derive(Debug)]
pub(super) struct Forming {
    header: [u8; HEADER_MAX],
    tlvs: [u8; TLVS_MAX],
    octets: Vec<u8>,
    text: String,
}

impl Default for Forming {
    fn default() -> Forming {
        Forming { header: [0; HEADER_MAX], tlvs: [0; TLVS_MAX], octets: Vec::new(), text: String::new() }
    }
}

/// The forms the octets of a message can take here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// As they are in the record.
    AsComposed,
    /// Septets, packed.
    Packed,
    /// One octet a character.
    Narrow,
    /// UTF-16, because the carrier's alphabet lacks a character of the text.
    Widened,
}

impl Forming {
    /// The form of one part. `reference` joins the parts.
    pub(super) fn form<'a>(&'a mut self, profile: &Profile, record: &'a MessageRecord, part: u8, reference: u16) -> Form<'a> {
        let (encoding, tables) = (record.encoded(), tables_of(record));
        let shape = self.shape(profile, record, encoding, tables);
        let count = record.count();
        // Parameters that join and a header are not mixed (SMPP 3.4 §5.3.2.22).
        let is_sar = count > 1 && profile.joining == Joining::Sar && record.header.is_empty() && tables == Tables::DEFAULT;
        let concat = (count > 1 && !is_sar).then(|| Concat {
            width: match record.joined_by() {
                Reference::Narrow => ConcatRef::Bits8,
                Reference::Wide => ConcatRef::Bits16,
            },
            reference,
            total: count,
            sequence: part + 1,
        });
        let tables = if shape == Shape::Widened { Tables::DEFAULT } else { tables };
        let header_length = header(concat, &record.header, tables, &mut self.header);
        let sar = is_sar.then_some((reference, count, part + 1));
        let subunit = if profile.message_class_as == ClassForm::Subunit { record.message_class as u8 } else { 0 };
        let tlvs_length = parameters(sar, subunit, &mut self.tlvs);
        let octets = match shape {
            Shape::AsComposed => record.part(part),
            _ => {
                self.reshape(shape, record.part(part), tables_of(record), header_length);
                &self.octets
            }
        };
        let is_payload = record.at_once > 0 || header_length + octets.len() > SHORT_MESSAGE_MAX;
        let encoding = if shape == Shape::Widened { Encoding::Ucs2 } else { encoding };
        let data_coding = data_coding(profile, encoding, record.message_class as u8);
        let kind = Kind { data_coding, protocol_id: record.protocol as u8, is_payload };
        Form { kind, udh: &self.header[..header_length], octets, tlvs: &self.tlvs[..tlvs_length] }
    }

    /// All parts of a text have one shape, so the whole text is looked at.
    fn shape(&mut self, profile: &Profile, record: &MessageRecord, encoding: Encoding, tables: Tables) -> Shape {
        if encoding != Encoding::Gsm7 {
            return Shape::AsComposed;
        }
        let last = match profile.alphabet {
            Alphabet::Gsm7 => return Shape::AsComposed,
            Alphabet::Gsm7Packed => return Shape::Packed,
            // data_coding says GSM then, whatever the carrier's own alphabet is.
            _ if data_coding(profile, encoding, record.message_class as u8) != 0 => return Shape::AsComposed,
            Alphabet::Latin1 => '\u{FF}',
            Alphabet::Ascii => '\u{7F}',
        };
        self.text.clear();
        national::decode(&record.octets, tables, &mut self.text);
        if self.text.chars().all(|c| c <= last) { Shape::Narrow } else { Shape::Widened }
    }

    fn reshape(&mut self, shape: Shape, septets: &[u8], tables: Tables, header_length: usize) {
        self.octets.clear();
        if shape == Shape::Packed {
            return septet::pack(septets, header_length, &mut self.octets);
        }
        self.text.clear();
        national::decode(septets, tables, &mut self.text);
        match shape {
            Shape::Narrow => self.octets.extend(self.text.chars().map(|c| c as u8)),
            _ => ucs2::encode(&self.text, &mut self.octets),
        }
    }
}

/// The national tables of a record.
fn tables_of(record: &MessageRecord) -> Tables {
    let [locking, single] = (record.shift as u16).to_be_bytes();
    Tables { locking: Language::of_id(locking), single: Language::of_id(single) }
}

/// Writes the whole header, length octet first: concatenation, what the customer gave, national tables. Its length, 0
/// when there is nothing to say.
fn header(concat: Option<Concat>, own: &[u8], tables: Tables, buffer: &mut [u8; HEADER_MAX]) -> usize {
    let mut ours = [0; HEADER_OCTETS_MAX];
    let ours = tables.header(concat, &mut ours);
    let own = own.get(1..).unwrap_or_default();
    let length = ours.len().max(usize::from(!own.is_empty())) + own.len();
    if length == 0 || length > HEADER_MAX {
        return 0;
    }
    // What the customer gave comes last: the concatenation is first, as every handset expects it.
    buffer[..ours.len()].copy_from_slice(ours);
    buffer[length - own.len()..length].copy_from_slice(own);
    buffer[0] = (length - 1) as u8;
    length
}

/// Writes what goes into parameters; its length.
fn parameters(sar: Option<(u16, u8, u8)>, subunit: u8, buffer: &mut [u8; TLVS_MAX]) -> usize {
    let mut length = 0;
    let mut put = |tag: u16, value: &[u8]| {
        let ([high, low], size) = (tag.to_be_bytes(), value.len() as u8);
        buffer[length..length + 4].copy_from_slice(&[high, low, 0, size]);
        buffer[length + 4..length + 4 + value.len()].copy_from_slice(value);
        length += 4 + value.len();
    };
    if let Some((reference, total, place)) = sar {
        put(tag::SAR_MSG_REF_NUM, &reference.to_be_bytes());
        put(tag::SAR_TOTAL_SEGMENTS, &[total]);
        put(tag::SAR_SEGMENT_SEQNUM, &[place]);
    }
    // 1 the display, 2 the equipment, 3 the card, 4 something attached: the classes 0 to 3 in their order.
    if subunit != 0 {
        put(tag::DEST_ADDR_SUBUNIT, &[subunit]);
    }
    length
}

/// `class` is the message class plus one; 0 none.
fn data_coding(profile: &Profile, encoding: Encoding, class: u8) -> u8 {
    let class = if profile.message_class_as == ClassForm::Subunit { None } else { class.checked_sub(1) };
    match (encoding, class, profile.message_class_as) {
        (Encoding::Gsm7, None, _) => 0x00,
        (Encoding::Gsm7, Some(class), ClassForm::Group) => 0xF0 | class,
        (Encoding::Gsm7, Some(class), _) => 0x10 | class,
        (Encoding::Ucs2, None, _) => 0x08,
        (Encoding::Ucs2, Some(class), _) => 0x18 | class,
        (Encoding::Binary, None, _) => match profile.binary_as {
            BinaryCoding::Octets => 0x04,
            BinaryCoding::Class1 => 0xF5,
        },
        (Encoding::Binary, Some(class), ClassForm::Group) => 0xF4 | class,
        (Encoding::Binary, Some(class), _) => 0x14 | class,
    }
}
