//! Finding messages again, page by page.

use crate::rig::{KEY, OTHER, Rig, Setup, auth};
use serde_json::Value;
use std::collections::BTreeSet;

/// Sends nothing: its carrier asks for a hundred seconds a segment.
const SLOW: &str = "segments_per_second = 0.01\nburst = 1";

/// Every page of a list; the ids in their order.
async fn pages(rig: &Rig, path: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = rig.get(&format!("{path}{sign}limit={limit}{cursor}")).await.json();
        let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page:#}"));
        assert!(messages.len() <= limit);
        ids.extend(messages.iter().filter_map(|message| message["id"].as_str()).map(str::to_owned));
        let Some(next) = page["next"].as_str() else { return ids };
        assert!(!messages.is_empty(), "a page that leads on has something");
        cursor = format!("&cursor={next}");
    }
}

async fn bulk(rig: &Rig, lines: u32, reference: &str) -> (String, Vec<String>) {
    let rows: String =
        (0..lines).map(|n| format!("+336{n:08},SHOP,x,{reference},{}\n", if n % 3 == 0 { "otp" } else { "transactional" })).collect();
    let answer = rig.post("/v1/batches", "text/csv", format!("to,from,text,client_ref,class\n{rows}").as_bytes()).await.json();
    let ids = answer["results"].as_array().expect("results").iter().filter_map(|result| result["id"].as_str()).map(str::to_owned);
    (answer["batch"].as_str().expect("an id").to_owned(), ids.collect())
}

fn newest_first(ids: &[String]) -> Vec<String> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_any_size_hold_every_message_once() {
    let sections = "[journal]\nframe_messages_max = 7";
    let rig = Rig::start(Setup { carrier: SLOW, sections, ..Setup::default() }).await;
    let (first, of_first) = bulk(&rig, 60, "spring").await;
    let (second, of_second) = bulk(&rig, 45, "summer").await;
    let mut singles = Vec::new();
    for _ in 0..5 {
        let answer = rig.send(r#"{"to":"+33600000001","from":"SHOP","text":"x","client_ref":"spring"}"#).await.json();
        singles.push(answer["id"].as_str().expect("an id").to_owned());
    }
    let all = [of_first.clone(), of_second.clone(), singles.clone()].concat();
    for limit in [1, 3, 7, 50, 100] {
        assert_eq!(pages(&rig, "/v1/messages", limit).await, newest_first(&all), "{limit}");
        let spring = [of_first.clone(), singles.clone()].concat();
        assert_eq!(pages(&rig, "/v1/messages?client_ref=spring", limit).await, newest_first(&spring), "{limit}");
        let to = [vec![of_first[1].clone(), of_second[1].clone()], singles.clone()].concat();
        assert_eq!(pages(&rig, "/v1/messages?to=%2B33600000001", limit).await, newest_first(&to), "{limit}");
        for (batch, ids) in [(&first, &of_first), (&second, &of_second)] {
            let listed = pages(&rig, &format!("/v1/messages?batch={batch}"), limit).await;
            assert_eq!(listed.len(), ids.len(), "{limit}");
            assert_eq!(listed.iter().collect::<BTreeSet<_>>(), ids.iter().collect::<BTreeSet<_>>(), "{limit}");
        }
    }
    assert!(pages(&rig, "/v1/messages?client_ref=winter", 50).await.is_empty());
    let line = rig.get(&format!("/v1/messages?batch={first}&limit=1")).await.json()["messages"][0].clone();
    assert!(line.get("timeline").is_none() && line.get("parts").is_none() && line["batch"] == *first, "{line:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulks_are_listed_newest_first_in_pages() {
    let rig = Rig::start(Setup { carrier: SLOW, ..Setup::default() }).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.insert(0, bulk(&rig, 2, "r").await.0);
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rig.get(&format!("/v1/batches?limit=3{cursor}")).await.json();
        listed.extend(page["batches"].as_array().expect("bulks").iter().filter_map(|batch| batch["batch"].as_str()).map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carriers_and_the_contract_are_shown() {
    let rig = Rig::start(Setup::default()).await;
    let carriers = crate::rig::until("bound", async || {
        let answer = rig.get("/v1/carriers").await.json();
        (answer["carriers"][0]["state"] == "up").then_some(answer)
    })
    .await;
    assert_eq!(
        carriers,
        serde_json::json!({"carriers": [{"name": "one", "state": "up", "links": [{"state": "bound"}], "id_base": "learning"}]})
    );
    let openapi: Value = rig.get("/openapi.json").await.json();
    assert_eq!(openapi, serde_json::from_str::<Value>(include_str!("../../proto/openapi.json")).expect("JSON"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_a_webhook_did_not_take_are_shown_to_its_account_page_by_page() {
    let options = relais::lab::SinkOptions { mode: relais::lab::SinkMode::Status(404), ..relais::lab::SinkOptions::default() };
    let world = relais::world::World::real();
    let sink = relais::lab::Sink::listen(&world, "127.0.0.1:0".parse().expect("an address"), options).await.expect("it listens");
    let port = sink.local_addr().port();
    let sections = format!(
        "[webhook_rules]\nallow_loopback = true\nallow_http = true\nports = [{port}]\n[[webhooks]]\nname = \"crm\"\naccount = \"shop\"\n\
         url = \"http://127.0.0.1:{port}/hook\"\nsecret = \"whsec_c3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4=\"\ntimeout = \"100ms\"\nretry_for = \"1s\""
    );
    let rig = Rig::start(Setup { sections: sections.leak(), ..Setup::default() }).await;
    let (_, ids) = bulk(&rig, 7, "r").await;
    let dead = |page: &Value| page["dead"].as_array().expect("letters").clone();
    let all = crate::rig::until("all are given up", async || {
        let page = rig.get("/v1/webhooks/dead").await.json();
        (dead(&page).len() == 7).then_some(page)
    })
    .await;
    assert!(all.get("next").is_none());
    let mut of: Vec<String> =
        dead(&all).iter().map(|letter| letter["event"]["message"]["id"].as_str().expect("an id").to_owned()).collect();
    of.sort_unstable();
    let mut ids = ids;
    ids.sort_unstable();
    assert_eq!(of, ids);
    assert!(
        dead(&all).iter().all(|letter| letter["webhook"] == "crm" && letter["why"].as_str().is_some_and(|why| !why.is_empty())),
        "{all:#}"
    );
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rig.get(&format!("/v1/webhooks/dead?limit=2{cursor}")).await.json();
        paged.extend(dead(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, dead(&all));
    assert_eq!(rig.call("GET", "/v1/webhooks/dead", &[auth(OTHER)], b"").await.json(), serde_json::json!({"dead": []}));
    assert_eq!(rig.call("GET", "/v1/webhooks/dead?limit=x", &[auth(KEY)], b"").await.code(), "bad_query");
}
