//! Connections: accepted up to a bound, served as HTTP/1.1, ended politely. Parsing is hyper's; what is malformed is
//! answered 400 and closed there, before anything of ours sees it. What hyper would mend is damaged before it (`pace`).

use crate::api::pace::{Guarded, Limits, Pace, Paced, Visitor};
use crate::api::places::Places;
use crate::api::routes;
use crate::api::state::Api;
use crate::base::Span;
use crate::base::quiet::{Quiet, Saying};
use crate::config::limits;
use crate::engine::Engine;
use crate::telemetry::Metrics;
use crate::world::{BoxListener, BoxStream, Clock, World, tls};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

/// Header lines of one request.
const HEADERS_MAX: usize = 64;
/// The least of a connection's read buffer: long bodies are read in pieces of up to this.
const BUFFER_BYTES: usize = 64 << 10;
/// After a refusal that left a body unread, so much of it is taken in and dropped, for so long: a peer that is still
/// sending would otherwise lose the answer with the reset of its connection.
const LINGER_BYTES: usize = 4 << 20;
const LINGER: Span = Span::secs(2);
/// After an accept that failed (no more file descriptors).
const ACCEPT_WAIT: Span = Span::millis(50);

/// Serves until `stop`; then requests under way are finished, and new ones are answered and closed meanwhile.
pub async fn serve(engine: Arc<Engine>, listener: BoxListener, tls: Option<tls::Server>, stop: CancellationToken) {
    let api = Arc::new(Api::new(engine));
    let server = Arc::new(Server::new(&api, tls));
    let mut door = Door {
        listener,
        places: Places::new(api.config().http.connections_max as usize),
        waiting: None,
        quiet: Quiet::new(limits::COMPLAINTS_MAX, limits::COMPLAINTS_EVERY),
        world: api.engine.world.clone(),
    };
    let mut serving = JoinSet::new();
    while !stop.is_cancelled() {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = serving.join_next(), if !serving.is_empty() => {}
            taken = door.next() => door.admit(&mut serving, taken, &server, &stop),
        }
    }
    // Connections that are there end with their request; those that come until then get one answer each.
    let mut late = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            ended = serving.join_next() => if ended.is_none() { break },
            Some(_) = late.join_next(), if !late.is_empty() => {}
            taken = door.next() => door.admit(&mut late, taken, &server, &stop),
        }
    }
}

/// Where connections come in.
struct Door {
    listener: BoxListener,
    places: Places,
    /// Accepted, and without a place yet. The others wait in the system's queue.
    waiting: Option<BoxStream>,
    quiet: Quiet,
    world: World,
}

impl Door {
    /// The next connection, once there is a place for it. May be dropped and asked again at any time.
    async fn next(&mut self) -> Option<(BoxStream, OwnedSemaphorePermit)> {
        if self.waiting.is_none() {
            match self.listener.accept().await {
                Ok((stream, _)) => self.waiting = Some(stream),
                Err(fault) => {
                    // Whoever holds many connections causes it twenty times a second.
                    if self.quiet.ask(self.world.mono()) == Saying::Said {
                        tracing::warn!(%fault, "a connection could not be accepted");
                    } else if let Some(times) = self.quiet.told(self.world.mono()) {
                        tracing::warn!(times, "more connections could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_WAIT.std()).await;
                    return None;
                }
            }
        }
        let place = self.places.room().await;
        self.waiting.take().map(|stream| (stream, place))
    }

    fn admit(
        &mut self,
        to: &mut JoinSet<()>,
        taken: Option<(BoxStream, OwnedSemaphorePermit)>,
        server: &Arc<Server>,
        stop: &CancellationToken,
    ) {
        let Some((stream, place)) = taken else { return };
        let pace = Pace::new(server.clock.clone(), server.limits);
        self.places.taken_by(&pace);
        let (server, stop) = (server.clone(), stop.clone());
        to.spawn(async move {
            let open = Open::new(&server.metrics);
            server.connection(stream, pace, stop).await;
            drop((open, place));
        });
    }
}

/// Counts an open connection.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Open {
        metrics.http_connections.inc();
        Open(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.http_connections.dec();
    }
}

struct Server {
    router: Router,
    tls: Option<tls::Server>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    header_bytes_max: usize,
    metrics: Arc<Metrics>,
}

impl Server {
    fn new(api: &Arc<Api>, tls: Option<tls::Server>) -> Server {
        let http = &api.config().http;
        Server {
            router: routes::router(api),
            tls,
            clock: api.engine.world.clock.clone(),
            limits: Limits { head: http.header_timeout, idle: http.keep_alive },
            header_bytes_max: usize::try_from(http.header_bytes_max).unwrap_or(usize::MAX),
            metrics: api.engine.metrics.clone(),
        }
    }

