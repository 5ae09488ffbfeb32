//! TLS by rustls, over any stream of the world. Verification is never switched off: a carrier with a private
//! authority is reached by naming its CA file.

use super::{BoxStream, World};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io;
use std::sync::Arc;

/// What dialling with TLS needs.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

/// What listening with TLS needs.
#[derive(Clone)]
pub struct Server(Arc<ServerConfig>);

fn wrong(what: &str, why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: {why}"))
}

impl Client {
    /// Trusts the public authorities, or only those in `ca_pem` when it is given.
    pub fn new(ca_pem: Option<&[u8]>) -> io::Result<Client> {
        let mut roots = RootCertStore::empty();
        match ca_pem {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    roots.add(certificate.map_err(|why| wrong("CA file", why))?).map_err(|why| wrong("CA file", why))?;
                }
                if roots.is_empty() {
                    return Err(wrong("CA file", "holds no certificate"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong("TLS", why))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Client(Arc::new(config)))
    }

    /// Shakes hands over an open stream; `name` is checked against the certificate.
    pub async fn connect(&self, name: &str, stream: BoxStream) -> io::Result<BoxStream> {
        let name = ServerName::try_from(name.to_owned()).map_err(|why| wrong("server name", why))?;
        Ok(Box::new(tokio_rustls::TlsConnector::from(self.0.clone()).connect(name, stream).await?))
    }
}

impl Server {
    /// From a certificate chain and its key, both PEM.
    pub fn new(chain_pem: &[u8], key_pem: &[u8]) -> io::Result<Server> {
        let chain = CertificateDer::pem_slice_iter(chain_pem).collect::<Result<Vec<_>, _>>().map_err(|why| wrong("certificate", why))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|why| wrong("key", why))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong("TLS", why))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|why| wrong("certificate", why))?;
        Ok(Server(Arc::new(config)))
    }

    /// Shakes hands with a caller.
    pub async fn accept(&self, stream: BoxStream) -> io::Result<BoxStream> {
        Ok(Box::new(tokio_rustls::TlsAcceptor::from(self.0.clone()).accept(stream).await?))
    }
}

/// Dials an address, with TLS when `client` is given.
pub async fn dial(world: &World, to: std::net::SocketAddr, tls: Option<(&Client, &str)>) -> io::Result<BoxStream> {
    let stream = world.net.dial(to).await?;
    match tls {
        None => Ok(stream),
        Some((client, name)) => client.connect(name, stream).await,
    }
}
