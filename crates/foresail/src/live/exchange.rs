//! What other proxies of the same endpoints have learned: asked of their APIs again and again, and handed to the proxy here;
//! what it has learned itself is laid out for them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::{ArcSwap, ArcSwapOption};
use foresail_http::{Client, ClientOptions, Endpoint};
use foresail_proxy::{Proxy, SharedStatistics};
use foresail_server::api::plane::PeerView;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::config::ExchangeConfig;
use crate::clock::Tempo;

/// The longest answer that is read: some thousand endpoints.
const MOST_BYTES: usize = 8 << 20;

/// What others may see of an exchange; nothing, where there is none.
#[derive(Clone, Default)]
pub(crate) struct Exchanged {
    /// What the proxy here has learned, for other proxies to ask for.
    pub(super) laid_out: Arc<ArcSwapOption<SharedStatistics>>,
    /// The other proxies.
    pub(super) peers: Arc<ArcSwap<Vec<PeerView>>>,
}

/// One service's exchange.
pub(super) struct Exchange {
    service: String,
    every: Duration,
    peers: Vec<Peer>,
    tempo: Tempo,
}

/// Another proxy.
#[derive(Clone)]
struct Peer {
    /// As configured.
    name: String,
    endpoint: Endpoint,
    client: Client,
}

/// What a peer answers with.
#[derive(Deserialize)]
struct Answer {
    statistics: Option<SharedStatistics>,
}

impl Peer {
    /// What it has learned; none if it has not learned anything yet.
    async fn ask(&self) -> anyhow::Result<Option<SharedStatistics>> {
        let response = self.client.get(&self.endpoint).await?;
        if !response.is_success() {
            bail!("it answers with {}: {}", response.status, response.excerpt(200));
        }
        let answer: Answer = serde_json::from_slice(&response.body).context("its answer cannot be understood")?;
        Ok(answer.statistics)
    }
}

impl Exchange {
    /// Of the service `service` with those configured.
    ///
    /// # Errors
    /// If a file of credentials cannot be read or used.
    pub(super) fn new(service: &str, config: &ExchangeConfig, tempo: &Tempo) -> anyhow::Result<Self> {
        let client = Client::new(&ClientOptions { max_bytes: MOST_BYTES, ..config.client.options()? })?;
        let peer = |name: &String| -> anyhow::Result<Peer> {
            let endpoint = Endpoint::parse(name)?.with_path(&format!("/api/v1/services/{service}/statistics"));
            Ok(Peer { name: name.clone(), endpoint, client: client.clone() })
        };
        let peers = config.peers.iter().map(peer).collect::<anyhow::Result<_>>()?;
        Ok(Self { service: service.to_owned(), every: config.every, peers, tempo: tempo.clone() })
    }

    /// What others will see of it.
    pub(super) fn seen(&self) -> Exchanged {
        let unasked = |peer: &Peer| PeerView { address: peer.name.clone(), heard: None, trouble: None };
        let peers = self.peers.iter().map(unasked).collect::<Vec<_>>();
        Exchanged { peers: Arc::new(ArcSwap::from_pointee(peers)), ..Exchanged::default() }
    }

    /// Asks, each peer at its own pace, and lays out, until it is dropped.
    pub(super) async fn run(self, proxy: Arc<Proxy>, seen: Exchanged) {
        let (service, every) = (self.service, self.every);
        let mut asking = JoinSet::new();
        for (index, peer) in self.peers.into_iter().enumerate() {
            let listening = Listening { service: service.clone(), index, peer, tempo: self.tempo.clone() };
            asking.spawn(listening.run(Arc::clone(&proxy), every, Arc::clone(&seen.peers)));
        }
        let mut turns = turns(every);
        loop {
            turns.tick().await;
            seen.laid_out.store(proxy.statistics().map(Arc::new));
        }
    }
}

fn turns(every: Duration) -> tokio::time::Interval {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// One peer being asked.
struct Listening {
    service: String,
    index: usize,
    peer: Peer,
    tempo: Tempo,
}

impl Listening {
    async fn run(self, proxy: Arc<Proxy>, every: Duration, peers: Arc<ArcSwap<Vec<PeerView>>>) {
        let mut turns = turns(every);
        let mut is_away = false;
        loop {
            turns.tick().await;
            let trouble = match self.peer.ask().await {
                Ok(statistics) => {
                    if is_away {
                        tracing::info!("{}: {} answers again", self.service, self.peer.name);
                    }
                    statistics.iter().for_each(|statistics| proxy.hear(statistics));
                    None
                }
                Err(error) => {
                    let text = format!("{error:#}");
                    if !is_away {
                        tracing::warn!("{}: {} is not heard: {text}", self.service, self.peer.name);
                    }
                    Some(text)
                }
            };
            is_away = trouble.is_some();
            let now = self.tempo.now();
            peers.rcu(|peers| {
                let mut peers = Vec::clone(peers);
                if let Some(peer) = peers.get_mut(self.index) {
                    peer.heard = if is_away { peer.heard } else { Some(now) };
                    peer.trouble.clone_from(&trouble);
                }
                peers
            });
        }
    }
}
