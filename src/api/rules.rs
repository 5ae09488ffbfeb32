//! The send windows in force: which versions, what they replaced, what accounts loosened, which holiday tables end; and
//! reading them again.

use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::Time;
use crate::config::Scope;
use crate::directory::judge::law_stamp;
use crate::pipeline::accept::Code;
use axum::extract::Request;
use hyper::StatusCode;
use serde_json::{Value, json as document};
use std::sync::Arc;

/// What is in force. Overrides of other accounts only for a key with the scope `admin`.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    Ok(json(StatusCode::OK, &overview(&api, &caller)))
}

/// Reads the configured files again and takes them whole, or says what is wrong with which.
pub(super) async fn reload(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Admin)?;
    query::none(request.uri().query())?;
    let (engine, now) = (api.engine.clone(), api.engine.world.now());
    let taken = tokio::task::spawn_blocking(move || engine.rules.reload(now)).await;
    match taken {
        Ok(Ok(is_new)) => {
            let mut answer = overview(&api, &caller);
            answer["is_new"] = Value::from(is_new);
            Ok(json(StatusCode::OK, &answer))
        }
        Ok(Err(why)) => Err(Problem { detail: why.into(), ..Problem::new(Code::RulesRefused, "") }),
        Err(_) => Err(Problem::new(Code::Internal, "the rules were not read")),
    }
}

fn overview(api: &Api, caller: &Caller) -> Value {
    let overview = api.engine.rules.law.hours.overview(api.engine.world.now());
    let is_shown = |account: &str| account == caller.name() || caller.opens(Scope::Admin);
    let loosened = overview.loosened.iter().filter(|one| is_shown(&one.account)).map(|one| {
        document!({
            "account": one.account,
            "rule": one.rule,
            "to": one.to,
            "by": one.by,
            "why": one.why,
            "until": one.until.map(Time::rfc3339),
            "is_over": one.is_over,
        })
    });
    document!({
        "rules": overview.pack,
        "zones": overview.zones,
        "stamp": format!("{:08x}", law_stamp(&overview.pack, &overview.zones)),
        "since": overview.since.map(Time::rfc3339),
        "must_also_allow": overview.former.iter().map(|one| document!({ "version": one.version, "until": one.until.rfc3339() })).collect::<Vec<_>>(),
        "unsure_until": overview.unsure_until.map(Time::rfc3339),
        "overrides": loosened.collect::<Vec<_>>(),
        "ending_tables": overview.endings.iter().map(|one| document!({ "calendar": one.calendar, "last_year": one.last_year })).collect::<Vec<_>>(),
    })
}
