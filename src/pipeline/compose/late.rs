//! Texts that are made when they are sent (`docs/adr/0021-late-binding.md`). In, at acceptance: wordings, values, and what
//! the text has to fit; out: octets for the record, bounded. In, at each lease: the record and a moment; out: the record
//! with the text of that moment, or why there is none. The same record and moment give the same text.

use super::filters;
use super::fit::Fit;
use super::template::Template;
use super::values::{Clock, Given, Values};
use super::wording::Wording;
use crate::channel::{Composer, Wanted};
use crate::config::limits::LATE_BYTES_MAX;
use crate::directory::caps::content_key;
use crate::message::record::MessageRecord;
use crate::message::{LateText, Moment, Reason, Rendering};
use crate::pipeline::accept::{Code, Params, Refusal};
use bytes::Bytes;

/// Texts read last: the messages of a bulk share one.
const KEPT: usize = 8;
/// Reading a text with filters costs as much as making so many octets of others: some 30 microseconds.
const READ_COST: usize = 2 * 1_024;

/// Puts what a text is made from into `out`.
///
/// # Errors
/// `too_long`.
pub(super) fn keep(wordings: &[Wording], params: &Params<'_>, fit: &Fit<'_>, zone: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut form = Vec::new();
    fit.wanted.keep(fit.route, &mut form);
    let text = LateText {
        texts: wordings.iter().map(|wording| wording.source.to_string()).collect(),
        params: params.iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect(),
        max_segments: u32::from(fit.max_segments),
        gsm_alone: fit.gsm_alone,
        form: form.into(),
        zone: zone.to_owned(),
    };
    text.write(out);
    if out.len() > LATE_BYTES_MAX {
        let detail = format!("texts and parameters of {} octets, at most {LATE_BYTES_MAX} are kept until a message is sent", out.len());
        return Err(Refusal::new(Code::TooLong, "/render", detail));
    }
    Ok(())
}

/// Makes texts when they are sent; one a desk.
#[derive(Debug, Default)]
pub struct Renderer {
    composer: Composer,
    rendered: String,
    shelf: Vec<Vec<Wording>>,
    /// See [`Renderer::take_cost`].
    cost: usize,
}

impl Renderer {
    /// The record of a message with the text of a moment, and what came out.
    ///
    /// # Errors
    /// `TooManySegments`; `NotRendered` for everything else, also for a record that cannot be read.
    pub fn render(&mut self, record: &MessageRecord, text: &LateText, moment: Moment) -> Result<(MessageRecord, Rendering), Reason> {
        let (wanted, route) = Wanted::kept(&text.form).ok_or(Reason::NotRendered)?;
        let max_segments = u8::try_from(text.max_segments).map_err(|_| Reason::NotRendered)?;
        let fit = Fit { wanted: &wanted, route: &route, max_segments, gsm_alone: text.gsm_alone };
        self.cost += record.late.len();
        let wordings = read(&mut self.shelf, &text.texts, &mut self.cost).map_err(|_| Reason::NotRendered)?;
        let clock = Clock::at(moment);
        let values = Values { given: Given::Late(text), clock: Some(&clock) };
        let before = filters::work();
        let fits = fit.first(&mut self.composer, wordings, &values, &mut self.rendered);
        self.cost += filters::work().wrapping_sub(before);
        fits.map_err(|refusal| match refusal.code {
            Code::TooManySegments => Reason::TooManySegments,
            _ => Reason::NotRendered,
        })?;
        let size = self.composer.size();
        let made = MessageRecord {
            octets: Bytes::copy_from_slice(size.octets),
            // Where segments end is the carrier's affair when it cuts them itself.
            ends: if size.ends.len() > 1 && size.at_once == 0 { size.ends.to_vec() } else { Vec::new() },
            encoding: size.encoding.number(),
            shift: u32::from(size.shift),
            at_once: u32::from(size.at_once),
            spelling: size.spelling as u32,
            changed: size.changed,
            late: Bytes::new(),
            // Under a guard against repeats the content is what the handset gets, not what it would have got.
            content: if record.content == 0 { 0 } else { content_key(size.encoding.number(), &record.header, size.octets) },
            ..record.clone()
        };
        let (count, segments) = (made.count(), made.segments());
        let rendering = Rendering { moment, encoding: size.encoding, count, segments, check: crc32c::crc32c(size.octets) };
        Ok((made, rendering))
    }

