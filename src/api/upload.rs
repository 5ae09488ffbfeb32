//! A request's body as it arrives: bounded in octets and in time, hashed on the way when that is wanted.

use crate::api::problem::Problem;
use crate::api::state::Api;
use crate::base::{Mono, Span};
use crate::pipeline::accept::inflate::After;
use crate::pipeline::accept::{Code, Coding, Format};
use crate::world::World;
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};

/// The slowest a body may come once the first pause is over, in octets a second.
const RATE_MIN: u64 = 1_024;
/// Octets taken out of a compressed body at once.
const STEP: usize = 64 << 10;

/// What the headers say of a body.
pub(super) fn media(headers: &HeaderMap) -> Result<(Format, Coding), Problem> {
    let text = |name, shown| match headers.get(&name) {
        Some(value) => value.to_str().map_err(|_| Problem::header(Code::UnsupportedMediaType, shown, "not a header of this kind")),
        None => Ok(""),
    };
    let format = Format::from_content_type(text(CONTENT_TYPE, "Content-Type")?)
        .map_err(|fault| Problem { detail: fault.detail, ..Problem::header(fault.code, "Content-Type", "") })?;
    let coding = Coding::from_content_encoding(text(CONTENT_ENCODING, "Content-Encoding")?)
        .map_err(|fault| Problem { detail: fault.detail, ..Problem::header(fault.code, "Content-Encoding", "") })?;
    Ok((format, coding))
}

/// See the module.
pub(super) struct Upload {
    body: Body,
    world: World,
    idle: Span,
    /// Time spent waiting for the sender, not for ourselves.
    waited: Span,
    bytes: u64,
    bytes_max: u64,
    hash: Option<Sha256>,
}

impl Upload {
    /// A body of at most `bytes_max` octets as sent; each is added to `hash`.
    ///
    /// # Errors
    /// `payload_too_large` when the announced length is too much already.
    pub(super) fn new(api: &Api, body: Body, bytes_max: u64, hash: Option<Sha256>) -> Result<Upload, Problem> {
        let upload = Upload { world: api.engine.world.clone(), idle: api.idle(), waited: Span::ZERO, bytes: 0, bytes_max, hash, body };
        if upload.body.size_hint().lower() > bytes_max { Err(upload.too_large()) } else { Ok(upload) }
    }

    /// The next octets; `None` at the end.
    ///
    /// # Errors
    /// `payload_too_large`, `request_timeout`, `truncated_body`.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let began = self.world.mono();
            let frame = tokio::time::timeout(self.patience().std(), self.body.frame()).await;
            self.wait(began);
            let Ok(frame) = frame else {
                return Err(Problem::new(Code::RequestTimeout, "the body paused for too long, or comes too slowly"));
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| Problem::new(Code::TruncatedBody, "the body broke off, or its framing is damaged"))?;
            // Trailers say nothing here.
            let Ok(data) = frame.into_data() else { continue };
            self.bytes += data.len() as u64;
            if self.bytes > self.bytes_max {
                return Err(self.too_large());
            }
            if let Some(hash) = &mut self.hash {
                hash.update(&data);
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, without its compression, at most as long as allowed.
    pub(super) async fn whole(&mut self, api: &Api, coding: Coding) -> Result<Vec<u8>, Problem> {
        let mut whole = Vec::new();
        if coding == Coding::Identity {
            while let Some(data) = self.next().await? {
                whole.extend_from_slice(&data);
            }
            return Ok(whole);
        }
        let mut inflate = api.inflate(coding, self.bytes_max)?;
        while let Some(data) = self.next().await? {
            let mut rest = &data[..];
            loop {
                let progress = inflate.feed(rest, &mut whole, STEP)?;
                rest = &rest[progress.taken..];
                if progress.after == After::Done {
                    break;
                }
            }
        }
        inflate.finish()?;
        Ok(whole)
    }

    /// The least that comes, by what the headers say: 0 when they say nothing.
    pub(super) fn announced(&self) -> u64 {
        self.body.size_hint().lower()
    }

    /// Takes in what is left, at most so many octets, and drops it, so that a refusal does not cost the connection;
    /// whether that was all.
    pub(super) async fn discard(&mut self, bytes_max: u64) -> bool {
        self.hash = None;
        let end = self.bytes.saturating_add(bytes_max);
        if self.bytes + self.announced() > end {
            return false;
        }
        loop {
            match self.next().await {
                Ok(None) => return true,
                Ok(Some(_)) if self.bytes <= end => {}
                Ok(Some(_)) | Err(_) => return false,
            }
        }
    }

    /// The hash of all that was taken.
    pub(super) fn hash(&mut self) -> Option<[u8; 32]> {
        self.hash.take().map(|hash| hash.finalize().into())
    }

    fn wait(&mut self, began: Mono) {
        self.waited = Span(self.waited.0.saturating_add(self.world.mono().since(began).0));
    }

    /// How long to wait for the next octets: a pause, or what the slowest rate leaves.
    fn patience(&self) -> Span {
        let due = self.idle.0.saturating_add(self.bytes.saturating_mul(1_000_000) / RATE_MIN);
        Span(self.idle.0.min(due.saturating_sub(self.waited.0)))
    }

    fn too_large(&self) -> Problem {
        Problem { detail: format!("at most {} octets", self.bytes_max).into(), ..Problem::new(Code::PayloadTooLarge, "") }
    }
}
