//! Compose: parameters into the text, the text into octets and segments. One code path counts, prices, paces and
//! encodes. Pure; one `Composing` per worker holds the reusable buffers.

mod binary;
mod filters;
mod fit;
pub mod holes;
pub mod late;
mod script;
pub mod template;
pub mod values;
mod wording;

use crate::channel::{Composer, Preview, RouteText, Size, Wanted, preview};
use crate::config;
use crate::directory::caps::content_key;
use crate::message::{Composed, Extras, Reference};
use crate::pipeline::accept::{Accepted, EncodingChoice, Refusal, Render, Repeats, Split, Words};
use fit::Fit;
use template::is_template;
use values::{Clock, Given, Values};
use wording::Shelf;

/// Buffers and the last templates: the lines of a bulk mostly share one.
#[derive(Debug, Default)]
pub struct Composing {
    composer: Composer,
    shelf: Shelf,
    rendered: String,
    octets: Vec<u8>,
    header: Vec<u8>,
    /// What the text at hand is made from when it is made at sending; else empty.
    late: Vec<u8>,
}

impl Composing {
    /// Composes a message for the route it will take; what comes back borrows from here until the next call. Of several
    /// wordings the first is taken that fits the message's segments.
    ///
    /// # Errors
    /// `template_error`, `missing_param`, `missing_text`, `empty_text`, `not_gsm7`, `too_many_segments`; `invalid_value` and
    /// `too_long` for octets and headers.
    pub fn compose<'c>(&'c mut self, accepted: &Accepted<'c>, concat: config::Concat, route: &RouteText) -> Result<Composed<'c>, Refusal> {
        if accepted.encoding == EncodingChoice::Binary {
            binary::read(&accepted.form, &mut self.octets, &mut self.header)?;
            let size = self.composer.binary(&self.octets, &self.header, concat);
            fit::few(size.ends.len(), accepted.max_segments, "/data")?;
            return Ok(composed(accepted, &size, (&self.header, &[]), concat));
        }
        self.text(accepted, concat, route)?;
        Ok(composed(accepted, &self.composer.size(), (&[], &self.late), concat))
    }

    /// Composes the text; true when it is a template's, in `rendered`.
    fn text(&mut self, accepted: &Accepted<'_>, concat: config::Concat, route: &RouteText) -> Result<bool, Refusal> {
        let Composing { composer, shelf, rendered, late, .. } = self;
        let (words, wanted) = (&accepted.words, wanted(accepted, concat));
        let gsm_alone = accepted.encoding == EncodingChoice::Gsm7;
        let fit = Fit { wanted: &wanted, route, max_segments: accepted.max_segments, gsm_alone };
        late.clear();
        if let Words { text: Some(text), variants: None, texts: None, .. } = words
            && !is_template(text)
        {
            fit.one(composer, text)?;
            return Ok(false);
        }
        let texts = shelf.texts(words)?;
        let clock = match accepted.render {
            Render::Accept => None,
            Render::Send { moment, zone } => {
                if texts.iter().any(|text| !text.template.is_constant()) {
                    late::keep(texts, &accepted.params, &fit, zone, late)?;
                }
                Some(Clock::at(moment))
            }
        };
        let values = Values { given: Given::Params(accepted.params), clock: clock.as_ref() };
        fit.first(composer, texts, &values, rendered)?;
        Ok(true)
    }