    /// What was done since the last call, as octets: those of texts and values, those given to filters, and [`READ_COST`]
    /// for a text that had to be read.
    pub fn take_cost(&mut self) -> usize {
        std::mem::take(&mut self.cost)
    }

    /// The same text again.
    ///
    /// # Errors
    /// `NotRendered` when it is another one: another version of this program made it.
    pub fn again(&mut self, record: &MessageRecord, text: &LateText, former: Rendering) -> Result<MessageRecord, Reason> {
        match self.render(record, text, former.moment) {
            Ok((made, rendering)) if rendering == former => Ok(made),
            _ => Err(Reason::NotRendered),
        }
    }
}

fn read<'s>(shelf: &'s mut Vec<Vec<Wording>>, texts: &[String], cost: &mut usize) -> Result<&'s [Wording], Refusal> {
    let is = |kept: &Vec<Wording>| kept.len() == texts.len() && kept.iter().zip(texts).all(|(one, text)| *one.source == **text);
    let at = match shelf.iter().position(is) {
        Some(at) => at,
        None => {
            let read = |text: &String| Template::compile(text, "/text").map(|template| Wording { source: text.as_str().into(), template });
            *cost += texts.len() * READ_COST;
            let made = texts.iter().map(read).collect::<Result<_, _>>()?;
            if shelf.len() >= KEPT {
                shelf.remove(0);
            }
            shelf.push(made);
            shelf.len() - 1
        }
    };
    Ok(&shelf[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::channel::RouteText;
    use crate::config;
    use crate::pipeline::accept::{AccountRules, Defaults, MessageReader, check};
    use crate::pipeline::compose::Composing;

    /// What acceptance makes of a body: the record, or the refusal's code and place.
    fn accepted(rest: &str, at: Time) -> Result<MessageRecord, (Code, String)> {
        let body = format!(r#"{{"to":"+33612345678","from":"S","render":"send",{rest}}}"#);
        let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
        let rules = AccountRules { zone: "Asia/Tokyo".into(), stop_mention: "STOP 36111".into(), ..AccountRules::default() };
        let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
        let told = |refusal: Refusal| (refusal.code, refusal.pointer.into_owned());
        let accepted = check(&draft, &rules, at).map_err(told)?;
        let mut composing = Composing::default();
        let composed = composing.compose(&accepted, config::Concat::SixteenBit, &RouteText::default()).map_err(told)?;
        let mut octets = Vec::new();
        crate::message::record::write(&composed, &mut octets);
        let mut octets = Bytes::from(octets);
        prost::decode_length_delimiter(&mut octets).expect("a length");
        Ok(MessageRecord::read(octets).expect("a record"))
    }

    const NOON: Moment = Moment { at: Time(1_796_126_400_000), offset: 3_600 };

    #[test]
    fn what_is_made_when_sent_is_what_would_be_made_at_acceptance_of_that_instant() {
        for rest in [
            r#""text":"Hi {{name}}, {{now}}","params":{"name":"Zoé"}"#,
            r#""text":"Hi {{name|upper}}, {{ today|date('%d/%m') }}","params":{"name":"Łukasz"}"#,
            r#""variants":["{{long}} {{today}}","{{today}}"],"params":{"long":"..........................................................................................................................................................................."},"max_segments":1"#,
            r#""text":"{{now}} “Łódź”","substitute":"smart","transliterate":"latin","class":"marketing""#,
            r#""text":"{{now}} {{long}}","split":"codepoint","encoding":"ucs2","message_class":"flash","params":{"long":"👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽👋🏽"}"#,
        ] {
            let (early, then) = (accepted(rest, Time(0)).expect(rest), accepted(rest, NOON.at).expect(rest));
            let text = LateText::read(&early.late).expect("kept");
            assert_eq!((&*text.zone, early.late.clone()), ("Asia/Tokyo", then.late.clone()));
            let mut renderer = Renderer::default();
            let (made, rendering) = renderer.render(&early, &text, Moment { offset: 0, ..NOON }).expect(rest);
            assert_eq!(made, MessageRecord { late: Bytes::new(), ..then.clone() }, "{rest}");
            assert_ne!(made.octets, early.octets, "it speaks of the instant");
            assert_eq!((rendering.count, rendering.segments), (then.count(), then.segments()));
            assert_eq!(renderer.again(&early, &text, rendering), Ok(made));
            let other = Rendering { check: rendering.check ^ 1, ..rendering };
            assert_eq!(renderer.again(&early, &text, other), Err(Reason::NotRendered));
            let told = rendering.sizes(early);
            assert_eq!((told.count(), told.segments(), told.encoded()), (then.count(), then.segments(), then.encoded()));
        }
    }

    #[test]
    fn at_acceptance_it_is_refused_for_what_any_text_is_refused_for_and_for_its_length() {
        let long = "x".repeat(3_000);
        for (rest, code, pointer) in [
            (r#""text":"{{who}}""#.to_owned(), Code::MissingParam, "/params"),
            (r#""text":"{{who""#.to_owned(), Code::TemplateError, "/text"),
            (r#""text":"Ł{{now}}","encoding":"gsm7""#.to_owned(), Code::NotGsm7, "/text"),
            (format!(r#""text":"{{{{now}}}}{}","max_segments":2"#, "x".repeat(400)), Code::TooManySegments, "/text"),
            (format!(r#""text":"{{{{now}}}}","params":{{"a":"{long}","b":"{long}"}}"#), Code::TooLong, "/render"),
            (r#""data":"00","encoding":"binary""#.to_owned(), Code::ConflictingFields, "/render"),
        ] {
            assert_eq!(accepted(&rest, Time(0)), Err((code, pointer.to_owned())), "{rest}");
        }
    }

    #[test]
    fn a_text_that_says_the_same_at_any_time_is_made_at_acceptance() {
        for rest in [r#""text":"Hi""#, r#""variants":["Hi","Ho"]"#, r#""text":"a {{{{ b""#] {
            assert!(accepted(rest, Time(0)).expect(rest).late.is_empty(), "{rest}");
        }
    }

    #[test]
    fn a_text_costs_its_length_what_its_filters_were_given_and_a_reading() {
        let value = "v".repeat(300);
        let record = accepted(&format!(r#""text":"{{{{ today }}}} {{{{ a|upper|lower }}}}","params":{{"a":"{value}"}}"#), Time(0))
            .expect("a record");
        let text = LateText::read(&record.late).expect("kept");
        let mut renderer = Renderer::default();
        for reading in [READ_COST, 0, 0] {
            renderer.render(&record, &text, NOON).expect("a text");
            assert_eq!(renderer.take_cost(), record.late.len() + 600 + reading);
        }
        // Much work in few octets: refused when it is accepted.
        let greedy = format!(r#""text":"{{{{ a{} }}}}{{{{now}}}}","params":{{"a":"{}"}}"#, "|upper".repeat(45), "v".repeat(2_000));
        assert_eq!(accepted(&greedy, Time(0)), Err((Code::TemplateError, "/text".to_owned())));
    }

    #[test]
    fn octets_that_nobody_wrote_are_no_text() {
        let record = accepted(r#""text":"{{now}}""#, Time(0)).expect("a record");
        let text = LateText::read(&record.late).expect("kept");
        for broken in [
            LateText { form: Bytes::new(), ..text.clone() },
            LateText { texts: vec!["{{".into()], ..text.clone() },
            LateText { texts: vec!["{% for x in y %}".into()], ..text },
        ] {
            assert_eq!(Renderer::default().render(&record, &broken, NOON), Err(Reason::NotRendered));
        }
        assert!(LateText::read(b"").is_err() && LateText::read(b"\xff").is_err());
    }
}
