use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foresail_proxy::config::CertificatePair;
use foresail_proxy::{Endpoint, Proxy, ProxyConfig, TlsConfig, UpstreamTls};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::support::*;

/// Writes a self-signed certificate and its key.
fn certificate(folder: &Path, file: &str, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let paths = (folder.join(format!("{file}.pem")), folder.join(format!("{file}.key")));
    std::fs::write(&paths.0, made.cert.pem()).unwrap();
    std::fs::write(&paths.1, made.signing_key.serialize_pem()).unwrap();
    paths
}

async fn connect(
    proxy: &Proxy,
    root: &Path,
    name: &str,
    alpn: &[&str],
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn config(folder: &Path) -> (ProxyConfig, TlsConfig) {
    let (certificate_a, key_a) = certificate(folder, "a", "a.example");
    let (certificate_b, key_b) = certificate(folder, "b", "b.example");
    let more = vec![CertificatePair { server_name: "b.example".into(), certificate: certificate_b, key: key_b }];
    let tls = TlsConfig { certificate: certificate_a, key: key_a, more };
    let mut config = one_worker();
    config.listen[0].tls = Some(tls.clone());
    (config, tls)
}

#[tokio::test]
async fn http1_and_http2_over_tls_by_server_name() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("up").await;
    let (config, _) = config(folder.path());
    let proxy = start(config, &[&upstream]);
    for name in ["a", "b"] {
        let root = folder.path().join(format!("{name}.pem"));
        let mut stream = connect(&proxy, &root, &format!("{name}.example"), &["http/1.1"]).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.unwrap();
        assert!(answer.ends_with(b"up"));
    }
    assert_eq!(upstream.asked()[0].headers["x-forwarded-proto"], "https");
    // The other name's certificate is not handed out.
    assert!(connect(&proxy, &folder.path().join("a.pem"), "b.example", &[]).await.is_err());

    let stream = connect(&proxy, &folder.path().join("a.pem"), "a.example", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("https://a.example/h2?x")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(Bytes::from("hello")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "up");
    let asked = upstream.asked().pop().unwrap();
    assert_eq!((asked.target.as_str(), asked.body.as_slice()), ("/h2?x", &b"hello"[..]));
    assert_eq!(
        (&asked.headers["host"], &asked.headers["cookie"]),
        (&"a.example".parse().unwrap(), &"a=1; b=2".parse().unwrap())
    );
    check_balance(&until(&proxy, "over", |s| s.completed == 3).await);
}

#[tokio::test]
async fn http2_without_tls_by_prior_knowledge() {
    let upstream = Upstream::start("up").await;
    let proxy = start(one_worker(), &[&upstream]);
    let tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    // Many at once over one connection.
    let asks = (0..50).map(|i| {
        let request = Request::get(format!("http://a/{i}")).body(Full::new(Bytes::new())).unwrap();
        let answer = sender.send_request(request);
        async move { answer.await.unwrap().status() }
    });
    for status in futures_util::future::join_all(asks).await {
        assert_eq!(status, 200);
    }
    let mismatch = Request::get("http://a/").header("host", "b").body(Full::new(Bytes::new())).unwrap();
    assert_eq!(sender.send_request(mismatch).await.unwrap().status(), 400);
    let stats = until(&proxy, "over", |s| s.completed == 50).await;
    assert_eq!((stats.accepted, stats.refused), (1, 1));
    check_balance(&stats);
}

#[tokio::test]
async fn certificates_are_replaced_while_running() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start("up").await;
    let (config, tls) = config(folder.path());
    let proxy = start(config.clone(), &[&upstream]);
    let root = folder.path().join("a.pem");
    let kept = std::fs::read(&root).unwrap();
    let old_root = folder.path().join("old.pem");
    std::fs::write(&old_root, kept).unwrap();
    let open = connect(&proxy, &old_root, "a.example", &[]).await.unwrap();
    certificate(folder.path(), "a", "a.example");
    proxy.reload(config.clone()).unwrap();
    assert!(connect(&proxy, &old_root, "a.example", &[]).await.is_err());
    connect(&proxy, &root, "a.example", &[]).await.unwrap();
    // Connections made before go on; what is no certificate changes nothing.
    drop(open);
    std::fs::write(&tls.key, "no key").unwrap();
    let error = proxy.reload(config.clone()).unwrap_err();
    assert!(error.to_string().contains("a.key"), "{error}");
    connect(&proxy, &root, "a.example", &[]).await.unwrap();
    let mut other = config;
    other.workers = 2;
    assert!(proxy.reload(other).is_err());
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = config(folder.path());
    let proxy = start(config, &[]);
    let (path, key) = certificate(folder.path(), "a", "a.example");
    // Neither a coarse clock nor a tool that sets times back hides the change.
    for path in [path, key] {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    let root = folder.path().join("a.pem");
    let begin = tokio::time::Instant::now();
    while connect(&proxy, &root, "a.example", &[]).await.is_err() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn endpoints_may_speak_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = certificate(folder.path(), "up", "up.internal");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&file).unwrap()],
            PrivateKeyDer::from_pem_file(&key).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                let service =
                    hyper::service::service_fn(|_| async { Ok::<_, std::convert::Infallible>(whole(200, "safe")) });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let tls = |name: &str| Some(UpstreamTls { server_name: name.into(), authorities: file.clone() });
    let up = |name: &str| Endpoint { id: name.into(), address, weight: 1.0, tls: tls(name) };
    let proxy = Proxy::start(one_worker(), vec![up("up.internal")]).unwrap();
    for _ in 0..3 {
        assert!(get(&proxy, "/").await.ends_with("safe"));
    }
    // A certificate for another name is not accepted.
    proxy.set_endpoints(vec![up("other.internal")]);
    assert_eq!(status(&get(&proxy, "/").await), 502);
    let nowhere = UpstreamTls { server_name: "x".into(), authorities: folder.path().join("missing") };
    let broken = Endpoint { tls: Some(nowhere), ..up("up.internal") };
    assert!(Proxy::start(one_worker(), vec![broken]).is_err());
}

/// Whoever never finishes the handshake is cut off.
#[tokio::test]
async fn a_silent_handshake_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, _) = config(folder.path());
    config.deadlines.header = Duration::from_millis(200);
    let proxy = start(config, &[]);
    let mut tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    tcp.write_all(&[0x16, 3, 1]).await.unwrap();
    assert_eq!(read_all(&mut tcp).await, "");
}

/// A client that opens streams and takes nothing of their answers holds them, and the endpoint, only for a while.
#[tokio::test]
async fn http2_streams_that_are_not_read_are_reset() {
    let address = raw_upstream(|mut tcp, _| async move {
        let _ = read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").await;
        let block = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            if tcp.write_all(&block).await.is_err() {
                return;
            }
        }
    })
    .await;
    let mut config = one_worker();
    config.deadlines.stall = Duration::from_millis(300);
    let proxy = Proxy::start(config, vec![endpoint("a", address)]).unwrap();
    let tcp = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let request = || Request::get("http://a/").body(Full::new(Bytes::new())).unwrap();
    let unread = sender.send_request(request()).await.unwrap();
    let mut read = sender.send_request(request()).await.unwrap().into_body();
    // The one that is read, if slowly, goes on meanwhile.
    let stats = async {
        let stats = until(&proxy, "reset", |s| s.aborted == 1 && s.in_flight == 1).await;
        check_balance(&stats);
    };
    let reading = async {
        for _ in 0..400 {
            read.frame().await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::join!(stats, reading);
    drop((unread, read));
    until(&proxy, "over", |s| s.in_flight == 0).await;
}