    /// What a message would cost if it were composed.
    ///
    /// # Errors
    /// As `compose`.
    pub fn preview(&mut self, accepted: &Accepted<'_>, concat: config::Concat, route: &RouteText) -> Result<Preview, Refusal> {
        if accepted.encoding == EncodingChoice::Binary {
            binary::read(&accepted.form, &mut self.octets, &mut self.header)?;
            return Ok(preview::of(&self.composer.binary(&self.octets, &self.header, concat)));
        }
        let is_rendered = match (accepted.words.text, accepted.words.variants, accepted.words.texts) {
            // Nothing to be sent is a question all the same.
            (Some(""), None, None) => false,
            _ => self.text(accepted, concat, route)?,
        };
        let text = if is_rendered { self.rendered.as_str() } else { accepted.words.text.unwrap_or_default() };
        Ok(preview::preview(text, &wanted(accepted, concat), route))
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

/// A message whose size is known.
fn composed<'c>(accepted: &Accepted<'c>, size: &Size<'c>, (header, late): (&'c [u8], &'c [u8]), concat: config::Concat) -> Composed<'c> {
    let content = match accepted.repeats {
        Repeats::Sent => 0,
        Repeats::Guarded => content_key(size.encoding.number(), header, size.octets),
    };
    Composed {
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
            not_before: accepted.not_before,
            cancel_key: accepted.cancel_key,
            campaign: accepted.campaign,
            consent_ref: accepted.consent_ref,
            zone: accepted.zone,
            region: accepted.region,
            message_class: accepted.form.message_class,
            protocol: accepted.form.protocol,
            header,
            shift: size.shift,
            at_once: size.at_once,
            content,
            late,
            spelling: size.spelling,
            changed: size.changed,
            // Of the route, which this does not know.
            price: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::message::Encoding;
    use crate::pipeline::accept::{AccountRules, Code, Defaults, MessageReader, check};

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
    fn under_a_guard_a_message_carries_the_hash_of_what_the_handset_gets() {
        let content = |text: &str, repeats| {
            let body = format!(r#"{{"to":"+33612345678","from":"S","text":"{text}","params":{{"n":"1"}}}}"#);
            let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
            let rules = AccountRules { repeats, ..AccountRules::default() };
            let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
            let accepted = check(&draft, &rules, Time(0)).expect("believed");
            let mut composing = Composing::default();
            composing.compose(&accepted, config::Concat::EightBit, &RouteText::default()).expect("composed").extras.content
        };
        assert_eq!(content("code 1", Repeats::Sent), 0);
        assert_eq!(content("code 1", Repeats::Guarded), content("code {{ n }}", Repeats::Guarded));
        assert_ne!(content("code 1", Repeats::Guarded), content("code 2", Repeats::Guarded));
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

    fn text_of(body: &str) -> Result<String, (Code, String)> {
        compose(body).map(|(_, octets, _)| String::from_utf8(octets).expect("GSM letters that ASCII has"))
    }

    #[test]
    fn of_several_texts_the_first_that_fits_is_taken() {
        let body = |name: &str, most: u8| {
            format!(
                r#"{{"to":"+33612345678","from":"S","variants":["Dear {{{{ name|upper }}}}, {}","Hi {{{{name}}}}"],
                "params":{{"name":"{name}"}},"max_segments":{most}}}"#,
                "x".repeat(150)
            )
        };
        assert!(text_of(&body("Al", 1)).expect("fits").starts_with("Dear AL, xxx"));
        assert_eq!(text_of(&body("Alexander the third", 1)).as_deref(), Ok("Hi Alexander the third"));
        assert!(text_of(&body("Alexander the third", 2)).expect("fits").starts_with("Dear ALEX"));
        assert_eq!(text_of(&body(&"n".repeat(200), 1)).expect_err("long").0, Code::TooManySegments);
    }

    #[test]
    fn the_text_of_the_locale_is_taken_or_of_its_language_or_the_one_for_all() {
        let body = |locale: &str, rest: &str| {
            format!(r#"{{"to":"+33612345678","from":"S","texts":{{"fr":["Bonjour"],"pt-BR":"Oi","pt":"Ola"}},"locale":"{locale}"{rest}}}"#)
        };
        for (locale, text) in [("fr", "Bonjour"), ("fr_CA", "Bonjour"), ("pt-br", "Oi"), ("pt-PT", "Ola"), ("en", "Hello")] {
            assert_eq!(text_of(&body(locale, r#","text":"Hello""#)).as_deref(), Ok(text), "{locale}");
        }
        assert_eq!(text_of(&body("en", "")).expect_err("no text").0, Code::MissingText);
    }

    #[test]
    fn a_wrong_template_is_told_with_its_line_and_column() {
        for (text, detail) in [
            ("Hi\\nyou {{ a|shout }}", "line 2, column 10: there is no filter"),
            ("Hi {{first", "line 1, column 4: a hole of the template is not closed"),
            ("é {% for x in y %}{% endfor %}", "line 1, column 5: statements are"),
        ] {
            let body = format!(r#"{{"to":"+33612345678","from":"S","text":"{text}"}}"#);
            let (code, told) = compose(&body).expect_err(text);
            assert_eq!((code, told.get(..detail.len())), (Code::TemplateError, Some(detail)), "{told}");
        }
        let body = r#"{"to":"+33612345678","from":"S","variants":["a","{{ b|c }}"]}"#;
        assert_eq!(compose(body).expect_err("wrong").0, Code::TemplateError);
        for rest in [r#""variants":[]"#, r#""variants":[1]"#, r#""texts":[]"#, r#""texts":{"a b":"x"}"#, r#""variants":["a"],"text":"b""#] {
            let body = format!(r#"{{"to":"+33612345678","from":"S",{rest}}}"#);
            let (mut reader, defaults, rules) = (MessageReader::default(), Defaults::default(), AccountRules::default());
            let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
            let refused = check(&draft, &rules, Time(0))
                .and_then(|accepted| Composing::default().compose(&accepted, config::Concat::EightBit, &RouteText::default()).map(|_| ()));
            assert!(refused.is_err(), "{rest}");
        }
    }

    #[test]
    fn ucs2_can_be_asked_for() {
        let done = compose(r#"{"to":"+33612345678","from":"S","text":"Hi","encoding":"ucs2"}"#);
        assert_eq!(done, Ok((Encoding::Ucs2, vec![0, b'H', 0, b'i'], 1)));
    }
}
