//! Which handler serves what; each is counted under its pattern. `proto/openapi.json` names the same, no more and no less.

use crate::api::pace::Visitor;
use crate::api::problem::Problem;
use crate::api::reply::Reply;
use crate::api::state::Api;
use crate::api::{
    advise, batch, bulk, cancel, erase, explain, import, list, message, people, preference, preview, reschedule, revoke, rules, service,
    single,
};
use crate::base::Mono;
use crate::pipeline::accept::Code;
use crate::telemetry::RouteMetrics;
use crate::world::BoxFuture;
use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodFilter, on};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use std::sync::Arc;

type Handler = fn(Arc<Api>, Request) -> BoxFuture<'static, Result<Reply, Problem>>;

/// Method, pattern, handler.
const ROUTES: [(&str, &str, Handler); 34] = [
    ("POST", "/v1/messages", |api, request| Box::pin(single::post(api, request))),
    ("GET", "/v1/messages", |api, request| Box::pin(list::get(api, request))),
    ("GET", "/v1/messages/{id}", |api, request| Box::pin(message::get(api, request))),
    ("PATCH", "/v1/messages/{id}", |api, request| Box::pin(reschedule::patch(api, request))),
    ("POST", "/v1/messages/{id}/cancel", |api, request| Box::pin(cancel::message(api, request))),
    ("POST", "/v1/batches", |api, request| Box::pin(bulk::post(api, request))),
    ("GET", "/v1/batches", |api, request| Box::pin(batch::list(api, request))),
    ("GET", "/v1/batches/{id}", |api, request| Box::pin(batch::get(api, request))),
    ("POST", "/v1/batches/{id}/cancel", |api, request| Box::pin(cancel::batch(api, request))),
    ("POST", "/v1/cancel", |api, request| Box::pin(revoke::post(api, request))),
    ("POST", "/v1/explain", |api, request| Box::pin(explain::post(api, request))),
    ("GET", "/v1/suppressions", |api, request| Box::pin(people::get(api, request))),
    ("POST", "/v1/suppressions", |api, request| Box::pin(people::post(api, request))),
    ("DELETE", "/v1/suppressions", |api, request| Box::pin(people::delete(api, request))),
    ("POST", "/v1/suppressions/import", |api, request| Box::pin(import::post(api, request))),
    ("GET", "/v1/suppressions/export", |api, request| Box::pin(people::export(api, request))),
    ("GET", "/v1/preferences/{number}", |api, request| Box::pin(preference::get(api, request))),
    ("PUT", "/v1/preferences/{number}", |api, request| Box::pin(preference::put(api, request))),
    ("DELETE", "/v1/preferences/{number}", |api, request| Box::pin(preference::delete(api, request))),
    ("DELETE", "/v1/numbers/{number}", |api, request| Box::pin(erase::delete(api, request))),
    ("GET", "/v1/numbers/{number}/erasure", |api, request| Box::pin(erase::get(api, request))),
    ("POST", "/v1/preview", |api, request| Box::pin(preview::post(api, request))),
    ("GET", "/v1/lookup/{number}", |api, request| Box::pin(advise::lookup(api, request))),
    ("GET", "/v1/next-opening", |api, request| Box::pin(advise::next_opening(api, request))),
    ("GET", "/v1/keywords/classify", |api, request| Box::pin(advise::classify(api, request))),
    ("GET", "/v1/rules", |api, request| Box::pin(rules::get(api, request))),
    ("POST", "/v1/rules/reload", |api, request| Box::pin(rules::reload(api, request))),
    ("GET", "/v1/carriers", |api, request| Box::pin(service::carriers(api, request))),
    ("GET", "/v1/webhooks/dead", |api, request| Box::pin(service::dead(api, request))),
    ("POST", "/v1/release", |api, request| Box::pin(service::release(api, request))),
    ("GET", "/livez", |api, request| Box::pin(service::live(api, request))),
    ("GET", "/readyz", |api, request| Box::pin(service::ready(api, request))),
    ("GET", "/metrics", |api, request| Box::pin(service::metrics(api, request))),
    ("GET", "/openapi.json", |api, request| Box::pin(service::openapi(api, request))),
];

/// Everything that is served.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    for (method, pattern, handler) in ROUTES {
        let filter = match method {
            "POST" => MethodFilter::POST,
            "PATCH" => MethodFilter::PATCH,
            "PUT" => MethodFilter::PUT,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let (api, metrics) = (api.clone(), api.engine.metrics.route(&format!("{method} {pattern}")));
        let asks_for_a_key = pattern.starts_with("/v1/");
        let serve = move |mut request: Request| {
            let (api, metrics) = (api.clone(), metrics.clone());
            async move {
                let began = api.engine.world.mono();
                let visitor = request.extensions_mut().remove::<Visitor>();
                let reply = handler(api.clone(), request).await.unwrap_or_else(Problem::reply);
                // The key is the first thing a handler looks at: whatever else it says, it has seen a right one.
                if let Some(Visitor(pace)) = visitor.filter(|_| asks_for_a_key && reply.status() != StatusCode::UNAUTHORIZED) {
                    pace.is_known();
                }
                dressed(reply, &api, &metrics, began)
            }
        };
        router = router.route(pattern, on(filter, serve));
    }
    let other = |problem: Problem| {
        let (api, metrics) = (api.clone(), api.engine.metrics.route("other"));
        move |_: Request| {
            let (api, metrics, problem) = (api.clone(), metrics.clone(), problem.clone());
            async move {
                let began = api.engine.world.mono();
                dressed(problem.reply(), &api, &metrics, began)
            }
        }
    };
    router
        .fallback(other(Problem::new(Code::NotFound, "no such address")))
        .method_not_allowed_fallback(other(Problem::new(Code::MethodNotAllowed, "this address has other methods")))
}

/// Counts an answer and gives it the headers all have.
fn dressed(mut reply: Reply, api: &Api, metrics: &RouteMetrics, began: Mono) -> Reply {
    metrics.answered(reply.status().as_u16(), api.engine.world.mono().since(began));
    let headers = reply.headers_mut();
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::title;
    use crate::api::service::OPENAPI;
    use std::collections::BTreeSet;

    fn contract() -> serde_json::Value {
        serde_json::from_str(OPENAPI).expect("JSON")
    }

    #[test]
    fn the_contract_names_every_route_and_no_other() {
        let contract = contract();
        let paths = contract["paths"].as_object().expect("paths");
        let named = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, _)| (method.to_ascii_uppercase(), path.clone()))
        });
        let served = ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
        assert_eq!(named.collect::<BTreeSet<_>>(), served.collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_contract_has_every_code_with_its_status_and_advice() {
        let problems: serde_json::Value = Code::ALL
            .iter()
            .map(|code| {
                let words = serde_json::json!({
                    "title": title(*code), "status": code.status(), "permanent": code.is_permanent(), "advice": code.advice()
                });
                (code.slug().to_owned(), words)
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(contract()["x-problems"], problems, "when this is meant, write to x-problems:\n{problems:#}");
    }
}
