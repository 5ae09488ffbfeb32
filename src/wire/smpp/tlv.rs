//! Optional parameters: tag, length, value (SMPP 3.4 §3.2.4), read in place.
//!
//! Unknown tags are kept (vendor tags 0x1400-0x3FFF carry what regulators ask for); duplicates are kept, and the first
//! one is the one that counts. At most [`MAX`] in one PDU.

use std::fmt;

/// The most optional parameters one PDU may carry.
pub const MAX: usize = 64;

macro_rules! tags {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        /// The tags of SMPP 3.4 §5.3.2 and 5.0 §4.8.4.
        pub mod tag {
            $(#[doc = $text] pub const $name: u16 = $value;)*
        }
        /// The name of a tag in the specification; `None` for vendor and unknown tags.
        #[must_use]
        pub const fn name(tag: u16) -> Option<&'static str> {
            match tag { $($value => Some($text),)* _ => None }
        }
    };
}

tags! {
    DEST_ADDR_SUBUNIT = 0x0005, "dest_addr_subunit";
    DEST_NETWORK_TYPE = 0x0006, "dest_network_type";
    DEST_BEARER_TYPE = 0x0007, "dest_bearer_type";
    DEST_TELEMATICS_ID = 0x0008, "dest_telematics_id";
    SOURCE_ADDR_SUBUNIT = 0x000D, "source_addr_subunit";
    SOURCE_NETWORK_TYPE = 0x000E, "source_network_type";
    SOURCE_BEARER_TYPE = 0x000F, "source_bearer_type";
    SOURCE_TELEMATICS_ID = 0x0010, "source_telematics_id";
    QOS_TIME_TO_LIVE = 0x0017, "qos_time_to_live";
    PAYLOAD_TYPE = 0x0019, "payload_type";
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D, "additional_status_info_text";
    RECEIPTED_MESSAGE_ID = 0x001E, "receipted_message_id";
    MS_MSG_WAIT_FACILITIES = 0x0030, "ms_msg_wait_facilities";
    PRIVACY_INDICATOR = 0x0201, "privacy_indicator";
    SOURCE_SUBADDRESS = 0x0202, "source_subaddress";
    DEST_SUBADDRESS = 0x0203, "dest_subaddress";
    USER_MESSAGE_REFERENCE = 0x0204, "user_message_reference";
    USER_RESPONSE_CODE = 0x0205, "user_response_code";
    SOURCE_PORT = 0x020A, "source_port";
    DESTINATION_PORT = 0x020B, "destination_port";
    SAR_MSG_REF_NUM = 0x020C, "sar_msg_ref_num";
    LANGUAGE_INDICATOR = 0x020D, "language_indicator";
    SAR_TOTAL_SEGMENTS = 0x020E, "sar_total_segments";
    SAR_SEGMENT_SEQNUM = 0x020F, "sar_segment_seqnum";
    SC_INTERFACE_VERSION = 0x0210, "sc_interface_version";
    CALLBACK_NUM_PRES_IND = 0x0302, "callback_num_pres_ind";
    CALLBACK_NUM_ATAG = 0x0303, "callback_num_atag";
    NUMBER_OF_MESSAGES = 0x0304, "number_of_messages";
    CALLBACK_NUM = 0x0381, "callback_num";
    DPF_RESULT = 0x0420, "dpf_result";
    SET_DPF = 0x0421, "set_dpf";
    MS_AVAILABILITY_STATUS = 0x0422, "ms_availability_status";
    NETWORK_ERROR_CODE = 0x0423, "network_error_code";
    MESSAGE_PAYLOAD = 0x0424, "message_payload";
    DELIVERY_FAILURE_REASON = 0x0425, "delivery_failure_reason";
    MORE_MESSAGES_TO_SEND = 0x0426, "more_messages_to_send";
    MESSAGE_STATE = 0x0427, "message_state";
    CONGESTION_STATE = 0x0428, "congestion_state";
    USSD_SERVICE_OP = 0x0501, "ussd_service_op";
    BROADCAST_CHANNEL_INDICATOR = 0x0600, "broadcast_channel_indicator";
    BROADCAST_CONTENT_TYPE = 0x0601, "broadcast_content_type";
    BROADCAST_CONTENT_TYPE_INFO = 0x0602, "broadcast_content_type_info";
    BROADCAST_MESSAGE_CLASS = 0x0603, "broadcast_message_class";
    BROADCAST_REP_NUM = 0x0604, "broadcast_rep_num";
    BROADCAST_FREQUENCY_INTERVAL = 0x0605, "broadcast_frequency_interval";
    BROADCAST_AREA_IDENTIFIER = 0x0606, "broadcast_area_identifier";
    BROADCAST_ERROR_STATUS = 0x0607, "broadcast_error_status";
    BROADCAST_AREA_SUCCESS = 0x0608, "broadcast_area_success";
    BROADCAST_END_TIME = 0x0609, "broadcast_end_time";
    BROADCAST_SERVICE_GROUP = 0x060A, "broadcast_service_group";
    BILLING_IDENTIFICATION = 0x060B, "billing_identification";
    SOURCE_NETWORK_ID = 0x060D, "source_network_id";
    DEST_NETWORK_ID = 0x060E, "dest_network_id";
    SOURCE_NODE_ID = 0x060F, "source_node_id";
    DEST_NODE_ID = 0x0610, "dest_node_id";
    DEST_ADDR_NP_RESOLUTION = 0x0611, "dest_addr_np_resolution";
    DEST_ADDR_NP_INFORMATION = 0x0612, "dest_addr_np_information";
    DEST_ADDR_NP_COUNTRY = 0x0613, "dest_addr_np_country";
    DISPLAY_TIME = 0x1201, "display_time";
    SMS_SIGNAL = 0x1203, "sms_signal";
    MS_VALIDITY = 0x1204, "ms_validity";
    ALERT_ON_MESSAGE_DELIVERY = 0x130C, "alert_on_message_delivery";
    ITS_REPLY_TYPE = 0x1380, "its_reply_type";
    ITS_SESSION_INFO = 0x1383, "its_session_info";
}

