//! Compose: parameters into the text, the text into octets and segments. One code path counts, prices, paces and
//! encodes. Pure; one `Composing` per worker holds the reusable buffers.

mod binary;
pub mod template;

use crate::channel::{Composer, Preview, RouteText, Size, Wanted, preview};
use crate::config;
use crate::message::{Composed, Encoding, Extras, Reference};
use crate::pipeline::accept::{Accepted, Code, EncodingChoice, Refusal, Split};
use template::{RenderFault, Template, TemplateFault, TemplateLimits};

/// A rendered text is at most so long: 64 segments of 153 characters in four octets each.
const RENDERED_MAX: usize = 40_000;

/// Buffers and the last template: the lines of a bulk mostly share one.
#[derive(Debug, Default)]
pub struct Composing {
    composer: Composer,
    template: Option<(String, Template)>,
    rendered: String,
    octets: Vec<u8>,
    header: Vec<u8>,
}

impl Composing {
    /// Composes a message for the route it will take; what comes back borrows from here until the next call.
    ///
    /// # Errors
    /// `template_error`, `missing_param`, `empty_text`, `not_gsm7`, `too_many_segments`; `invalid_value` and `too_long`
    /// for octets and headers.
    pub fn compose<'c>(&'c mut self, accepted: &Accepted<'c>, concat: config::Concat, route: &RouteText) -> Result<Composed<'c>, Refusal> {
        if accepted.encoding == EncodingChoice::Binary {
            binary::read(&accepted.form, &mut self.octets, &mut self.header)?;
            let size = self.composer.binary(&self.octets, &self.header, concat);
            return composed(accepted, &size, &self.header, concat, "/data");
        }
        let text = if accepted.text.contains("{{") {
            self.render(accepted)?;
            self.rendered.as_str()
        } else {
            accepted.text
        };
        if text.is_empty() {
            return Err(Refusal::new(Code::EmptyText, "/text", "the text is empty once its parameters are in"));
        }
        let size = self.composer.compose(text, &wanted(accepted, concat), route);
        if accepted.encoding == EncodingChoice::Gsm7 && size.encoding == Encoding::Ucs2 {
            let place = size.forced_by.map_or(0, |(_, place)| place);
            return Err(Refusal::new(Code::NotGsm7, "/text", format!("character {place} (from 0) is not in the GSM alphabet")));
        }
        composed(accepted, &size, &[], concat, "/text")
    }

    /// What a message would cost if it were composed, however long it is.
    ///
    /// # Errors
    /// `template_error`, `missing_param`, `too_many_segments` (far too long), `invalid_value` and `too_long`.
    pub fn preview(&mut self, accepted: &Accepted<'_>, concat: config::Concat, route: &RouteText) -> Result<Preview, Refusal> {
        if accepted.encoding == EncodingChoice::Binary {
            binary::read(&accepted.form, &mut self.octets, &mut self.header)?;
            return Ok(preview::of(&self.composer.binary(&self.octets, &self.header, concat)));
        }
        let text = if accepted.text.contains("{{") {
            self.render(accepted)?;
            self.rendered.as_str()
        } else {
            accepted.text
        };
        Ok(preview::preview(text, &wanted(accepted, concat), route))
    }

    fn render(&mut self, accepted: &Accepted<'_>) -> Result<(), Refusal> {
        if self.template.as_ref().is_none_or(|(source, _)| source != accepted.text) {
            let template = Template::compile(accepted.text, TemplateLimits::default()).map_err(template_fault)?;
            self.template = Some((accepted.text.to_owned(), template));
        }
        let Some((_, template)) = &self.template else { return Ok(()) };
        self.rendered.clear();
        template.render(|name| accepted.params.get(name), &mut self.rendered, RENDERED_MAX).map_err(|fault| match fault {
            RenderFault::Missing(index) => {
                let name = template.names().get(index).map_or("", |name| name);
                Refusal::new(Code::MissingParam, "/params", format!("the text names {name}, and the line does not give it"))
            }
            RenderFault::TooLong => Refusal::new(Code::TooManySegments, "/text", "too long once its parameters are in"),
        })
    }
}

