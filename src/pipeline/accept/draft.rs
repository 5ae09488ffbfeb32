//! A draft: what one entry says, with the defaults filled in, borrowed from the octets it came in. Nothing in it is
//! believed yet; `check` does that.

use std::fmt;

use crate::pipeline::accept::fault::{BodyFault, Code, Refusal, Source};
use crate::pipeline::accept::fields::{Field, check_plain, not_a_field};
use crate::pipeline::accept::options::Options;

/// One entry as it was written.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// Its place: index in the list, line of NDJSON (empty ones counted), row of CSV (without the header); from 0.
    pub line: u32,
    /// What `line` counts.
    pub source: Source,
    /// The recipient, without control characters.
    pub to: Option<&'a str>,
    /// The sender, without control characters.
    pub from: Option<&'a str>,
    /// The texts, perhaps with holes.
    pub words: Words<'a>,
    /// Octets in place of a text, as they were written.
    pub data: Option<&'a str>,
    /// A user data header, as it was written.
    pub udh: Option<&'a str>,
    /// The customer's reference, at most 64 characters, none of them control characters.
    pub client_ref: Option<&'a str>,
    /// The values for the holes.
    pub params: Params<'a>,
    /// What most entries do without.
    pub labels: Labels<'a>,
    /// The other fields.
    pub options: Options,
}

/// Texts that most entries do without, each at most 64 characters and without control characters.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// The key under which messages are cancelled together.
    pub cancel_key: Option<&'a str>,
    /// The campaign.
    pub campaign: Option<&'a str>,
    /// The customer's name of the consent it goes by.
    pub consent_ref: Option<&'a str>,
    /// The recipient's own time zone.
    pub time_zone: Option<&'a str>,
    /// The state or province of the recipient's address.
    pub region: Option<&'a str>,
}

/// The texts of a message, as they were written.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Words<'a> {
    /// The text for all.
    pub text: Option<&'a str>,
    /// JSON: a list of texts for all, of which the first that fits is taken.
    pub variants: Option<&'a str>,
    /// JSON: a text, or a list of them, by locale.
    pub texts: Option<&'a str>,
    /// The recipient's locale, as the entry says.
    pub locale: Option<&'a str>,
    /// The locale of those about whom nothing is known; none when the entry has its own.
    pub common_locale: Option<&'a str>,
}

impl Words<'_> {
    /// Whether there is any text.
    #[must_use]
    pub const fn has_text(&self) -> bool {
        self.text.is_some() || self.variants.is_some() || self.texts.is_some()
    }
}

/// Debug shows no text and no number: they never reach a log (INV-36).
impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("line", &self.line)
            .field("source", &self.source)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What a reader gives for each entry. It lives on the stack for one call: a box would be an allocation a line.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Item<'a> {
    /// It can be read.
    Draft(Draft<'a>),
    /// It cannot; the entries after it are not touched by that.
    Refused {
        /// As in [`Draft::line`].
        line: u32,
        /// As in [`Draft::source`].
        source: Source,
        /// Why.
        refusal: Refusal,
    },
}

/// Where a piece of text is: in the entry itself, in the scratch buffer (unescaped), or in the names of the columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Store {
    Line,
    Scratch,
    Names,
}

/// A piece of text by its place. Readers know it before buffers stop growing, so it cannot be a reference yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) store: Store,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The buffers pieces lie in.
#[derive(Clone, Copy, Default)]
pub(super) struct Stores<'a> {
    pub(super) line: &'a str,
    pub(super) scratch: &'a str,
    pub(super) names: &'a str,
}

impl<'a> Stores<'a> {
    pub(super) fn get(self, piece: Piece) -> &'a str {
        let store = match piece.store {
            Store::Line => self.line,
            Store::Scratch => self.scratch,
            Store::Names => self.names,
        };
        &store[piece.start as usize..piece.end as usize]
    }
}

/// The parameters of an entry: its own, then those of the defaults it does not have itself.
#[derive(Clone, Copy, Default)]
pub struct Params<'a> {
    own: &'a [(Piece, Piece)],
    stores: Stores<'a>,
    defaults: &'a [(Box<str>, Box<str>)],
}

impl<'a> Params<'a> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.own_value(name).or_else(|| self.defaults.iter().find(|(other, _)| **other == *name).map(|(_, value)| &**value))
    }

    fn own_value(&self, name: &str) -> Option<&'a str> {
        self.own.iter().find(|(other, _)| self.stores.get(*other) == name).map(|(_, value)| self.stores.get(*value))
    }

    /// Names and values, each name once.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let Params { own, stores, defaults } = *self;
        let this = *self;
        let own = own.iter().map(move |(name, value)| (stores.get(*name), stores.get(*value)));
        own.chain(defaults.iter().filter(move |(name, _)| this.own_value(name).is_none()).map(|(name, value)| (&**name, &**value)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.defaults.is_empty()
    }
}

