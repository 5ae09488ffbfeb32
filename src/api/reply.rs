//! Answers: whole JSON documents, or octets made while they are sent.

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use std::fmt::Write as _;

/// What handlers give back.
pub(super) type Reply = Response<Body>;

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Reply {
    whole(status, "application/json", plain(serde_json::to_vec(document).expect("documents of ours are JSON")).into())
}

/// JSON with escapes in the place of characters that a page or a terminal takes for more than text: markup, control
/// characters beyond those JSON escapes, and marks that turn the direction of writing, end lines or are not seen. What is
/// read from it is the same. Somebody looks at an answer as it comes, and customers and handsets choose what is in it.
pub(super) fn plain(json: Vec<u8>) -> Vec<u8> {
    // They, or the first octets of them: few answers have any.
    let is_suspect = |octet: &u8| matches!(octet, b'<' | b'>' | b'&' | 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef);
    if !json.iter().any(is_suspect) {
        return json;
    }
    let text = match String::from_utf8(json) {
        Ok(text) => text,
        Err(octets) => return octets.into_bytes(),
    };
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match c {
            '<'
            | '>'
            | '&'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.into_bytes()
}

/// Octets of a media type.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    with(status, kind, Body::from(body))
}

/// Any body.
pub(super) fn with(status: StatusCode, kind: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_page_or_a_terminal_is_escaped_and_reads_the_same() {
        let nasty = "<b>&\u{7f}\u{9b}2J\u{202e}x\u{2066}\u{2028}\u{feff}\u{200f}\u{61c}\u{1b}[2J\r\n";
        let harmless = "é€漢 \u{a0}«»“”";
        let document = serde_json::json!({ nasty: [nasty, harmless] });
        let octets = plain(serde_json::to_vec(&document).expect("JSON"));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&octets).expect("JSON"), document);
        let text = String::from_utf8(octets).expect("UTF-8");
        assert!(text.contains(harmless) && text.contains("\\u003cb\\u003e\\u0026\\u007f\\u009b2J\\u202ex\\u2066\\u2028"), "{text}");
        assert!(!text.contains(['<', '>', '&', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}', '\u{feff}', '\u{200f}', '\u{61c}']));
    }
}
