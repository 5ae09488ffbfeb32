//! Every refusal as `application/problem+json` (RFC 9457): a stable code, where the mistake is, how to mend it. Nothing
//! the caller sent is repeated (INV-36).

use crate::api::reply::{Reply, json};
use crate::base::Span;
use crate::engine::Refused;
use crate::pipeline::accept::{BodyFault, Code, Refusal};
use crate::storage::StoreFault;
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use std::borrow::Cow;

/// Where in the request the mistake is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    /// JSON pointer into the body (RFC 6901).
    Body(Cow<'static, str>),
    /// A parameter of the query.
    Query(&'static str),
    /// A header.
    Header(&'static str),
    /// The request as such.
    Request,
}

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) spot: Spot,
    pub(super) detail: Cow<'static, str>,
    pub(super) retry_after: Option<Span>,
}

impl Problem {
    /// A refusal of the request as such.
    pub(super) const fn new(code: Code, detail: &'static str) -> Problem {
        Problem { code, spot: Spot::Request, detail: Cow::Borrowed(detail), retry_after: None }
    }

    pub(super) const fn header(code: Code, name: &'static str, detail: &'static str) -> Problem {
        Problem { code, spot: Spot::Header(name), detail: Cow::Borrowed(detail), retry_after: None }
    }

    pub(super) const fn query(name: &'static str, detail: &'static str) -> Problem {
        Problem { code: Code::BadQuery, spot: Spot::Query(name), detail: Cow::Borrowed(detail), retry_after: None }
    }

    pub(super) const fn not_found() -> Problem {
        Problem::new(Code::NotFound, "the account has nothing of that name")
    }

    pub(super) const fn after(mut self, wait: Span) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// The answer.
    pub(super) fn reply(self) -> Reply {
        let code = self.code;
        let status = StatusCode::from_u16(code.status()).expect("codes have statuses of HTTP");
        let (pointer, parameter, header) = match &self.spot {
            Spot::Body(pointer) => (Some(&**pointer), None, None),
            Spot::Query(name) => (None, Some(*name), None),
            Spot::Header(name) => (None, None, Some(*name)),
            Spot::Request => (Some(""), None, None),
        };
        let document = Document {
            kind: format!("urn:relais:problem:{}", code.slug()),
            title: title(code),
            status: code.status(),
            detail: &self.detail,
            code: code.slug(),
            permanent: code.is_permanent(),
            advice: code.advice(),
            docs: format!("/openapi.json#/x-problems/{}", code.slug()),
            errors: [Pointed { pointer, parameter, header, code: code.slug(), detail: &self.detail }],
        };
        let mut reply = json(status, &document);
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // 429 and 503 always say when; 409 for a request that is still running, too.
        let wait = self.retry_after.or_else(|| (!code.is_permanent() && matches!(code.status(), 409 | 429 | 503)).then_some(Span::secs(1)));
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.0.div_ceil(1_000_000).max(1)));
        }
        if code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"relais\""));
        }
        if matches!(code, Code::ShuttingDown | Code::RequestTimeout | Code::TruncatedBody) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'static str,
    permanent: bool,
    advice: &'static str,
    docs: String,
    errors: [Pointed<'a>; 1],
}

#[derive(Serialize)]
struct Pointed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'static str>,
    code: &'static str,
    detail: &'a str,
}

/// `invalid_number` is titled `Invalid number`.
pub(super) fn title(code: Code) -> String {
    let words = code.slug().replace('_', " ");
    words[..1].to_ascii_uppercase() + &words[1..]
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Problem {
        Problem { code: fault.code, spot: Spot::Body(fault.pointer), detail: fault.detail, retry_after: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem { code: refusal.code, spot: Spot::Body(refusal.pointer), detail: refusal.detail, retry_after: None }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Overloaded => Problem::new(Code::Overloaded, "too much is on its way to the disk"),
            Refused::Behind(wait) => Problem::new(Code::Overloaded, "more is waiting to be sent than can be sent soon").after(wait),
            Refused::Full => Problem::new(Code::StoreFull, "the disk is full").after(Span::secs(5)),
            Refused::Stopping => Problem::new(Code::ShuttingDown, "the gateway is being stopped").after(Span::secs(5)),
        }
    }
}

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Problem {
        tracing::error!(%fault, "the archive cannot be read for a request");
        match fault {
            // A reader that could not be opened (no file descriptor left) can be in a moment: nothing is wrong with the data.
            StoreFault::Broken(_) | StoreFault::Full => {
                Problem::new(Code::Overloaded, "the archive cannot be read now").after(Span::secs(1))
            }
            StoreFault::Damaged { .. } | StoreFault::TooNew { .. } => Problem::new(Code::Internal, "a part of the archive cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_problem_says_what_where_and_how_to_mend_it() {
        let refusal = Refusal::new(Code::InvalidNumber, "/to", "no country code");
        let reply = Problem::from(refusal).reply();
        assert_eq!(reply.status(), 422);
        assert_eq!(reply.headers()["content-type"], "application/problem+json");
        assert!(!reply.headers().contains_key("retry-after"));
        let body = reply.into_body().collect().await.expect("whole").to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:relais:problem:invalid_number", "title": "Invalid number", "status": 422, "detail": "no country code",
                "code": "invalid_number", "permanent": true, "advice": Code::InvalidNumber.advice(),
                "docs": "/openapi.json#/x-problems/invalid_number",
                "errors": [{"pointer": "/to", "code": "invalid_number", "detail": "no country code"}],
            })
        );
    }

    #[test]
    fn what_is_worth_another_try_says_when() {
        for code in Code::ALL.iter().filter(|code| matches!(code.status(), 429 | 503)) {
            let reply = Problem::new(*code, "").reply();
            assert_eq!(reply.headers()["retry-after"], "1", "{code:?}");
        }
        assert_eq!(Problem::new(Code::TooManyRequests, "").after(Span::millis(1_200)).reply().headers()["retry-after"], "2");
        assert!(!Problem::new(Code::TooLate, "").reply().headers().contains_key("retry-after"));
    }
}
