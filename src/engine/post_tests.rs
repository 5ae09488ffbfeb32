//! Tests of the client over loopback, with servers that answer octet by octet as told.

use super::*;
use crate::world::BoxListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn loopback() -> Rules {
    Rules { allow_loopback: true, allow_private: false, allow_http: true, ports: vec![] }
}

async fn listen() -> (BoxListener, Target) {
    let listener = World::real().net.listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let target = Target { host: "127.0.0.1".into(), port: listener.local_addr().port(), tls: false, path: "/a?b=c".into() };
    (listener, target)
}

fn call(target: &Target, timeout: Span) -> Call<'_> {
    Call { method: Method::POST, target, headers: &[], body: Bytes::from_static(b"[]"), timeout }
}

fn post(ca: Option<&[u8]>) -> Post {
    Post::new(World::real(), tls::Client::new(ca).expect("roots"), Some(loopback()))
}

/// Reads until the request's body of two octets is in.
async fn request(stream: &mut BoxStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n[]") {
        let mut octets = [0; 1_024];
        let count = stream.read(&mut octets).await.expect("octets");
        assert!(count > 0, "closed early");
        text.extend_from_slice(&octets[..count]);
    }
    String::from_utf8(text).expect("ASCII")
}

#[tokio::test]
async fn the_request_names_its_host_and_its_whole_path() {
    let (mut listener, target) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let text = request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 202 Accepted\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nok").await.expect("written");
        text
    });
    let reply = post(None).call(&call(&target, Span::secs(10))).await.expect("an answer");
    assert_eq!((reply.status, &reply.body[..], &reply.headers["retry-after"]), (202, &b"ok"[..], &"7".parse().expect("a value")));
    let text = server.await.expect("served");
    assert!(text.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: 127.0.0.1:{}\r\n", target.port)) && text.contains("content-length: 2\r\n"), "{text}");
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_without_a_fault() {
    let (mut listener, target) = listen().await;
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            request(&mut stream).await;
            count.fetch_add(1, SeqCst);
            // Says that it stays, and goes.
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("written");
        }
    });
    let mut post = post(None);
    for _ in 0..5 {
        assert_eq!(post.call(&call(&target, Span::secs(10))).await.map(|reply| reply.status), Ok(200));
    }
    assert_eq!(served.load(SeqCst), 5);
}

#[tokio::test]
async fn a_status_counts_even_if_its_body_never_ends() {
    let (mut listener, target) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await.expect("written");
        std::future::pending::<()>().await;
    });
    let mut post = post(None);
    let reply = post.call(&call(&target, Span::millis(100))).await.expect("an answer");
    assert_eq!((reply.status, &reply.body[..]), (200, &b"x"[..]));
    assert!(post.open.is_none(), "the connection is not used again");
}

#[tokio::test]
async fn each_way_not_to_answer_has_its_fault() {
    let (mut listener, target) = listen().await;
    tokio::spawn(async move {
        let mut held = Vec::new();
        for answer in [&b""[..], b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"hold"] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            request(&mut stream).await;
            if answer == b"hold" {
                held.push(stream);
            } else {
                stream.write_all(answer).await.expect("written");
            }
        }
        std::future::pending::<()>().await;
    });
    let mut post = post(None);
    for _ in 0..3 {
        assert_eq!(post.call(&call(&target, Span::secs(10))).await.err(), Some(PostFault::Broken));
    }
    assert_eq!(post.call(&call(&target, Span::millis(100))).await.err(), Some(PostFault::Timeout));
    let forbidden = Target { host: "10.0.0.1".into(), ..target.clone() };
    assert_eq!(post.call(&call(&forbidden, Span::secs(10))).await.err(), Some(PostFault::Forbidden));
    let (other, closed) = listen().await;
    drop(other);
    assert_eq!(post.call(&call(&closed, Span::secs(10))).await.err(), Some(PostFault::Unreachable));
    let headers = [("x", "a\r\nb: c".to_owned())];
    let split = Call { headers: &headers, ..call(&closed, Span::secs(10)) };
    assert!(matches!(post.call(&split).await.err(), Some(PostFault::Unwritable | PostFault::Unreachable)));
}

#[tokio::test]
async fn tls_is_for_the_name_in_the_url_and_no_other() {
    for (named, expect) in [("localhost", Ok(200)), ("elsewhere.example", Err(PostFault::Tls))] {
        let certified = rcgen::generate_simple_self_signed([named.to_owned()]).expect("a certificate");
        let (chain, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let server = tls::Server::new(chain.as_bytes(), key.as_bytes()).expect("a server");
        let (mut listener, plain) = listen().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(mut stream) = server.accept(stream).await else { return };
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("written");
            stream.flush().await.expect("flushed");
            std::future::pending::<()>().await;
        });
        let target = Target { host: "localhost".into(), tls: true, ..plain };
        let mut post = Post::new(World::real(), tls::Client::new(Some(chain.as_bytes())).expect("roots"), Some(loopback()));
        assert_eq!(post.call(&call(&target, Span::secs(10))).await.map(|reply| reply.status), expect);
    }
}
