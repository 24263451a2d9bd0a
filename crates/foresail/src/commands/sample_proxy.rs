//! `foresail sample-proxy`: our proxy by itself, without the loop that scales, for measurements.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use foresail_proxy::{Endpoint, Proxy, ProxyConfig};

use crate::live::signalled;

/// Proxy to fixed endpoints until interrupted.
#[derive(Args, Debug)]
pub(crate) struct SampleProxy {
    /// What `[service.NAME.proxy]` of a configuration holds, as JSON
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Where requests go
    #[arg(value_name = "ENDPOINT", required = true)]
    endpoints: Vec<SocketAddr>,
}

impl SampleProxy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let file = self.config.display();
        let text = std::fs::read_to_string(&self.config).with_context(|| format!("cannot read {file}"))?;
        let config: ProxyConfig = serde_json::from_str(&text).with_context(|| file.to_string())?;
        let endpoint =
            |address: &SocketAddr| Endpoint { id: address.to_string(), address: *address, weight: 1.0, tls: None };
        let proxy = Proxy::start(config, self.endpoints.iter().map(endpoint).collect())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(signalled());
        proxy.shutdown(Duration::from_secs(1));
        ended
    }
}
