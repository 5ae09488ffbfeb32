//! The seam of the network: streams one can dial and listen for, and names one can resolve.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An ordered stream of octets both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream of any kind: TCP, TLS over TCP, or simulated.
pub type BoxStream = Box<dyn Stream>;

/// An open port.
pub trait Listener: Send {
    /// The next connection and where it comes from.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>>;
    /// The address that was bound; the port is the real one when 0 was asked for.
    fn local_addr(&self) -> SocketAddr;
}

/// An open port of any kind.
pub type BoxListener = Box<dyn Listener>;

/// The network.
pub trait Net: Send + Sync {
    /// Connects to exactly this address; the caller bounds the wait.
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>>;
    /// Opens a port.
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<BoxListener>>;
    /// All addresses of a name; a literal address is its own.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}