/// What holds for every entry that does not say otherwise.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    from: Option<Box<str>>,
    text: Option<Box<str>>,
    labels: [Option<Box<str>>; LABELS],
    variants: Option<Box<str>>,
    texts: Option<Box<str>>,
    locale: Option<Box<str>>,
    data: Option<Box<str>>,
    udh: Option<Box<str>>,
    options: Options,
    params: Vec<(Box<str>, Box<str>)>,
}

/// How many fields [`Labels`] has, in its order.
const LABELS: usize = 5;

/// The place of a field in [`Labels`].
const fn label(field: Field) -> Option<usize> {
    match field {
        Field::CancelKey => Some(0),
        Field::Campaign => Some(1),
        Field::ConsentRef => Some(2),
        Field::TimeZone => Some(3),
        Field::Region => Some(4),
        _ => None,
    }
}

impl Defaults {
    /// From names and values that are all text, such as the query of a request with CSV.
    ///
    /// # Errors
    /// Unknown, unsupported or repeated names, `to`, `client_ref`, `params`, and values their fields do not allow.
    pub fn from_pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Defaults, BodyFault> {
        let mut values = Values::default();
        let mut text = String::new();
        for (name, value) in pairs {
            let field = Field::of(name).ok_or_else(|| BodyFault::at("", not_a_field(name)))?;
            // In a query a plus that was not escaped has become a space; these values have plus signs, and no spaces.
            let mended = matches!(field, Field::SendAt | Field::ExpiresAt | Field::TimeZone).then(|| value.replace(' ', "+"));
            let value = mended.as_deref().unwrap_or(value);
            let start = text.len();
            text.push_str(value);
            let piece = Piece { store: Store::Line, start: start as u32, end: text.len() as u32 };
            values
                .claim(field, Role::Defaults)
                .and_then(|()| values.put_cell(field, piece, value))
                .map_err(|refusal| BodyFault::at("", refusal))?;
        }
        let mut defaults = Defaults::default();
        defaults.absorb(&values, Stores { line: &text, ..Stores::default() });
        Ok(defaults)
    }

    /// Takes over what `values` say; what they do not say stays.
    pub(super) fn absorb(&mut self, values: &Values, stores: Stores<'_>) {
        let owned = |piece: Option<Piece>| piece.map(|piece| Box::from(stores.get(piece)));
        self.from = owned(values.from).or(self.from.take());
        self.text = owned(values.text).or(self.text.take());
        for (mine, theirs) in self.labels.iter_mut().zip(values.labels) {
            *mine = owned(theirs).or(mine.take());
        }
        self.variants = owned(values.variants).or(self.variants.take());
        self.texts = owned(values.texts).or(self.texts.take());
        self.locale = owned(values.locale).or(self.locale.take());
        self.data = owned(values.data).or(self.data.take());
        self.udh = owned(values.udh).or(self.udh.take());
        self.options = values.options.or(&self.options);
        for (name, value) in &values.params {
            let (name, value) = (stores.get(*name), stores.get(*value));
            self.params.retain(|(other, _)| **other != *name);
            self.params.push((name.into(), value.into()));
        }
    }
}

/// Debug shows no text and no number.
impl fmt::Debug for Defaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Defaults").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether an object is an entry or the defaults of all entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Entry,
    Defaults,
}

/// What was read of an entry so far. Reused from entry to entry.
#[derive(Clone, Default)]
pub(super) struct Values {
    to: Option<Piece>,
    from: Option<Piece>,
    text: Option<Piece>,
    variants: Option<Piece>,
    texts: Option<Piece>,
    locale: Option<Piece>,
    data: Option<Piece>,
    udh: Option<Piece>,
    client_ref: Option<Piece>,
    labels: [Option<Piece>; LABELS],
    pub(super) options: Options,
    pub(super) params: Vec<(Piece, Piece)>,
    /// The fields met, `Field::bit`.
    given: u64,
}

impl Values {
    pub(super) fn clear(&mut self) {
        (self.to, self.from, self.text, self.client_ref) = (None, None, None, None);
        self.labels = [None; LABELS];
        (self.variants, self.texts, self.locale) = (None, None, None);
        (self.data, self.udh) = (None, None);
        self.options = Options::default();
        self.params.clear();
        self.given = 0;
    }

    /// Notes that a field was met.
    pub(super) fn claim(&mut self, field: Field, role: Role) -> Result<(), Refusal> {
        if self.given & field.bit() != 0 {
            return Err(Refusal::new(Code::DuplicateField, field.pointer(), "given twice"));
        }
        self.given |= field.bit();
        if role == Role::Defaults && !field.is_default() {
            return Err(Refusal::new(Code::UnsupportedField, field.pointer(), "this field belongs to one message and cannot be a default"));
        }
        Ok(())
    }

    /// A field that was met and is none of these.
    pub(super) fn given_beside(&self, fields: &[Field]) -> Option<Field> {
        Field::ALL.into_iter().find(|field| self.given & field.bit() != 0 && !fields.contains(field))
    }

