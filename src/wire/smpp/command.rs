//! The command identifiers of SMPP 3.4 §5.1.2.1 and 5.0 §4.7.5, and what kind of PDU each names.
//!
//! Numbers only: an identifier we do not know is kept as the number it is, because its sequence is echoed in a
//! generic_nack.

/// Set in the identifier of every response.
pub const RESPONSE: u32 = 0x8000_0000;

/// generic_nack, the answer to what cannot be answered otherwise.
pub const GENERIC_NACK: u32 = 0x8000_0000;
/// bind_receiver.
pub const BIND_RECEIVER: u32 = 0x0000_0001;
/// bind_receiver_resp.
pub const BIND_RECEIVER_RESP: u32 = 0x8000_0001;
/// bind_transmitter.
pub const BIND_TRANSMITTER: u32 = 0x0000_0002;
/// bind_transmitter_resp.
pub const BIND_TRANSMITTER_RESP: u32 = 0x8000_0002;
/// query_sm.
pub const QUERY_SM: u32 = 0x0000_0003;
/// query_sm_resp.
pub const QUERY_SM_RESP: u32 = 0x8000_0003;
/// submit_sm.
pub const SUBMIT_SM: u32 = 0x0000_0004;
/// submit_sm_resp.
pub const SUBMIT_SM_RESP: u32 = 0x8000_0004;
/// deliver_sm.
pub const DELIVER_SM: u32 = 0x0000_0005;
/// deliver_sm_resp.
pub const DELIVER_SM_RESP: u32 = 0x8000_0005;
/// unbind.
pub const UNBIND: u32 = 0x0000_0006;
/// unbind_resp.
pub const UNBIND_RESP: u32 = 0x8000_0006;
/// replace_sm.
pub const REPLACE_SM: u32 = 0x0000_0007;
/// replace_sm_resp.
pub const REPLACE_SM_RESP: u32 = 0x8000_0007;
/// cancel_sm.
pub const CANCEL_SM: u32 = 0x0000_0008;
/// cancel_sm_resp.
pub const CANCEL_SM_RESP: u32 = 0x8000_0008;
/// bind_transceiver.
pub const BIND_TRANSCEIVER: u32 = 0x0000_0009;
/// bind_transceiver_resp.
pub const BIND_TRANSCEIVER_RESP: u32 = 0x8000_0009;
/// outbind.
pub const OUTBIND: u32 = 0x0000_000B;
/// enquire_link.
pub const ENQUIRE_LINK: u32 = 0x0000_0015;
/// enquire_link_resp.
pub const ENQUIRE_LINK_RESP: u32 = 0x8000_0015;
/// submit_multi.
pub const SUBMIT_MULTI: u32 = 0x0000_0021;
/// submit_multi_resp.
pub const SUBMIT_MULTI_RESP: u32 = 0x8000_0021;
/// alert_notification; it has no response.
pub const ALERT_NOTIFICATION: u32 = 0x0000_0102;
/// data_sm.
pub const DATA_SM: u32 = 0x0000_0103;
/// data_sm_resp.
pub const DATA_SM_RESP: u32 = 0x8000_0103;

/// Whether `command` is a response (generic_nack included): a response is never answered.
#[must_use]
pub const fn is_response(command: u32) -> bool {
    command & RESPONSE != 0
}

/// The response of a request, or generic_nack for requests that have none of their own (outbind,
/// alert_notification) and for commands this codec does not know.
#[must_use]
pub const fn response_of(command: u32) -> u32 {
    if is_known(command) && !is_response(command) && command != OUTBIND && command != ALERT_NOTIFICATION {
        command | RESPONSE
    } else {
        GENERIC_NACK
    }
}

/// Whether this codec decodes the body of `command`. The broadcast commands of 5.0 are not among them.
#[must_use]
pub const fn is_known(command: u32) -> bool {
    match command {
        OUTBIND | ALERT_NOTIFICATION | GENERIC_NACK => true,
        _ => matches!(
            command & !RESPONSE,
            BIND_RECEIVER
                | BIND_TRANSMITTER
                | QUERY_SM
                | SUBMIT_SM
                | DELIVER_SM
                | UNBIND
                | REPLACE_SM
                | CANCEL_SM
                | BIND_TRANSCEIVER
                | ENQUIRE_LINK
                | SUBMIT_MULTI
                | DATA_SM
        ),
    }
}

/// The name in the specification, for logs and metrics; `unknown` for what this codec does not decode.
#[must_use]
pub const fn name(command: u32) -> &'static str {
    match command {
        GENERIC_NACK => "generic_nack",
        BIND_RECEIVER => "bind_receiver",
        BIND_RECEIVER_RESP => "bind_receiver_resp",
        BIND_TRANSMITTER => "bind_transmitter",
        BIND_TRANSMITTER_RESP => "bind_transmitter_resp",
        QUERY_SM => "query_sm",
        QUERY_SM_RESP => "query_sm_resp",
        SUBMIT_SM => "submit_sm",
        SUBMIT_SM_RESP => "submit_sm_resp",
        DELIVER_SM => "deliver_sm",
        DELIVER_SM_RESP => "deliver_sm_resp",
        UNBIND => "unbind",
        UNBIND_RESP => "unbind_resp",
        REPLACE_SM => "replace_sm",
        REPLACE_SM_RESP => "replace_sm_resp",
        CANCEL_SM => "cancel_sm",
        CANCEL_SM_RESP => "cancel_sm_resp",
        BIND_TRANSCEIVER => "bind_transceiver",
        BIND_TRANSCEIVER_RESP => "bind_transceiver_resp",
        OUTBIND => "outbind",
        ENQUIRE_LINK => "enquire_link",
        ENQUIRE_LINK_RESP => "enquire_link_resp",
        SUBMIT_MULTI => "submit_multi",
        SUBMIT_MULTI_RESP => "submit_multi_resp",
        ALERT_NOTIFICATION => "alert_notification",
        DATA_SM => "data_sm",
        DATA_SM_RESP => "data_sm_resp",
        _ => "unknown",
    }
}