/// One optional parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlv<'a> {
    /// See [`tag`].
    pub tag: u16,
    /// Up to 65,535 octets, uninterpreted.
    pub value: &'a [u8],
}

/// The optional parameters of one PDU, as they were sent. Whole by construction: every length in it fits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Tlvs<'a>(&'a [u8]);

/// Why octets are not a list of optional parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadTlvs {
    /// A length points beyond the end.
    Length,
    /// One to three octets left over, too few for another parameter.
    Leftover,
    /// More than [`MAX`].
    TooMany,
}

impl<'a> Tlvs<'a> {
    /// None at all.
    pub const EMPTY: Tlvs<'static> = Tlvs(&[]);

    /// Octets that are parameters one after the other; `None` when a length does not fit or there are over [`MAX`].
    #[must_use]
    pub fn from_octets(octets: &'a [u8]) -> Option<Tlvs<'a>> {
        Tlvs::check(octets).ok().map(|_| Tlvs(octets))
    }

    /// The parameters at the front of `octets` and what is wrong with the rest, if anything is.
    pub(super) fn read(octets: &'a [u8]) -> (Tlvs<'a>, Option<BadTlvs>) {
        match Tlvs::check(octets) {
            Ok(()) => (Tlvs(octets), None),
            Err((good, bad)) => (Tlvs(&octets[..good]), Some(bad)),
        }
    }

    #[inline]
    fn check(octets: &[u8]) -> Result<(), (usize, BadTlvs)> {
        let (mut at, mut count) = (0, 0);
        while at < octets.len() {
            let Some(&[_, _, high, low]) = octets[at..].first_chunk::<4>() else { return Err((at, BadTlvs::Leftover)) };
            let next = at + 4 + usize::from(u16::from_be_bytes([high, low]));
            if next > octets.len() {
                return Err((at, BadTlvs::Length));
            }
            if count == MAX {
                return Err((at, BadTlvs::TooMany));
            }
            (at, count) = (next, count + 1);
        }
        Ok(())
    }

    /// The octets themselves, to store or pass on unchanged.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them in order, duplicates included.
    pub fn iter(&self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The value of the first with this tag (duplicates happen: the first counts, `pdus.json` bad-10).
    #[must_use]
    #[inline]
    pub fn get(&self, tag: u16) -> Option<&'a [u8]> {
        self.iter().find(|t| t.tag == tag).map(|t| t.value)
    }

    /// The first with this tag as a big-endian number of 1 to 4 octets; `None` if absent or of another length. The
    /// length is not held against the peer: source_telematics_id is one octet in the specification and two in four
    /// well-known libraries.
    #[must_use]
    pub fn number(&self, tag: u16) -> Option<u32> {
        let value = self.get(tag)?;
        (1..=4).contains(&value.len()).then(|| value.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// The first with this tag as a string: up to its first NUL, which some peers leave away.
    #[must_use]
    pub fn string(&self, tag: u16) -> Option<&'a [u8]> {
        let value = self.get(tag)?;
        Some(&value[..value.iter().position(|b| *b == 0).unwrap_or(value.len())])
    }
}

impl fmt::Debug for Tlvs<'_> {
    /// Tags and lengths only: a value may be somebody's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|t| (t.tag, t.value.len()))).finish()
    }
}

