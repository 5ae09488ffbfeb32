//! Erasing by number: asked for here, carried out by the engine (`docs/adr/0020-erase.md`). An administrator's key erases
//! what all accounts have of a number; an account's own key with the scope `send`, what the account has.

use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::{Msisdn, Time};
use crate::config::Scope;
use crate::engine::erasures::{OptOuts, Report, Standing};
use crate::message::erase::Subject;
use axum::extract::Request;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct View {
    id: String,
    state: &'static str,
    accounts: &'static str,
    requested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<u64>,
}

impl View {
    fn pending(id: String, subject: &Subject, asked: Time) -> View {
        let accounts = if subject.account.is_none() { "all" } else { "own" };
        let (done_at, messages, events, unreadable) = (None, None, None, None);
        View { id, state: "pending", accounts, requested_at: asked.rfc3339(), done_at, messages, events, unreadable }
    }

    fn done(id: String, subject: &Subject, report: &Report) -> View {
        View {
            // A damaged row may still hold something: that is not called done.
            state: if report.unreadable == 0 { "done" } else { "incomplete" },
            done_at: Some(Time(report.done).rfc3339()),
            messages: Some(report.messages),
            events: Some(report.events),
            unreadable: Some(report.unreadable),
            ..View::pending(id, subject, Time(report.asked))
        }
    }
}

fn number_in(path: &str) -> Result<Msisdn, Problem> {
    let text = path.strip_prefix("/v1/numbers/").unwrap_or_default();
    let text = text.strip_suffix("/erasure").unwrap_or(text).replace("%2B", "+").replace("%2b", "+");
    Msisdn::parse(&text).map_err(|_| Problem::not_found())
}

fn subject(caller: &Caller, path: &str) -> Result<Subject, Problem> {
    let account = (!caller.opens(Scope::Admin)).then(|| caller.name().to_owned());
    Ok(Subject { number: number_in(path)?, account })
}

/// Takes an erasure: 202, it is durable, and nothing of the number is shown any more.
pub(super) async fn delete(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::with_either(&api, request.headers(), [Scope::Send, Scope::Admin])?;
    let mut opt_outs = None;
    for (name, value) in query::read(request.uri().query())? {
        opt_outs = match (&*name, &*value) {
            ("forget_opt_out", "true") if opt_outs.is_none() => Some(OptOuts::Forgotten),
            ("forget_opt_out", "false") if opt_outs.is_none() => Some(OptOuts::Kept),
            _ => return Err(Problem::query("", "expected forget_opt_out, true or false, once")),
        };
    }
    let subject = subject(&caller, request.uri().path())?;
    let (id, asked) = api.engine.erase(subject.clone(), opt_outs.unwrap_or(OptOuts::Kept)).await?;
    Ok(json(StatusCode::ACCEPTED, &View::pending(id, &subject, asked)))
}

/// Shows where the last erasure of a number stands.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::with_either(&api, request.headers(), [Scope::Read, Scope::Admin])?;
    query::none(request.uri().query())?;
    let subject = subject(&caller, request.uri().path())?;
    let id = api.engine.erasures.name(&subject);
    let view = match api.engine.erasure(&subject).await?.ok_or(Problem::not_found())? {
        Standing::Pending(asked) => View::pending(id, &subject, asked),
        Standing::Done(report) => View::done(id, &subject, &report),
    };
    Ok(json(StatusCode::OK, &view))
}
