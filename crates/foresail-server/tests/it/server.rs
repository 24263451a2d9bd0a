//! The real socket: a port of its own, an answer, an end, and TLS files that are not there.

use std::sync::Arc;
use std::time::Duration;

use foresail_server::Error;
use foresail_server::api::{Role, Server, ServerConfig, TlsConfig, TokenConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::plane::DemoPlane;

fn config() -> ServerConfig {
    ServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..ServerConfig::default() }
}

#[tokio::test]
async fn serves_and_ends_with_a_stream_open() {
    let server = Server::bind(&config(), Arc::new(DemoPlane::new(10))).await.expect("a free port");
    let address = server.address();
    assert!(server.url().starts_with("http://127.0.0.1:"));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut text = Vec::new();
    while !text.windows(11).any(|w| w == b"event: view") {
        let mut buffer = [0; 1024];
        let read =
            timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("news in time").expect("read");
        assert!(read > 0, "closed early");
        text.extend_from_slice(&buffer[..read]);
    }
    stop.send(()).expect("running");
    timeout(Duration::from_secs(4), running).await.expect("an end within its grace").expect("no panic");
    timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await.expect("an end").expect("read");
    assert!(text.ends_with(b"0\r\n\r\n"), "a whole chunked answer");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn speaks_tls_with_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key, secret) = (folder.path().join("c.pem"), folder.path().join("k.pem"), folder.path().join("token"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    std::fs::write(&secret, "a-token-from-a-file\n").expect("written");
    let token = TokenConfig { name: "ci".to_owned(), role: Role::Read, token: None, token_file: Some(secret) };
    let config = ServerConfig { tls: Some(TlsConfig { cert, key }), tokens: vec![token], ..config() };
    let server = Server::bind(&config, Arc::new(DemoPlane::new(10))).await.expect("a free port");
    let address = server.address();
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    for (token, expected) in [("a-token-from-a-file", "HTTP/1.1 200"), ("another-token-012345", "HTTP/1.1 401")] {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let name = "localhost".try_into().expect("a name");
        let mut stream = connector.connect(name, stream).await.expect("a handshake");
        let head = "GET /api/v1/services HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
        stream.write_all(format!("{head}authorization: Bearer {token}\r\n\r\n").as_bytes()).await.expect("sent");
        let mut text = String::new();
        // The server may close without the notice that TLS asks for; what came before counts.
        let _ = timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await.expect("an answer in time");
        assert!(text.starts_with(expected), "{text}");
    }
    running.abort();
}

#[tokio::test]
async fn says_what_stands_in_the_way() {
    let plane = Arc::new(DemoPlane::new(10));
    let tls = Some(TlsConfig { cert: "missing-cert.pem".into(), key: "missing-key.pem".into() });
    let error = Server::bind(&ServerConfig { tls, ..config() }, plane.clone()).await.err();
    assert!(matches!(error, Some(Error::Tls { .. })), "{error:?}");
    let taken = Server::bind(&config(), plane.clone()).await.expect("a free port");
    let error = Server::bind(&ServerConfig { listen: taken.address(), ..config() }, plane).await.err();
    assert!(matches!(error, Some(Error::Listen { .. })), "{error:?}");
}
