//! A simulated SMSC on a port of the world: the far side of the gateway's SMPP sessions, with the habits of a
//! `Personality`, and a record of what it saw. Tasks run on the caller's runtime until `stop`.

use super::hub::{Hub, Line, Mo};
use super::pdu::Address;
use super::personality::Personality;
use super::record::{RecordOptions, Recorder, SmscCounts, Watch};
use super::smsc_session::serve;
use crate::base::Span;
use crate::world::{BoxListener, World, tls};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// Starts SMSCs.
pub struct Smsc;

/// What an SMSC needs beside its personality.
pub struct Options {
    /// TLS from the first octet.
    pub tls: Option<tls::Server>,
    /// The record; share it to let one record outlive several SMSCs.
    pub record: Arc<Recorder>,
    /// Told of everything as it happens.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Default for Options {
    fn default() -> Options {
        Options { tls: None, record: Arc::new(Recorder::new(RecordOptions::default())), watch: None }
    }
}

/// A running SMSC. Dropping it leaves the SMSC running; `stop` ends it.
pub struct SmscHandle {
    at: SocketAddr,
    hub: Arc<Hub>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Smsc {
    /// Opens the port and serves it. Errors: a port that cannot be opened, a personality out of range.
    pub async fn listen(world: &World, at: SocketAddr, personality: Personality, options: Options) -> io::Result<SmscHandle> {
        personality.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let listener = world.net.listen(at).await?;
        let at = listener.local_addr();
        let hub = Arc::new(Hub::new(personality, options.record, options.watch));
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn(accept(world.clone(), listener, hub.clone(), options.tls, stop.clone()));
        Ok(SmscHandle { at, hub, stop, task })
    }
}

async fn accept(world: World, mut listener: BoxListener, hub: Arc<Hub>, tls: Option<tls::Server>, stop: Arc<Notify>) {
    let mut sessions = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.notified() => break,
            Some(_) = sessions.join_next() => {}
            call = listener.accept() => match call {
                Ok((stream, _)) => {
                    number += 1;
                    let (world, hub, tls) = (world.clone(), hub.clone(), tls.clone());
                    let line = Arc::new(Line::default());
                    hub.join(number, &line);
                    sessions.spawn(async move {
                        let stream = match &tls {
                            None => Ok(stream),
                            Some(tls) => tokio::select! {
                                biased;
                                shaken = tls.accept(stream) => shaken,
                                () = line.wake.notified() => Err(io::ErrorKind::ConnectionAborted.into()),
                            },
                        };
                        if let Ok(stream) = stream {
                            serve(world, hub.clone(), line, number, stream).await;
                        }
                        hub.part(number);
                    });
                }
                // Out of descriptors, for one: the next call may do better.
                Err(_) => tokio::time::sleep(Span::millis(100).std()).await,
            },
        }
    }
    drop(listener);
    hub.cut_all();
    // Each hands in what it counted; one that is stuck in its last write is left after a while.
    let ends = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(Span::secs(10).std(), ends).await.is_err() {
        sessions.shutdown().await;
    }
}

impl SmscHandle {
    /// The port, the real one when 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.at
    }

    /// What it saw so far. Sessions hand in at the end of each burst.
    #[must_use]
    pub fn record(&self) -> Arc<Recorder> {
        self.hub.record.clone()
    }

    /// The counters.
    #[must_use]
    pub fn counts(&self) -> SmscCounts {
        self.hub.record.counts()
    }

    /// Connections open now, bound or not.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.hub.sessions()
    }

    /// Receipts and messages that are not due yet or find nobody bound.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hub.waiting()
    }

    /// A subscriber's message, for the first account that can receive, or that will.
    pub fn inject_mo(&self, from: &str, to: &str, text: &str) {
        self.hub.inject(Mo { from: Address::guess(from), to: Address::guess(to), text: text.into(), part: None });
    }

    /// The same of one part of a long text: its reference, how many parts it has, and which one this is, from 1.
    pub fn inject_mo_part(&self, from: &str, to: &str, text: &str, part: [u8; 3]) {
        self.hub.inject(Mo { from: Address::guess(from), to: Address::guess(to), text: text.into(), part: Some(part) });
    }

    /// Cuts all connections without a word and returns how many; the port stays open.
    pub fn cut_sessions(&self) -> usize {
        self.hub.cut_all()
    }

    /// Gives sessions from now on another personality (the seed of the old sessions stays theirs).
    pub fn set_personality(&self, personality: Personality) -> Result<(), &'static str> {
        personality.check()?;
        self.hub.set_personality(personality);
        Ok(())
    }

    /// Closes the port, cuts the sessions and waits for their ends.
    pub async fn stop(self) {
        self.stop.notify_one();
        // A panic of the accepting task has failed louder elsewhere.
        let _ = self.task.await;
    }
}
