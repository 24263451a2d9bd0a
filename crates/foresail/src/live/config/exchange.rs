//! Whether proxies of the same endpoints tell one another what they learn of them.

use std::path::Path;
use std::time::Duration;

use foresail_core::humane;
use foresail_http::Endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientConfig;

/// Several proxies before the same endpoints, each of which sees a part of the answers: they tell one another what they have
/// learned, and how much each has in flight there. Endpoints are found by their addresses, so all proxies name them alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExchangeConfig {
    /// Addresses of the others' APIs, such as `https://10.0.0.2:8700`, up to 32, whose service of the same name is asked. This
    /// proxy's own among them does no harm, so that one file serves all.
    pub(crate) peers: Vec<String>,
    /// Time between two questions, 20ms to 5s. Default 50ms: what is told of requests in flight is soon of the past. An answer
    /// takes some 5 kB for ten endpoints: with hundreds of them, ask less often.
    #[serde(with = "humane::Text")]
    pub(crate) every: Duration,
    /// As whom and how patiently they are asked; a token that may read is enough.
    pub(crate) client: ClientConfig,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        let client = ClientConfig { timeout: Duration::from_secs(2), ..ClientConfig::default() };
        Self { peers: Vec::new(), every: Duration::from_millis(50), client }
    }
}

impl ExchangeConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.peers.len() > 32 {
            return Err(format!("peers has {} entries, accepted are up to 32", self.peers.len()));
        }
        for peer in &self.peers {
            Endpoint::parse(peer).map_err(|e| format!("peers: {peer}: {e}"))?;
        }
        if !(Duration::from_millis(20)..=Duration::from_secs(5)).contains(&self.every) {
            return Err(format!("every is {}, accepted is 20ms to 5s", humane::format(self.every)));
        }
        self.client.check()
    }

    /// Paths that were relative to `folder`, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.client.resolve(folder);
    }
}
