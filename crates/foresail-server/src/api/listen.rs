//! The socket: bind, accept, TLS, and an end that lets answers finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt;

use super::config::{ServerConfig, TlsConfig};
use super::pages::Peer;
use super::plane::ControlPlane;
use super::router::router;
use crate::Error;

/// Longest wait for a TLS handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long answers may go on once the server is to end.
const GRACE: Duration = Duration::from_secs(5);

/// A server that has its address and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    closing: watch::Sender<bool>,
    connections: Arc<Semaphore>,
}

impl Server {
    /// Checks `config`, reads tokens and certificates, and takes the address.
    ///
    /// # Errors
    /// [`Error`] for whatever stands in the way.
    pub async fn bind(config: &ServerConfig, plane: Arc<dyn ControlPlane>) -> Result<Self, Error> {
        config.check()?;
        let tls = config.tls.as_ref().map(acceptor).transpose()?;
        let failed = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (closing, closed) = watch::channel(false);
        let router = router(config, address, plane, closed)?;
        let connections = Arc::new(Semaphore::new(config.max_connections));
        Ok(Self { listener, address, tls, router, closing, connections })
    }

    /// Where it listens: the port that was taken, if port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://…` or `https://…`, for people.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Serves until `stop`, then lets what is being answered finish for at most five seconds.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept() => accepted,
            };
            while tasks.try_join_next().is_some() {}
            let Ok((stream, peer, permit)) = accepted else {
                // Out of descriptors, most likely: what is open will end.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (router, tls, closing) = (self.router.clone(), self.tls.clone(), self.closing.subscribe());
            tasks.spawn(async move {
                connection(stream, peer, router, tls, closing).await;
                drop(permit);
            });
        }
        drop(self.listener);
        self.closing.send_replace(true);
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tasks.shutdown().await;
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        let closed = |_| io::Error::other("the server has ended");
        let permit = Arc::clone(&self.connections).acquire_owned().await.map_err(closed)?;
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, peer, permit))
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    closing: watch::Receiver<bool>,
) {
    // Small answers go out at once; a socket that refuses the option only answers a little later.
    let _ = stream.set_nodelay(true);
    match tls {
        None => http(TokioIo::new(stream), peer, router, closing).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                http(TokioIo::new(stream), peer, router, closing).await;
            }
        }
    }
}

async fn http<I>(io: I, peer: SocketAddr, router: Router, mut closing: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(64 * 1024)
            .serve_connection(io, service)
    );
    // What goes wrong on a connection (a client that left, a broken request) concerns that client alone.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn acceptor(files: &TlsConfig) -> Result<TlsAcceptor, Error> {
    let bad = |why: String| Error::Tls { cert: files.cert.clone(), key: files.key.clone(), why };
    let chain = CertificateDer::pem_file_iter(&files.cert).map_err(|e| bad(e.to_string()))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|e| bad(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| bad(e.to_string()))?;
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| bad(e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