    /// The stream itself, or what is within it once hands are shaken in time.
    async fn shaken(&self, stream: BoxStream, pace: &Pace) -> Option<BoxStream> {
        let Some(tls) = &self.tls else { return Some(stream) };
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.limits.head.std(), tls.accept(stream)) => shaken,
            () = pace.has_to_go() => {
                self.metrics.http_sent_away.inc();
                return None;
            }
        };
        // Scanners and plain HTTP: not worth a line.
        let stream = shaken.ok()?.ok()?;
        pace.begin();
        Some(stream)
    }

    async fn connection(&self, stream: BoxStream, pace: Arc<Pace>, stop: CancellationToken) {
        let Some(stream) = self.shaken(stream, &pace).await else { return };
        let (router, busy) = (self.router.clone(), pace.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (mut router, visitor) = (router.clone(), Visitor(busy.clone()));
            let busy = busy.busy();
            request.extensions_mut().insert(visitor);
            Box::pin(async move {
                let reply = router.call(request).await?;
                Ok::<_, Infallible>(reply.map(|body| Guarded { body, _busy: busy }))
            })
        });
        let mut connection = http1::Builder::new()
            .half_close(true)
            .header_read_timeout(None)
            .max_headers(HEADERS_MAX)
            .max_header_size(self.header_bytes_max)
            .max_buf_size(self.header_bytes_max.max(BUFFER_BYTES))
            .serve_connection(TokioIo::new(Paced::new(stream, pace.clone(), self.header_bytes_max)), service);
        let (mut is_stopping, mut idle_at_stop) = (false, None);
        loop {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                    if let Err(fault) = ended {
                        tracing::debug!(%fault, "a connection broke off");
                    }
                    break;
                }
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    idle_at_stop = pace.idle_since();
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = pace.has_to_go() => {
                    self.metrics.http_sent_away.inc();
                    return;
                }
                () = tokio::time::sleep(pace.every().std()) => {
                    if pace.deadline().is_some_and(|due| self.clock.mono() >= due) {
                        return;
                    }
                }
            }
        }
        let Paced { mut stream, .. } = connection.into_parts().io.into_inner();
        if idle_at_stop.is_some() && idle_at_stop == pace.idle_since() {
            // Nothing was asked: there is no answer that could be lost, and a stop does not wait for clients that keep an idle
            // connection open.
            let _ = tokio::time::timeout(LINGER.std(), stream.shutdown()).await;
            return;
        }
        let _ = tokio::time::timeout(LINGER.std(), async {
            tokio::select! {
                () = linger(stream, &pace) => {}
                () = pace.has_to_go() => drop(self.metrics.http_sent_away.inc()),
            }
        })
        .await;
    }
}

/// Says that nothing more comes, and takes in what the peer still sends.
async fn linger(mut stream: BoxStream, pace: &Pace) {
    if stream.shutdown().await.is_err() || pace.has_ended() {
        return;
    }
    let mut sink = vec![0; 16 << 10];
    let mut taken = 0;
    while taken < LINGER_BYTES {
        match stream.read(&mut sink).await {
            Ok(0) | Err(_) => return,
            Ok(n) => taken += n,
        }
    }
}
