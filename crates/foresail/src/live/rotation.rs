//! Which endpoints take part, told when that changes.

use foresail_proxy::{EndpointState, EndpointStats, ProxyStats};

/// What has changed between two looks, a line each.
pub(super) fn told(before: &ProxyStats, now: &ProxyStats) -> Vec<String> {
    let known = |id: &str| before.endpoints.iter().find(|earlier| earlier.id == id);
    now.endpoints.iter().filter_map(|endpoint| change(known(&endpoint.id)?, endpoint)).collect()
}

fn change(before: &EndpointStats, now: &EndpointStats) -> Option<String> {
    let id = &now.id;
    if now.ejections > before.ejections {
        let failed = now.failed.saturating_sub(before.failed);
        let all = failed + now.completed.saturating_sub(before.completed);
        return Some(format!(
            "endpoint {id} is out of rotation: {failed} of the last {all} answers failed; ejections so far: {}",
            now.ejections
        ));
    }
    let is_out = |state| matches!(state, EndpointState::Ejected { .. } | EndpointState::Unhealthy);
    match (is_out(before.state), is_out(now.state)) {
        (false, true) => Some(format!("endpoint {id} is out of rotation: its probes fail")),
        (true, false) if now.state != EndpointState::Draining => Some(format!("endpoint {id} is back in rotation")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn stats(failed: u64, ejections: u64, state: EndpointState) -> ProxyStats {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let (id, latency) = ("a".to_owned(), foresail_proxy::Histogram::default());
        let endpoint = EndpointStats {
            id,
            address,
            picks: 100 + failed,
            completed: 100,
            failed,
            in_flight: 0,
            latency_ewma_ms: 0.0,
            latency,
            state,
            ejections,
            learned: None,
        };
        ProxyStats { endpoints: vec![endpoint], ..ProxyStats::default() }
    }

    #[test]
    fn what_leaves_and_what_comes_back_is_told_with_its_reason() {
        let sound = stats(0, 0, EndpointState::Healthy);
        let ejected = stats(6, 1, EndpointState::Ejected { until_ms: 9 });
        fn check(before: &ProxyStats, now: &ProxyStats, expected: &[&str]) {
            assert_eq!(told(before, now), expected);
        }
        check(
            &sound,
            &ejected,
            &["endpoint a is out of rotation: 6 of the last 6 answers failed; ejections so far: 1"],
        );
        check(&ejected, &ejected, &[]);
        check(&ejected, &stats(6, 1, EndpointState::SlowStart), &["endpoint a is back in rotation"]);
        check(&ejected, &stats(6, 1, EndpointState::Draining), &[]);
        let unhealthy = stats(0, 0, EndpointState::Unhealthy);
        check(&sound, &unhealthy, &["endpoint a is out of rotation: its probes fail"]);
        check(&ProxyStats::default(), &ejected, &[]);
    }
}
