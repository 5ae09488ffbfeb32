//! The gateway's HTTP interface as its customers use it.

use super::http::{Answer, Client};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A customer's program.
pub struct Api {
    client: Client,
}

impl Api {
    /// Of a gateway.
    pub fn new(at: SocketAddr, key: &str) -> Api {
        Api { client: Client::new(at, key) }
    }

    /// The same, after the gateway has moved.
    pub fn go_to(&mut self, at: SocketAddr) {
        self.client.go_to(at);
    }

    /// GET.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.client.call("GET", path, &[], &[])
    }

    /// GET of something that is there.
    pub fn see(&mut self, path: &str) -> Value {
        let answer = self.get(path).unwrap_or_else(|fault| panic!("GET {path}: {fault}"));
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// POST of a bulk in JSON. A fault says nothing about what became of it.
    pub fn post(&mut self, key: Option<&str>, bulk: &Value) -> io::Result<Answer> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.client.call("POST", "/v1/batches", &headers, &serde_json::to_vec(bulk).expect("plain values"))
    }

    /// POST of a bulk that must be taken whole: the bulk's id and the messages' ids in its order.
    pub fn take(&mut self, bulk: &Value) -> (String, Vec<String>) {
        let answer = self.post(None, bulk).expect("the gateway is up");
        assert_eq!(answer.status, 202, "{}", answer.text());
        let (batch, ids) = ids(&answer);
        assert_eq!(ids.len(), bulk["recipients"].as_array().map_or(0, Vec::len), "{}", answer.text());
        (batch, ids)
    }

    /// A message.
    pub fn message(&mut self, id: &str) -> Value {
        self.see(&format!("/v1/messages/{id}"))
    }

    /// Waits until a bulk is final; its counters.
    pub fn final_batch(&mut self, batch: &str, within: Duration) -> Value {
        super::until(&format!("{batch} is final"), within, || {
            let view = self.see(&format!("/v1/batches/{batch}"));
            let sum: u64 = view["counts"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
            assert_eq!(Some(sum), view["accepted"].as_u64(), "counters add up at any time: {view:#}");
            (view["final"] == true).then_some(view)
        })
    }

    /// All messages of a bulk, as its list shows them, page by page.
    pub fn list(&mut self, batch: &str) -> Vec<Value> {
        let (mut messages, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.see(&format!("/v1/messages?batch={batch}&limit=100{cursor}"));
            messages.extend(page["messages"].as_array().expect("messages").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return messages,
            }
        }
    }

    /// Waits until every one of these messages is final.
    pub fn finals(&mut self, ids: &[String], within: Duration) -> Vec<Value> {
        let deadline = std::time::Instant::now() + within;
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let mut last = Value::Null;
            let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                super::until(&format!("{id} is final"), left, || {
                    last = self.message(id);
                    (last["final"] == true).then(|| last.clone())
                })
            }));
            out.push(seen.unwrap_or_else(|_| panic!("{} of {} final; the next is not: {last:#}", out.len(), ids.len())));
        }
        out
    }

    /// The sum of a metric over its labels, those whose line has all of `labels` in it.
    pub fn metric(&mut self, name: &str, labels: &[&str]) -> f64 {
        let text = self.get("/metrics").expect("the gateway is up").text();
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
                && labels.iter().all(|label| line.contains(label))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// The bulk's id and the ids of the messages taken, from a 202.
pub fn ids(answer: &Answer) -> (String, Vec<String>) {
    let body = answer.json();
    let ids = body["results"].as_array().expect("results").iter().filter_map(|line| line["id"].as_str().map(str::to_owned));
    (body["batch"].as_str().expect("a bulk's id").to_owned(), ids.collect())
}
