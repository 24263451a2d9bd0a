//! Secure connections to a host whose authority was made for the test.

use std::net::SocketAddr;
use std::sync::Arc;

use foresail_http::{Client, ClientOptions, Endpoint, Error};
use rcgen::{CertificateParams, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// A host named `localhost`, and the certificate (PEM) of its authority.
async fn host() -> (SocketAddr, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET / HTTP/1.1\r\n"));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecure").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (address, pem)
}

#[tokio::test]
async fn an_authority_is_trusted_only_where_it_is_named() {
    let (address, pem) = host().await;
    let endpoint = |name: &str| Endpoint::parse(&format!("https://{name}:{}/", address.port())).unwrap();
    let trusting = Client::new(&ClientOptions { ca_pem: Some(pem.into_bytes()), ..ClientOptions::default() }).unwrap();
    let response = trusting.get(&endpoint("localhost")).await.unwrap();
    assert_eq!(response.body.as_ref(), b"secure");
    // Another name than the certificate's, and an authority nobody vouched for.
    let public = Client::new(&ClientOptions::default()).unwrap();
    for error in
        [trusting.get(&endpoint("127.0.0.1")).await.unwrap_err(), public.get(&endpoint("localhost")).await.unwrap_err()]
    {
        assert!(matches!(error, Error::Tls { .. }) && !error.is_transient(), "{error}");
    }
}

#[test]
fn a_text_without_certificates_is_no_authority() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = ClientOptions { ca_pem: Some(pem.as_bytes().to_vec()), ..ClientOptions::default() };
        assert!(matches!(Client::new(&options), Err(Error::BadOption { option: "ca_pem", .. })), "{pem}");
    }
}
