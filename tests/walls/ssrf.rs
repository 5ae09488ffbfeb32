//! A customer's webhook that tries to lead inside: its name changes address between two looks, its answer points to the
//! metadata service. A whole gateway over a network whose names answer as the attack wants; the connections that were made
//! are all there is to see.

use crate::rig::{JSON, Rig, Setup, auth, until};
use relais::world::{BoxFuture, BoxListener, BoxStream, Net, World};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PUBLIC: &str = "93.184.215.14";

/// The real network, but for one name, which leads where the script says, and for one public address, which is ours.
struct Rebinding {
    real: Arc<dyn Net>,
    script: Mutex<VecDeque<Vec<&'static str>>>,
    receiver: SocketAddr,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Net for Rebinding {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.dialled.lock().expect("no panic").push(to);
        let to = if to.ip().to_string() == PUBLIC { self.receiver } else { to };
        self.real.dial(to)
    }
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        self.real.listen(at)
    }
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        if host != "hooks.example.com" {
            return self.real.resolve(host, port);
        }
        let answer = self.script.lock().expect("no panic").pop_front().unwrap_or_else(|| vec![PUBLIC]);
        let addresses = answer.iter().map(|address| SocketAddr::new(address.parse().expect("an address"), port)).collect();
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// Answers each connection once, then closes it; counts them.
async fn listener(answers: &'static [&'static str]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at, count) = (listener.local_addr().expect("a port"), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 64 << 10];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answers[n.min(answers.len() - 1)].as_bytes()).await;
        }
    });
    (at, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_turns_inward_and_a_redirect_to_the_metadata_service_lead_nowhere() {
    const REDIRECT: &str =
        "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const TAKEN: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    let (receiver, told) = listener(&[REDIRECT, TAKEN]).await;
    // The service inside: on the very port that the URL names.
    let (inside, reached) = listener(&[TAKEN]).await;
    let script: VecDeque<Vec<&str>> = [vec![PUBLIC], vec!["127.0.0.1"], vec![PUBLIC, "::ffff:127.0.0.1"]].into();
    let real = World::real();
    let net = Arc::new(Rebinding { real: real.net.clone(), script: Mutex::new(script), receiver, dialled: Mutex::default() });
    let world = World { net: net.clone(), ..real };
    let sections: &'static str = Box::leak(
        format!(
            "[webhook_rules]\nallow_http = true\nports = [{0}]\n[[webhooks]]\nname = \"crm\"\naccount = \"shop\"\n\
             url = \"http://hooks.example.com:{0}/in\"\nsecret = \"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"",
            inside.port()
        )
        .into_boxed_str(),
    );
    let rig = Rig::start_in(world, Setup { sections, ..Setup::default() }).await;
    let body = br##"{"to":"+33612345678","from":"SHOP","text":"#x#"}"##;
    let answer = rig.call("POST", "/v1/messages", &[auth(crate::rig::KEY), ("content-type", JSON)], body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    until("it is told in the end", async || (told.load(Ordering::SeqCst) >= 2).then_some(())).await;
    let smsc = rig.smsc.local_addr();
    let dialled: Vec<SocketAddr> =
        net.dialled.lock().expect("no panic").iter().copied().filter(|to| *to != smsc && *to != rig.gateway.http).collect();
    assert!(dialled.iter().all(|to| to.ip().to_string() == PUBLIC), "{dialled:?}");
    assert_eq!(reached.load(Ordering::SeqCst), 0, "nobody came inside");
    assert!(net.script.lock().expect("no panic").is_empty(), "every answer of the name was tried");
}
