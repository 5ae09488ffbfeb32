//! Who is asking, and whether they may: a [`Caller`] is had only from here, so a handler that has one was authorised.

use crate::api::problem::Problem;
use crate::api::state::{Api, Customer};
use crate::base::Mono;
use crate::config::Scope;
use crate::directory::Grant;
use crate::pipeline::accept::Code;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use std::sync::Arc;

/// An account whose key was right and opens what is asked for.
#[derive(Clone)]
pub(super) struct Caller {
    api: Arc<Api>,
    grant: Grant,
}

impl Caller {
    /// Believes the key of a request, or says why not; counts the request against the account's rate.
    pub(super) fn of(api: &Arc<Api>, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
        Caller::with_either(api, headers, [scope, scope])
    }

    /// The same for what either of two scopes opens.
    pub(super) fn with_either(api: &Arc<Api>, headers: &HeaderMap, scopes: [Scope; 2]) -> Result<Caller, Problem> {
        let unauthorized = Problem::header(Code::Unauthorized, "Authorization", "no valid API key");
        let shown = shown(headers).ok_or_else(|| unauthorized.clone())?;
        let world = &api.engine.world;
        let grant = api.engine.keys.grant(shown, world.now()).ok_or(unauthorized)?;
        let caller = Caller { api: api.clone(), grant };
        if !scopes.iter().any(|scope| grant.opens(*scope)) {
            return Err(caller.refused(Problem::header(Code::Forbidden, "Authorization", "the key lacks the scope this needs")));
        }
        if let Err(wait) = caller.customer().rates.requests.pass(world.mono()) {
            return Err(caller.refused(Problem::new(Code::TooManyRequests, "more requests a second than the account may make").after(wait)));
        }
        Ok(caller)
    }

    pub(super) fn customer(&self) -> &Customer {
        &self.api.customers[self.grant.account]
    }

    /// Whether the key opens this too.
    pub(super) fn opens(&self, scope: Scope) -> bool {
        self.grant.opens(scope)
    }

    pub(super) fn name(&self) -> &str {
        &self.customer().name
    }

    /// Whether the account may bring messages now.
    pub(super) fn may_bring(&self, now: Mono) -> Result<(), Problem> {
        let too_many = |wait| Problem::new(Code::TooManyRequests, "more messages a second than the account may send").after(wait);
        self.customer().rates.messages.ready(now).map_err(too_many)
    }

    /// Counts the refusal of a whole request.
    pub(super) fn refused(&self, problem: Problem) -> Problem {
        self.customer().metrics.refused(problem.code.slug(), 1);
        problem
    }
}

/// The key a request shows: `Authorization: Bearer id.secret`, or `X-API-Key`. One of them, once.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all("x-api-key").iter();
    let found = match (bearers.next(), keys.next()) {
        (Some(value), None) => {
            let (scheme, key) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
        }
        (None, Some(value)) => Some(value.as_bytes().trim_ascii()),
        _ => None,
    };
    found.filter(|_| bearers.next().is_none() && keys.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_one_header_once() {
        for (lines, expected) in [
            (&[("authorization", "Bearer k.s")][..], Some(&b"k.s"[..])),
            (&[("authorization", "bearer   k.s ")], Some(b"k.s")),
            (&[("x-api-key", "k.s")], Some(b"k.s")),
            (&[("authorization", "Basic k.s")], None),
            (&[("authorization", "Bearer")], None),
            (&[("authorization", "Bearer a"), ("authorization", "Bearer b")], None),
            (&[("authorization", "Bearer a"), ("x-api-key", "a")], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().expect("a value"));
            }
            assert_eq!(shown(&headers), expected, "{lines:?}");
        }
    }
}
