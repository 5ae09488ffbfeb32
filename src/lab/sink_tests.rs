//! The sink as a client sees it, over the simulated world.

use super::signature::Key;
use super::sink::{KeepEvents, Sink, SinkHandle, SinkMode, SinkOptions};
use super::world::SimWorld;
use crate::base::{Span, Time};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn sink(options: SinkOptions) -> (SimWorld, SinkHandle) {
    let sim = SimWorld::new(1);
    let at = SocketAddr::from(([127, 0, 0, 1], 9009));
    let sink = Sink::listen(&sim.world(), at, options).await.expect("free");
    (sim, sink)
}

fn event(id: &str, message: &str, status: &str) -> String {
    format!(
        r#"{{"type":"message.{status}","id":"{id}","seq":7,"message":{{"id":"{message}","client_ref":"ref-{message}","to":"+336"}},"status":"{status}","final":true,"at":"x"}}"#
    )
}

/// Posts a body signed now, with the headers changed as told; the response is returned with its body unread.
async fn post(sim: &SimWorld, sink: &SinkHandle, body: &str, change: impl FnOnce(&mut HeaderMap)) -> hyper::Result<Response<Incoming>> {
    let world = sim.world();
    let stream = world.net.dial(sink.local_addr()).await.expect("listening");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let now_s = world.now().0 / 1_000;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/hook")
        .header("host", "sink")
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("valid");
    let signature = Key::parse(SECRET).expect("a key").sign("evt_1", now_s, body.as_bytes());
    for (name, value) in [("webhook-id", "evt_1".to_owned()), ("webhook-timestamp", now_s.to_string()), ("webhook-signature", signature)] {
        request.headers_mut().insert(name, value.parse().expect("ASCII"));
    }
    change(request.headers_mut());
    sender.send_request(request).await
}

async fn status_of(sim: &SimWorld, sink: &SinkHandle, body: &str) -> u16 {
    post(sim, sink, body, |_| {}).await.expect("an answer").status().as_u16()
}

fn signed() -> SinkOptions {
    SinkOptions { secret: Some(SECRET.into()), keep: KeepEvents::Events, ..SinkOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_signed_well_and_lately_is_counted() {
    let (sim, sink) = sink(signed()).await;
    let body = event("e1", "m1", "delivered");
    assert_eq!(status_of(&sim, &sink, &body).await, 200);
    let answer = post(&sim, &sink, &body, |headers| {
        headers.insert("webhook-signature", "v1,AAAA".parse().expect("ASCII"));
    });
    assert_eq!(answer.await.expect("an answer").status(), 401);
    let answer = post(&sim, &sink, &body, |headers| {
        headers.remove("webhook-id");
    });
    assert_eq!(answer.await.expect("an answer").status(), 401);
    let old = sim.world().now().0 / 1_000 - 301;
    let answer = post(&sim, &sink, &body, |headers| {
        headers.insert("webhook-timestamp", old.into());
        headers.insert(
            "webhook-signature",
            Key::parse(SECRET).expect("a key").sign("evt_1", old, event("e1", "m1", "delivered").as_bytes()).parse().expect("ASCII"),
        );
    });
    assert_eq!(answer.await.expect("an answer").status(), 401);
    let counts = sink.counts();
    assert_eq!((counts.requests, counts.bad_signatures, counts.old_signatures, counts.events), (4, 2, 1, 1));
    let event = &sink.events()[0];
    assert_eq!(
        (event.kind.as_str(), event.id.as_str(), event.seq, event.client_ref.as_deref()),
        ("message.delivered", "e1", Some(7), Some("ref-m1"))
    );
    assert_eq!(Time(event.at_ms), super::world::BEGIN);
    sink.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retries_and_second_ends_are_told_apart() {
    let (sim, sink) = sink(signed()).await;
    let many = format!("[{},{}]", event("e1", "m1", "delivered"), event("e2", "m2", "expired"));
    assert_eq!(status_of(&sim, &sink, &many).await, 200);
    assert_eq!(status_of(&sim, &sink, &many).await, 200, "the same array again");
    assert_eq!(status_of(&sim, &sink, &event("e3", "m2", "delivered")).await, 200, "another end for m2");
    let counts = sink.counts();
    assert_eq!((counts.events, counts.unique, counts.repeated), (5, 3, 2));
    assert_eq!((counts.finals, counts.finals_repeated), (2, 1));
    assert_eq!((sink.finals_of("ref-m1"), sink.finals_of("ref-m9")), (1, 0));
    assert_eq!((counts.by_status["delivered"], counts.by_type["message.expired"]), (3, 2));
    assert_eq!(status_of(&sim, &sink, "[1]").await, 400);
    assert_eq!(sink.counts().malformed, 1);
}

#[tokio::test(start_paused = true)]
async fn each_mode_misbehaves_in_its_way() {
    let (sim, sink) = sink(SinkOptions { fail_first: 2, ..signed() }).await;
    let body = event("e1", "m1", "delivered");
    for expect in [500, 500, 200] {
        assert_eq!(status_of(&sim, &sink, &body).await, expect);
    }
    sink.set_mode("503".parse().expect("a mode"));
    assert_eq!(status_of(&sim, &sink, &body).await, 503);
    sink.set_mode("redirect:http://10.0.0.1/".parse().expect("a mode"));
    let answer = post(&sim, &sink, &body, |_| {}).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].as_bytes()), (307, &b"http://10.0.0.1/"[..]));
    sink.set_mode("close".parse().expect("a mode"));
    assert!(post(&sim, &sink, &body, |_| {}).await.is_err());
    sink.set_mode("hang".parse().expect("a mode"));
    let hanging = tokio::time::timeout(Span::secs(3_600).std(), post(&sim, &sink, &body, |_| {}));
    assert!(hanging.await.is_err());
    assert_eq!(sink.counts().events, 1, "only what was answered 200 is told");
    sink.set_mode("drip:1000".parse().expect("a mode"));
    let mut answer = post(&sim, &sink, &body, |_| {}).await.expect("an answer");
    let began = sim.world().mono();
    for _ in 0..5 {
        let frame = answer.body_mut().frame().await.expect("endless").expect("open");
        assert_eq!(frame.into_data().expect("data").len(), 1);
    }
    assert!(sim.world().mono().since(began) >= Span::secs(4));
    assert!("perhaps".parse::<SinkMode>().is_err() && "99".parse::<SinkMode>().is_err());
}
