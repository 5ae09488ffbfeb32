//! The body of one message: one JSON object, whole in memory.

use std::fmt;

use crate::pipeline::accept::desk::{trim_json, utf8};
use crate::pipeline::accept::draft::{Defaults, Draft, Role, Stores, Values};
use crate::pipeline::accept::fault::{BodyFault, Code, Refusal, Source};
use crate::pipeline::accept::object;

/// Reads single messages; keeps its buffers from one to the next.
#[derive(Default)]
pub struct MessageReader {
    values: Values,
    scratch: String,
}

impl MessageReader {
    /// Reads a body of at most `bytes_max` octets (of which memory of the same size may be needed).
    ///
    /// # Errors
    /// What is wrong with it; the pointer is into the body.
    pub fn read<'a>(&'a mut self, body: &'a [u8], defaults: &'a Defaults, bytes_max: usize) -> Result<Draft<'a>, BodyFault> {
        if body.len() > bytes_max {
            return Err(BodyFault::new(Code::PayloadTooLarge, "", format!("at most {bytes_max} octets")));
        }
        let text = self.text(body).map_err(|refusal| BodyFault::at("", refusal))?;
        Ok(self.values.draft(0, Source::Single, Stores { line: text, scratch: &self.scratch, names: "" }, defaults))
    }

    fn text<'b>(&mut self, body: &'b [u8]) -> Result<&'b str, Refusal> {
        let text = utf8(body)?;
        let text = trim_json(text.strip_prefix('\u{FEFF}').unwrap_or(text));
        let end = object::read(text, &mut self.values, &mut self.scratch, Role::Entry)?;
        if end != text.len() {
            return Err(Refusal::new(Code::MalformedJson, "", "there is something after the object"));
        }
        Ok(text)
    }
}

/// Debug shows nothing of the body.
impl fmt::Debug for MessageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader").finish_non_exhaustive()
    }
}
