//! Answers: whole JSON documents, or octets made while they are sent.

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// What handlers give back.
pub(super) type Reply = Response<Body>;

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Reply {
    whole(status, "application/json", serde_json::to_vec(document).expect("documents of ours are JSON").into())
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