/// What a believed message wants of its text.
#[must_use]
pub fn wanted<'a>(accepted: &Accepted<'a>, concat: config::Concat) -> Wanted<'a> {
    Wanted {
        split: match accepted.split {
            Split::Grapheme => config::Split::Grapheme,
            Split::Codepoint => config::Split::Codepoint,
        },
        concat,
        force_ucs2: accepted.encoding == EncodingChoice::Ucs2,
        substitute: accepted.form.substitute,
        transliterate: accepted.form.transliterate,
        mention: accepted.form.mention,
        has_class: accepted.form.message_class != 0,
    }
}

/// A message whose size is known, if it is not too long.
fn composed<'c>(
    accepted: &Accepted<'c>,
    size: &Size<'c>,
    header: &'c [u8],
    concat: config::Concat,
    pointer: &'static str,
) -> Result<Composed<'c>, Refusal> {
    if size.ends.len() > usize::from(accepted.max_segments) {
        let detail = format!("{} segments, at most {} are allowed", size.ends.len(), accepted.max_segments);
        return Err(Refusal::new(Code::TooManySegments, pointer, detail));
    }
    Ok(Composed {
        to: accepted.to,
        from: accepted.from.text,
        client_ref: accepted.client_ref,
        encoding: size.encoding,
        octets: size.octets,
        ends: size.ends,
        reference: match concat {
            config::Concat::EightBit => Reference::Narrow,
            config::Concat::SixteenBit => Reference::Wide,
        },
        class: accepted.class,
        doubt: accepted.doubt,
        lifetime: accepted.lifetime,
        line: accepted.line,
        extras: Extras {
            message_class: accepted.form.message_class,
            protocol: accepted.form.protocol,
            header,
            shift: size.shift,
            at_once: size.at_once,
            ..Extras::default()
        },
    })
}

fn template_fault(fault: TemplateFault) -> Refusal {
    Refusal::new(Code::TemplateError, "/text", fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::pipeline::accept::{AccountRules, Defaults, MessageReader, check};

    fn compose(body: &str) -> Result<(Encoding, Vec<u8>, usize), (Code, String)> {
        let (mut reader, defaults, rules) = (MessageReader::default(), Defaults::default(), AccountRules::default());
        let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
        let accepted = check(&draft, &rules, Time(0)).expect("believed");
        let mut composing = Composing::default();
        match composing.compose(&accepted, config::Concat::EightBit, &RouteText::default()) {
            Ok(composed) => Ok((composed.encoding, composed.octets.to_vec(), composed.ends.len())),
            Err(refusal) => Err((refusal.code, refusal.detail.into_owned())),
        }
    }

    #[test]
    fn parameters_fill_the_holes_and_the_alphabet_is_chosen_by_the_result() {
        let body = |name: &str| format!(r#"{{"to":"+33612345678","from":"S","text":"Hi {{{{ first }}}}!","params":{{"first":"{name}"}}}}"#);
        assert_eq!(compose(&body("Bob")), Ok((Encoding::Gsm7, b"Hi Bob!".to_vec(), 1)));
        assert_eq!(compose(&body("Łukasz")).map(|done| done.0), Ok(Encoding::Ucs2));
    }

    #[test]
    fn what_cannot_be_composed_says_why() {
        let body = |rest: &str| format!(r#"{{"to":"+33612345678","from":"S",{rest}}}"#);
        for (rest, code) in [
            (r#""text":"Hi {{first}}""#, Code::MissingParam),
            (r#""text":"Hi {{first""#, Code::TemplateError),
            (r#""text":"{{x}}","params":{"x":""}"#, Code::EmptyText),
            (r#""text":"Ł","encoding":"gsm7""#, Code::NotGsm7),
        ] {
            assert_eq!(compose(&body(rest)).expect_err(rest).0, code, "{rest}");
        }
        let long = body(&format!(r#""text":"{}","max_segments":2"#, "a".repeat(400)));
        assert_eq!(compose(&long).expect_err("long").0, Code::TooManySegments);
    }

    #[test]
    fn ucs2_can_be_asked_for() {
        let done = compose(r#"{"to":"+33612345678","from":"S","text":"Hi","encoding":"ucs2"}"#);
        assert_eq!(done, Ok((Encoding::Ucs2, vec![0, b'H', 0, b'i'], 1)));
    }
}
