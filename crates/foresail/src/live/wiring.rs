//! What joins the parts of a live service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use foresail_actuate::ReadyCopy;
use foresail_core::{Limits, Policy, Timestamp};
use foresail_proxy::{Endpoint, Proxy};
use foresail_scale::{Scenario, Service, replay};
use tokio::sync::watch;

/// An upstream of full weight, without TLS.
pub(super) fn endpoint(id: &impl ToString, address: SocketAddr) -> Endpoint {
    Endpoint { id: id.to_string(), address, weight: 1.0, tls: None }
}

/// Keeps the proxy's endpoints at the copies that may be sent traffic, for as long as there are any to come.
pub(crate) async fn follow(mut copies: watch::Receiver<Vec<ReadyCopy>>, proxy: Arc<Proxy>) {
    loop {
        let ready = copies.borrow_and_update().clone();
        proxy.set_endpoints(ready.iter().map(|copy| endpoint(&copy.id, copy.address)).collect());
        if copies.changed().await.is_err() {
            return;
        }
    }
}

/// Resolves once the watch says so.
pub(crate) async fn until(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Resolves at SIGINT or SIGTERM.
///
/// # Errors
/// If no handler can be set.
pub(crate) async fn signalled() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// Shows `policy` a load that has been, on a virtual plant of `service`, as if it had decided then: `loads` are requests
/// a second by tick, the last one ending at `end`, all on the service's clock.
///
/// # Errors
/// For loads that cannot be replayed.
pub(crate) fn rehearse(
    policy: &mut dyn Policy,
    service: Service,
    limits: Limits,
    tick: Duration,
    end: Timestamp,
    loads: Vec<f64>,
) -> Result<(), foresail_scale::Error> {
    if loads.len() < 2 {
        return Ok(());
    }
    let (start, evaluate_from) = (end - tick * loads.len() as u32, loads.len() - 1);
    let scenario = Scenario { start, tick, load: loads, evaluate_from, service, limits };
    replay(&scenario, policy, |_, _| {}).map(|_| ())
}