    /// Takes a string for any field but whole numbers and `params`.
    pub(super) fn put_text(&mut self, field: Field, piece: Piece, value: &str) -> Result<(), Refusal> {
        let slot = match field {
            Field::To => &mut self.to,
            Field::From => &mut self.from,
            Field::ClientRef => &mut self.client_ref,
            Field::Locale => &mut self.locale,
            Field::Variants | Field::Texts => {
                *(if field == Field::Texts { &mut self.texts } else { &mut self.variants }) = Some(piece);
                return Ok(());
            }
            Field::Data => &mut self.data,
            Field::Udh => &mut self.udh,
            Field::Text => {
                self.text = Some(piece);
                return Ok(());
            }
            _ => match label(field) {
                Some(place) => &mut self.labels[place],
                None => return self.options.set_word(field, value),
            },
        };
        check_plain(field, value)?;
        *slot = Some(piece);
        Ok(())
    }

    /// Takes a field whose value is text whatever its type, as in CSV and in a query.
    pub(super) fn put_cell(&mut self, field: Field, piece: Piece, value: &str) -> Result<(), Refusal> {
        if field == Field::Params {
            return Err(Refusal::new(Code::UnsupportedField, "/params", "parameters are columns of their own in CSV"));
        }
        if !field.is_integer() {
            return self.put_text(field, piece, value);
        }
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::new(Code::WrongType, field.pointer(), field.expected()));
        }
        self.options.set_integer(field, value.parse().ok())
    }

    /// The draft: these values over the defaults.
    pub(super) fn draft<'a>(&'a self, line: u32, source: Source, stores: Stores<'a>, defaults: &'a Defaults) -> Draft<'a> {
        let text = |piece: Option<Piece>| piece.map(|piece| stores.get(piece));
        let own = Words {
            text: text(self.text),
            variants: text(self.variants),
            texts: text(self.texts),
            locale: text(self.locale),
            common_locale: None,
        };
        let common_locale = if own.locale.is_some() { None } else { defaults.locale.as_deref() };
        // An entry's own texts take the place of all of the defaults' texts.
        let words = if own.has_text() {
            Words { common_locale, ..own }
        } else {
            let (text, variants, texts) = (defaults.text.as_deref(), defaults.variants.as_deref(), defaults.texts.as_deref());
            Words { text, variants, texts, locale: own.locale, common_locale }
        };
        Draft {
            line,
            source,
            to: text(self.to),
            from: text(self.from).or(defaults.from.as_deref()),
            words,
            data: text(self.data).or(defaults.data.as_deref()),
            udh: text(self.udh).or(defaults.udh.as_deref()),
            client_ref: text(self.client_ref),
            params: Params { own: &self.params, stores, defaults: &defaults.params },
            labels: Labels {
                cancel_key: text(self.labels[0]).or(defaults.labels[0].as_deref()),
                campaign: text(self.labels[1]).or(defaults.labels[1].as_deref()),
                consent_ref: text(self.labels[2]).or(defaults.labels[2].as_deref()),
                time_zone: text(self.labels[3]).or(defaults.labels[3].as_deref()),
                region: text(self.labels[4]).or(defaults.labels[4].as_deref()),
            },
            options: self.options.or(&defaults.options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::content::Class;

    #[test]
    fn pairs_become_defaults_and_mistakes_in_them_are_named() {
        let defaults = Defaults::from_pairs([("from", "SHOP"), ("class", "otp"), ("max_segments", "3")]).expect("right");
        assert_eq!(
            (defaults.from.as_deref(), defaults.options.class, defaults.options.max_segments),
            (Some("SHOP"), Some(Class::Otp), Some(3))
        );
        for (pairs, code, pointer) in [
            (vec![("to", "+33612345678")], Code::UnsupportedField, "/to"),
            (vec![("from", "A"), ("from", "B")], Code::DuplicateField, "/from"),
            (vec![("class", "spam")], Code::InvalidValue, "/class"),
            (vec![("max_segments", "x")], Code::WrongType, "/max_segments"),
            (vec![("max_segments", "99999999999999999999999")], Code::OutOfRange, "/max_segments"),
            (vec![("expires_in", "0")], Code::LifetimeOutOfRange, "/expires_in"),
            (vec![("template", "x")], Code::UnsupportedField, "/template"),
            (vec![("send_at", "x")], Code::InvalidValue, "/send_at"),
            (vec![("send_after", "PT1H"), ("send_at", "2026-12-01T09:00:00Z")], Code::ConflictingFields, "/send_at"),
            (vec![("send_after", "P3Y")], Code::InvalidValue, "/send_after"),
            (vec![("send_after", "P801D")], Code::ScheduleOutOfRange, "/send_after"),
            (vec![("country", "France")], Code::InvalidValue, "/country"),
            (vec![("campaign", "x\ny")], Code::ControlCharacter, "/campaign"),
            (vec![("frm", "x")], Code::UnknownField, "/frm"),
            (vec![("params", "x")], Code::UnsupportedField, "/params"),
            (vec![("from", "a\u{0}b")], Code::ControlCharacter, "/from"),
        ] {
            let fault = Defaults::from_pairs(pairs).expect_err(pointer);
            assert_eq!((fault.code, &*fault.pointer), (code, pointer));
        }
    }
}
