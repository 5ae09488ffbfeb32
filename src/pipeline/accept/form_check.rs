//! Whether what an entry says of its form goes together, and whether the account may ask for it.

use crate::config::ProtocolId;
use crate::pipeline::accept::draft::Draft;
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::fields::EncodingChoice;
use crate::pipeline::accept::form::{Form, SILENT};

/// What a draft wants, if it goes together and the account may ask for it.
///
/// # Errors
/// `missing_text` (octets are missing), `conflicting_fields`, `protocol_not_allowed`.
pub(super) fn check<'a>(draft: &Draft<'a>, encoding: EncodingChoice, allowed: &[ProtocolId]) -> Result<Form<'a>, Refusal> {
    let options = &draft.options;
    let conflict = |pointer: &'static str, detail: &'static str| Err(Refusal::new(Code::ConflictingFields, pointer, detail));
    if encoding == EncodingChoice::Binary {
        if draft.words.has_text() {
            return conflict("/text", "binary messages have data in place of a text");
        }
        if draft.data.is_none_or(str::is_empty) {
            return Err(Refusal::new(Code::MissingText, "/data", "expected octets in hexadecimal or base64"));
        }
    } else {
        let only = "only with the encoding binary";
        let given = [("/data", draft.data.is_some()), ("/udh", draft.udh.is_some()), ("/ports", options.ports.is_some())];
        if let Some((pointer, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
            return conflict(pointer, only);
        }
    }
    if draft.udh.is_some() && options.ports.is_some() {
        return conflict("/ports", "udh says the ports already");
    }
    let protocol = options.protocol_id.unwrap_or(0);
    let needs = if protocol == SILENT { ProtocolId::Silent } else { ProtocolId::Replace };
    if protocol != 0 && !allowed.contains(&needs) {
        return Err(Refusal::new(Code::ProtocolNotAllowed, "/protocol_id", "the account may not ask for it"));
    }
    Ok(Form {
        data: draft.data,
        udh: draft.udh,
        ports: options.ports,
        message_class: options.message_class.unwrap_or(0),
        protocol,
        ..Form::default()
    })
}