impl<'a> IntoIterator for &Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// See [`Tlvs::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Tlv<'a>;
    #[inline]
    fn next(&mut self) -> Option<Tlv<'a>> {
        let (&[a, b, high, low], rest) = self.0.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some(Tlv { tag: u16::from_be_bytes([a, b]), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_duplicates_counts_and_all_are_kept() {
        let octets = [0x02, 0x04, 0, 2, 0, 1, 0x02, 0x04, 0, 2, 0, 9, 0x13, 0x0C, 0, 0];
        let tlvs = Tlvs::from_octets(&octets).unwrap();
        assert_eq!(tlvs.number(tag::USER_MESSAGE_REFERENCE), Some(1));
        assert_eq!(tlvs.get(tag::ALERT_ON_MESSAGE_DELIVERY), Some(&[][..]));
        assert_eq!(tlvs.number(tag::ALERT_ON_MESSAGE_DELIVERY), None);
        assert_eq!(tlvs.iter().count(), 3);
    }

    #[test]
    fn source_telematics_id_is_read_with_one_octet_and_with_two() {
        assert_eq!(Tlvs::from_octets(&[0, 0x10, 0, 1, 5]).unwrap().number(tag::SOURCE_TELEMATICS_ID), Some(5));
        assert_eq!(Tlvs::from_octets(&[0, 0x10, 0, 2, 0, 5]).unwrap().number(tag::SOURCE_TELEMATICS_ID), Some(5));
    }

    #[test]
    fn lengths_that_do_not_fit_and_more_than_64_are_refused() {
        assert!(Tlvs::from_octets(&[2, 4, 0, 3, 0]).is_none());
        assert!(Tlvs::from_octets(&[2, 4, 0xFF, 0xFF, 0]).is_none());
        assert!(Tlvs::from_octets(&[2, 4, 0]).is_none());
        assert!(Tlvs::from_octets(&[2, 4, 0, 0].repeat(MAX)).is_some());
        assert!(Tlvs::from_octets(&[2, 4, 0, 0].repeat(MAX + 1)).is_none());
        assert!(Tlvs::from_octets(&[2, 4, 0, 0].repeat(10_000)).is_none());
    }

    #[test]
    fn a_string_ends_at_its_nul_or_without_one() {
        assert_eq!(Tlvs::from_octets(&[0, 0x1E, 0, 3, b'7', b'7', 0]).unwrap().string(0x1E), Some(&b"77"[..]));
        assert_eq!(Tlvs::from_octets(&[0, 0x1E, 0, 2, b'7', b'7']).unwrap().string(0x1E), Some(&b"77"[..]));
    }
}
