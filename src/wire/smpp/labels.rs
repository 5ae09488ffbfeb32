//! Cutting the text of a receipt at its labels, without judging what stands between them.
//!
//! The common form is `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…` (SMPP 3.4 Appendix B), in any
//! order and case, any of them missing. Checked through [`receipt`](super::receipt)'s vectors.

/// The fields of a text, uninterpreted.
#[derive(Clone, Copy, Default)]
pub(super) struct Fields<'a> {
    pub(super) id: Option<&'a [u8]>,
    pub(super) sub: Option<&'a [u8]>,
    pub(super) dlvrd: Option<&'a [u8]>,
    pub(super) submit: Option<&'a [u8]>,
    pub(super) done: Option<&'a [u8]>,
    pub(super) stat: Option<&'a [u8]>,
    pub(super) err: Option<&'a [u8]>,
    pub(super) text: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Id,
    Sub,
    Dlvrd,
    Submit,
    Done,
    Stat,
    Err,
    Text,
}

/// Cuts a text at its labels. A value is the first word after its label; `text` runs to the end, and labels inside it
/// are the user's, unless `stat` has not been seen: then it is looked for there, and `text` ends before it.
pub(super) fn labels(octets: &[u8]) -> Fields<'_> {
    let mut fields = Fields::default();
    let mut at = 0;
    loop {
        at = skip(octets, at, is_space);
        if at >= octets.len() {
            return fields;
        }
        let Some((label, size)) = label(&octets[at..]) else {
            at = skip(octets, at, is_word);
            continue;
        };
        at += size;
        if label == Label::Text {
            if fields.text.is_some() {
                continue;
            }
            let end = if fields.stat.is_none() { find_stat(octets, at) } else { None };
            let text = &octets[at..end.unwrap_or(octets.len())];
            let Some(next) = end else {
                fields.text = Some(text.strip_suffix(&[0]).unwrap_or(text));
                return fields;
            };
            fields.text = Some(text.trim_ascii());
            at = next;
            continue;
        }
        let start = skip(octets, at, is_space);
        // `err: 0` has a space before its value, `id: sub:001` has none.
        if start > at && self::label(&octets[start.min(octets.len())..]).is_some() {
            continue;
        }
        at = skip(octets, start, is_word);
        let value = &octets[start..at];
        let field = match label {
            Label::Id => &mut fields.id,
            Label::Sub => &mut fields.sub,
            Label::Dlvrd => &mut fields.dlvrd,
            Label::Submit => &mut fields.submit,
            Label::Done => &mut fields.done,
            Label::Stat => &mut fields.stat,
            Label::Err => &mut fields.err,
            Label::Text => &mut fields.text,
        };
        if field.is_none() && !value.is_empty() {
            *field = Some(value);
        }
    }
}

#[inline]
fn skip(octets: &[u8], from: usize, what: impl Fn(u8) -> bool) -> usize {
    let mut at = from;
    while at < octets.len() && what(octets[at]) {
        at += 1;
    }
    at
}

/// Spaces, line ends and stray control octets, NUL among them.
#[inline]
pub(super) fn is_space(octet: u8) -> bool {
    octet <= b' '
}

#[inline]
fn is_word(octet: u8) -> bool {
    octet > b' '
}

fn find_stat(octets: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < octets.len() {
        at = skip(octets, at, is_space);
        if matches!(label(&octets[at..]), Some((Label::Stat, _))) {
            return Some(at);
        }
        at = skip(octets, at, is_word);
    }
    None
}

/// The label at the front, and its length with the colon.
#[inline]
fn label(octets: &[u8]) -> Option<(Label, usize)> {
    let is = |word: &[u8]| octets.get(..word.len()).is_some_and(|o| o.eq_ignore_ascii_case(word));
    let plain = |label, word: &[u8]| is(word).then_some((label, word.len()));
    // `submit date:`, `submit_date:`, `submitdate:`.
    let dated = |label, word: &[u8]| {
        let rest = is(word).then(|| &octets[word.len()..])?;
        let joint = usize::from(matches!(rest.first(), Some(b' ' | b'_' | b'-')));
        let date = rest.get(joint..joint + 5)?;
        date.eq_ignore_ascii_case(b"date:").then_some((label, word.len() + joint + 5))
    };
    match octets.first()? | 0x20 {
        b'i' => plain(Label::Id, b"id:"),
        b's' => plain(Label::Stat, b"stat:").or_else(|| plain(Label::Sub, b"sub:")).or_else(|| dated(Label::Submit, b"submit")),
        b'd' => plain(Label::Dlvrd, b"dlvrd:").or_else(|| dated(Label::Done, b"done")),
        b'e' => plain(Label::Err, b"err:"),
        b't' => plain(Label::Text, b"text:"),
        _ => None,
    }
}
