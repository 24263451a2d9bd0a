//! A proxy in front of the given endpoints, to be measured beside others:
//! `plain_proxy [--learned] LISTEN WORKERS ENDPOINT...`, such as `plain_proxy 127.0.0.1:8000 2 127.0.0.1:9000`, or with
//! TLS `127.0.0.1:8443,cert.pem,key.pem`. With `--learned` the balancer `learned` chooses endpoints, a guard judges every
//! request, and the kind of work is told.
//!
//! Prints its statistics as JSON for every line on standard input, and ends with the input.

use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;

use foresail_proxy::{Endpoint, GuardConfig, ListenConfig, Proxy, ProxyConfig, TlsConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let is_learned = arguments.next_if_eq("--learned").is_some();
    let usage = "plain_proxy [--learned] LISTEN[,CERTIFICATE,KEY] WORKERS ENDPOINT...";
    let listen = arguments.next().ok_or(usage)?;
    let workers = arguments.next().ok_or(usage)?.parse()?;
    let mut parts = listen.split(',');
    let address = parts.next().ok_or(usage)?.parse()?;
    let tls = parts.next().zip(parts.next()).map(|(certificate, key)| TlsConfig {
        certificate: PathBuf::from(certificate),
        key: PathBuf::from(key),
        more: Vec::new(),
    });
    let endpoints = arguments
        .map(|a| Ok(Endpoint { id: a.clone(), address: a.parse()?, weight: 1.0, tls: None }))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut config = ProxyConfig {
        listen: vec![ListenConfig { address, tls, ..ListenConfig::default() }],
        workers,
        ..ProxyConfig::default()
    };
    if is_learned {
        config.balancer = serde_json::from_str(r#"{ "policy": "learned" }"#)?;
        config.guard = Some(GuardConfig::default());
        config.fingerprint = true;
    }
    let proxy = Proxy::start(config, endpoints)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        serde_json::to_writer(std::io::stderr(), &proxy.stats())?;
    }
    proxy.shutdown(Duration::from_secs(5));
    Ok(())
}
