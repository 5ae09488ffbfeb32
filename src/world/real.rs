//! The operating system. The only file that may touch its clock, sockets, randomness and threads.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use super::{BoxFuture, BoxListener, BoxStream, Clock, Entropy, Finished, Listener, LocalFuture, Net, Pool, Start, World};
use crate::base::{Mono, Time};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};

/// The real world's clock, network and randomness.
pub struct World0 {
    began: Instant,
}

/// The real world's threads.
pub struct RealStart;

impl World {
    /// The operating system's clock, network, randomness and threads. Here and not beside `World`, so that the seams
    /// do not know what fills them.
    #[must_use]
    pub fn real() -> World {
        let real = Arc::new(World0 { began: Instant::now() });
        World { clock: real.clone(), net: real.clone(), entropy: real, start: Arc::new(RealStart) }
    }
}

impl Clock for World0 {
    fn wall(&self) -> Time {
        // A clock before 1970 reads as 1970: expiry then errs on the side of waiting.
        Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
    }
    fn mono(&self) -> Mono {
        Mono(self.began.elapsed().as_micros() as u64)
    }
}

impl Entropy for World0 {
    fn fill(&self, buffer: &mut [u8]) {
        use rustls::crypto::SecureRandom;
        let random: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
        random.fill(buffer).expect("the operating system gives randomness or nothing can be signed");
    }
}

struct TcpPort(TcpListener, SocketAddr);

impl Listener for TcpPort {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as BoxStream, from))
        })
    }
    fn local_addr(&self) -> SocketAddr {
        self.1
    }
}

impl Net for World0 {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>> {
        Box::pin(async move {
            let listener = TcpListener::bind(at).await?;
            let at = listener.local_addr()?;
            Ok(Box::new(TcpPort(listener, at)) as BoxListener)
        })
    }
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

impl Start for RealStart {
    fn start(&self, name: &str, part: Box<dyn FnOnce() -> LocalFuture + Send>) -> Finished {
        let (tell, told) = tokio::sync::oneshot::channel();
        let spawned = std::thread::Builder::new().name(name.into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = match runtime {
                Ok(runtime) => {
                    let local = tokio::task::LocalSet::new();
                    local.block_on(&runtime, async move { part().await });
                    Ok(())
                }
                Err(fault) => Err(fault.to_string()),
            };
            // The starter may have gone; then nobody asks.
            let _ = tell.send(outcome);
        });
        Box::pin(async move {
            spawned.map_err(|fault| fault.to_string())?;
            told.await.unwrap_or_else(|_| Err("panicked".into()))
        })
    }

    fn pool(&self, name: &str, threads: usize, niceness: u8) -> Option<Pool> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads.max(1)).thread_name(name).enable_all();
        // On Linux a thread has a niceness of its own; it is inherited by what the thread starts. Elsewhere it is the
        // whole process's, and the governor alone has to do.
        #[cfg(target_os = "linux")]
        builder.on_thread_start(move || {
            if let Err(fault) = rustix::process::setpriority_process(None, i32::from(niceness)) {
                tracing::warn!(%fault, "threads that should give way do not");
            }
        });
        #[cfg(not(target_os = "linux"))]
        let _ = niceness;
        builder.build().ok().map(Pool::new)
    }
}
