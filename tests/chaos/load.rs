//! Customers who never give up: each posts bulk after bulk, every one under its own Idempotency-Key, and repeats a
//! bulk until it has a definite answer, whatever dies meanwhile.

use crate::common::api::{Api, ids};
use crate::common::gateway::key;
use relais::lab::Chance;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Messages of one bulk.
pub const BULK: usize = 10;

/// What is promised for a message in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Sent again, labelled.
    ResendOnce,
    /// Never sent again.
    AtMostOnce,
}

/// A message the gateway has answered for.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The gateway's id.
    pub id: String,
    /// Which of all messages: its recipient, its token and its client_ref.
    pub number: usize,
}

/// The recipient of a message; nobody else gets one.
pub fn recipient(number: usize) -> String {
    format!("336{number:08}")
}

/// What a message asked for in case of doubt.
pub fn doubt(number: usize) -> Doubt {
    if number.is_multiple_of(3) { Doubt::AtMostOnce } else { Doubt::ResendOnce }
}

/// How many parts it has.
pub fn parts(number: usize) -> u8 {
    if number.is_multiple_of(11) { 2 } else { 1 }
}

/// A bulk of these messages.
pub fn bulk(numbers: std::ops::Range<usize>) -> Value {
    let recipients = numbers.map(|number| {
        let doubt = match doubt(number) {
            Doubt::ResendOnce => "resend_once",
            Doubt::AtMostOnce => "at_most_once",
        };
        let tail = if parts(number) == 2 { "and more of it ".repeat(11) } else { String::new() };
        let text = format!("Order #{number}# {tail}");
        json!({"to": format!("+{}", recipient(number)), "client_ref": number.to_string(), "doubt": doubt, "text": text})
    });
    json!({"defaults": {"from": "SHOP"}, "recipients": recipients.collect::<Vec<_>>()})
}

#[derive(Default)]
struct Shared {
    at: Mutex<Option<SocketAddr>>,
    is_over: AtomicBool,
    next: AtomicUsize,
    repeated: AtomicUsize,
    /// Whether the disk itself is being destroyed: then 500 says that nobody knows.
    is_forgiving: AtomicBool,
}

/// Customers at work.
pub struct Load {
    shared: Arc<Shared>,
    customers: Vec<JoinHandle<Vec<Acknowledged>>>,
}

impl Load {
    /// So many customers; each rests up to `rest` between two bulks.
    pub fn start(customers: u64, seed: u64, rest: Duration) -> Load {
        let shared = Arc::<Shared>::default();
        let customers = (0..customers).map(|customer| {
            let (shared, chance) = (shared.clone(), Chance::new(seed ^ (customer + 1) << 32));
            std::thread::spawn(move || work(&shared, chance, seed, rest))
        });
        Load { customers: customers.collect(), shared }
    }

    /// Where the gateway is now; `None` while it is dead.
    pub fn gateway_at(&self, at: Option<SocketAddr>) {
        *self.shared.at.lock().expect("no customer panics here") = at;
    }

    /// From now on a 500 is taken for what it says: ask again under the same key. For `loadtests/chaos`.
    #[allow(dead_code)]
    pub fn forgive(&self) {
        self.shared.is_forgiving.store(true, Ordering::Relaxed);
    }

    /// Requests made again under their key.
    pub fn repeated(&self) -> usize {
        self.shared.repeated.load(Ordering::Relaxed)
    }

    /// Lets every customer get the answer to its last bulk; all that was acknowledged.
    pub fn stop(self) -> Vec<Acknowledged> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.customers.into_iter().flat_map(|customer| customer.join().expect("every bulk gets its answer")).collect()
    }
}

fn work(shared: &Shared, mut chance: Chance, seed: u64, rest: Duration) -> Vec<Acknowledged> {
    let (mut api, mut acknowledged): (Option<Api>, _) = (None, Vec::new());
    while !shared.is_over.load(Ordering::Relaxed) {
        let first = shared.next.fetch_add(BULK, Ordering::Relaxed);
        let (name, bulk) = (format!("{seed}-{first}"), bulk(first..first + BULK));
        let ids = definite(shared, &mut api, &name, &bulk);
        if chance.hit(0.15) {
            // The answer was there; a customer whose own disk lost it asks again.
            shared.repeated.fetch_add(1, Ordering::Relaxed);
            assert_eq!(definite(shared, &mut api, &name, &bulk), ids, "one key, one answer");
        }
        assert_eq!(ids.len(), BULK, "all of it is right, so all of it is taken");
        acknowledged.extend(ids.into_iter().zip(first..).map(|(id, number)| Acknowledged { id, number }));
        std::thread::sleep(Duration::from_millis(chance.below(rest.as_millis() as u64)));
    }
    acknowledged
}

/// Posts until the answer is definite; the ids.
fn definite(shared: &Shared, api: &mut Option<Api>, name: &str, bulk: &Value) -> Vec<String> {
    for attempt in 0..3_000 {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let Some(at) = *shared.at.lock().expect("no customer panics here") else { continue };
        let api = api.get_or_insert_with(|| Api::new(at, &key()));
        api.go_to(at);
        match api.post(Some(name), bulk) {
            Ok(answer) if answer.status == 202 => return ids(&answer).1,
            // In progress, over a limit, stopping: asked again.
            Ok(answer) if matches!(answer.status, 409 | 429 | 503) => {}
            Ok(answer) if answer.status == 500 && shared.is_forgiving.load(Ordering::Relaxed) => {}
            Ok(answer) => panic!("bulk {name}: {} {}", answer.status, answer.text()),
            // Nobody knows what became of it: that is what the key is for.
            Err(_) => {}
        }
        shared.repeated.fetch_add(1, Ordering::Relaxed);
    }
    panic!("bulk {name} has no definite answer after a minute");
}
