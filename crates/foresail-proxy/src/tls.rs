//! TLS on either side, by rustls with the ring provider.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Error;
use crate::config::{TlsConfig, UpstreamTls};

/// A listener's certificates, replaceable while it listens.
#[derive(Debug)]
pub(crate) struct ServerTls {
    current: ArcSwap<ServerConfig>,
}

impl ServerTls {
    /// # Errors
    /// [`Error::Certificate`] for a file that cannot be read or does not hold what it should.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, Error> {
        Ok(Self { current: ArcSwap::from(server_config(config)?) })
    }

    /// Reads the files again. New connections get what is in them; if they are no good, nothing changes.
    pub(crate) fn reload(&self, config: &TlsConfig) -> Result<(), Error> {
        self.current.store(server_config(config)?);
        Ok(())
    }

    pub(crate) fn get(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

/// What is needed to speak TLS to an endpoint.
#[derive(Debug)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl ClientTls {
    /// # Errors
    /// [`Error::Certificate`] if the authorities cannot be read or the name is none.
    pub(crate) fn load(config: &UpstreamTls) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(&config.authorities)?);
        if added == 0 {
            return Err(bad(&config.authorities, "no authority in it"));
        }
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(&config.authorities, e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server_name = ServerName::try_from(config.server_name.clone()).map_err(|e| bad(&config.authorities, e))?;
        Ok(Self { config: Arc::new(client), server_name })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[expect(clippy::needless_pass_by_value, reason = "causes are made for this and thrown away")]
fn bad(path: &Path, cause: impl ToString) -> Error {
    Error::Certificate { path: path.to_owned(), cause: cause.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|e| bad(path, e))?;
    if found.is_empty() { Err(bad(path, "no certificate in it")) } else { Ok(found) }
}

fn certified(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, e))?;
    let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|e| bad(certificate, e))?;
    Ok(Arc::new(certified))
}

fn server_config(config: &TlsConfig) -> Result<Arc<ServerConfig>, Error> {
    let by_name = config
        .more
        .iter()
        .map(|pair| Ok((pair.server_name.to_ascii_lowercase(), certified(&pair.certificate, &pair.key)?)))
        .collect::<Result<BTreeMap<_, _>, Error>>()?;
    let resolver = Resolver { by_name, otherwise: certified(&config.certificate, &config.key)? };
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(&config.certificate, e))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// Chooses by the server name that the client asks for.
#[derive(Debug)]
struct Resolver {
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    otherwise: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The library hands out names in lower case.
        let named = hello.server_name().and_then(|name| self.by_name.get(name));
        Some(Arc::clone(named.unwrap_or(&self.otherwise)))
    }
}
