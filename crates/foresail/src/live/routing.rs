//! What the proxy's request router does, live: told when its standing or what it knows of services changes, and shown.

use foresail_proxy::{Acting, ProxyStats, RouterPhase, RouterReport, RouterStats};
use foresail_server::api::plane::{RoutedClassView, RoutedPairView, RoutedServiceView, RouterView};

use super::view::{acting, cost_ratio};

/// Classes shown: those of which most is known.
const CLASSES: usize = 32;

/// What has changed between two looks, a line each.
pub(super) fn told(before: &ProxyStats, now: &ProxyStats) -> Vec<String> {
    let (Some(before), Some(now)) = (&before.router, &now.router) else { return Vec::new() };
    let (old, new) = (&before.report, &now.report);
    if new.outcomes < old.outcomes {
        return vec!["router: it begins anew, for what it is to learn has changed".to_owned()];
    }
    let begun = (old.phase == RouterPhase::ColdStart && new.phase != RouterPhase::ColdStart)
        .then(|| format!("router: it chooses services from now on, after {} answers", new.outcomes));
    let speciality = (new.changes > old.changes).then(|| changed(now));
    let standing = (new.acting != old.acting).then(|| stands(old, new));
    begun.into_iter().chain(speciality).chain(standing).collect()
}

fn changed(now: &RouterStats) -> String {
    let changes = now.report.changes;
    let what = now.report.last_change.map_or_else(String::new, |change| {
        let class = now.classes.get(&change.class).map_or("a class of requests", String::as_str);
        let than = if change.is_slower { "slower" } else { "faster" };
        format!(": {class} is {than} at {} than was expected", service(now.services.get(&change.service)))
    });
    format!(
        "router: what services are good at has changed{what}; what is known of it counts for little now; changes so far: {changes}"
    )
}

fn stands(old: &RouterReport, new: &RouterReport) -> String {
    match (new.acting, old.acting) {
        (Acting::Baseline, _) => {
            format!("router: it was stopped: {}; least-request chooses until it is tried again", lost(new.contest))
        }
        (Acting::Learner, _) => {
            let why = compared(new.contest).unwrap_or_else(|| "nothing speaks against it".to_owned());
            format!("router: it chooses again: {why}")
        }
        (Acting::Contest, Acting::Baseline) => "router: it is tried again, in turn with least-request".to_owned(),
        (Acting::Contest, _) => {
            let last = compared(old.evidence).map_or_else(String::new, |last| format!("; when last looked at, {last}"));
            format!(
                "router: it has to prove itself, in turn with least-request, for the requests held out are cheaper{last}"
            )
        }
    }
}

/// Why a router was stopped.
pub(super) fn lost(evidence: Option<(f64, f64)>) -> String {
    compared(evidence).unwrap_or_else(|| "there is too little traffic to prove itself".to_owned())
}

fn compared(evidence: Option<(f64, f64)>) -> Option<String> {
    let (mean, error) = evidence?;
    let (more, doubt) = (100.0 * (mean.exp() - 1.0), 196.0 * error);
    let word = if more < 0.0 { "less" } else { "more" };
    Some(format!("its requests cost {:.0} % {word} than least-request's (± {doubt:.0} %)", more.abs()))
}

fn service(name: Option<&String>) -> &str {
    name.map(String::as_str).filter(|name| !name.is_empty()).unwrap_or("endpoints of no service")
}

/// What there is to see.
pub(super) fn view(stats: &RouterStats) -> RouterView {
    let report = &stats.report;
    // Endpoints of no service are shown where there are any, and services that are gone are not.
    let shown: Vec<_> = report
        .services
        .iter()
        .filter_map(|service| Some((stats.services.get(&service.key)?, service)))
        .filter(|(name, service)| !name.is_empty() || service.classes.iter().any(|class| class.tries >= 0.5))
        .collect();
    let tries = |class: usize| shown.iter().map(|(_, service)| service.classes[class].tries).sum::<f64>();
    let count = shown.first().map_or(0, |(_, service)| service.classes.len());
    let mut classes: Vec<(usize, f64)> = (0..count).map(|class| (class, tries(class))).collect();
    classes.retain(|(_, tries)| *tries >= 0.5);
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let class = |at: usize| {
        let pairs = shown.iter().map(|(_, service)| {
            let class = &service.classes[at];
            RoutedPairView {
                latency_ms: rounded(class.latency_ms),
                success: rounded(class.success),
                resource: rounded(class.resource),
                cost: rounded(class.cost),
                tries: rounded(class.tries),
            }
        });
        let key = shown.first().map_or(0, |(_, service)| service.classes[at].class);
        // The first is all that found no place.
        let name = if at == 0 { Some("all others".to_owned()) } else { stats.classes.get(&key).cloned() };
        RoutedClassView { name, services: pairs.collect() }
    };
    let mut importance: Vec<(String, f64)> =
        report.importance.iter().map(|(name, share)| ((*name).to_owned(), rounded(*share))).collect();
    importance.sort_by(|a, b| b.1.total_cmp(&a.1));
    RouterView {
        phase: match report.phase {
            RouterPhase::ColdStart => "cold_start",
            RouterPhase::Learned => "learned",
            RouterPhase::Baseline => "baseline",
        }
        .to_owned(),
        acting: acting(report.acting).to_owned(),
        cost_ratio: cost_ratio(report.evidence),
        contest_ratio: cost_ratio(report.contest),
        outcomes: report.outcomes,
        lost: stats.lost,
        changes: report.changes,
        importance,
        services: shown
            .iter()
            .map(|(name, service)| RoutedServiceView {
                name: (*name).clone(),
                latency_ms: rounded(service.latency_ms),
                success: rounded(service.success),
                steepness: rounded(service.steepness),
            })
            .collect(),
        classes: classes.into_iter().take(CLASSES).map(|(at, _)| class(at)).collect(),
    }
}

/// To thousandths: a page shows no more, and views are sent often.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use foresail_proxy::{ClassReport, ServiceReport, SpecialityChange};

    use super::*;

    /// Two services, each good at one of two classes; nothing has come that found no place, nor to endpoints of no service.
    fn learned() -> ProxyStats {
        let class = |class: u64, latency_ms: f64, tries: f64| ClassReport {
            class,
            latency_ms,
            success: 0.99,
            resource: latency_ms,
            cost: latency_ms + 10.0,
            tries,
        };
        let service = |key: u64, tries: f64| {
            let latency = |at: u64| if at == key { 10.0 } else { 40.0 };
            let classes = vec![class(0, 20.0, 0.0), class(1, latency(1), tries), class(2, latency(2), 2.0 * tries)];
            ServiceReport { key, latency_ms: 20.0, success: 0.99, steepness: 0.2, classes }
        };
        let report = RouterReport {
            phase: RouterPhase::Learned,
            acting: Acting::Learner,
            outcomes: 300,
            changes: 1,
            last_change: None,
            evidence: Some((-0.5, 0.05)),
            contest: None,
            importance: vec![("size", 0.1), ("class_latency", 0.9)],
            services: vec![service(9, 0.1), service(1, 60.0), service(2, 70.0), service(3, 5.0)],
        };
        let services = [(9, ""), (1, "images"), (2, "search")].map(|(key, name)| (key, name.to_owned())).into();
        let stats = RouterStats { services, classes: [(1, "GET /a".to_owned())].into(), report, lost: 3 };
        ProxyStats { router: Some(stats), ..ProxyStats::default() }
    }

    #[test]
    fn classes_and_services_are_shown_by_name_and_what_is_unused_is_not() {
        let view = view(&learned().router.unwrap());
        assert_eq!(
            (view.phase.as_str(), view.acting.as_str(), view.outcomes, view.lost),
            ("learned", "learner", 300, 3)
        );
        assert_eq!(view.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["images", "search"]);
        let names: Vec<_> = view.classes.iter().map(|class| class.name.as_deref()).collect();
        assert_eq!(names, [None, Some("GET /a")], "most frequent first");
        let [at_home, away] = view.classes[1].services[..] else { panic!("{view:?}") };
        assert_eq!((at_home.latency_ms, at_home.cost, at_home.tries), (10.0, 20.0, 60.0));
        assert_eq!((away.latency_ms, away.tries), (40.0, 70.0));
        assert_eq!(view.importance, [("class_latency".to_owned(), 0.9), ("size".to_owned(), 0.1)]);
        assert!(view.cost_ratio.is_some_and(|(mean, low, high)| low < mean && mean < high && high < 0.7), "{view:?}");
    }

    #[test]
    fn what_the_router_does_is_told_with_its_reason() {
        let now = learned();
        fn with(change: impl FnOnce(&mut RouterStats)) -> ProxyStats {
            let mut stats = learned();
            change(stats.router.as_mut().unwrap());
            stats
        }
        let acting = |acting, contest| with(|stats| (stats.report.acting, stats.report.contest) = (acting, contest));
        let check = |before: &ProxyStats, now: &ProxyStats, expected: &[&str]| assert_eq!(told(before, now), expected);
        check(&ProxyStats::default(), &now, &[]);
        check(&now, &now, &[]);
        let cold = with(|stats| stats.report.phase = RouterPhase::ColdStart);
        check(&cold, &now, &["router: it chooses services from now on, after 300 answers"]);
        check(
            &now,
            &with(|stats| stats.report.outcomes = 2),
            &["router: it begins anew, for what it is to learn has changed"],
        );
        let slower = SpecialityChange { class: 1, service: 2, is_slower: true };
        let changed = with(|stats| (stats.report.changes, stats.report.last_change) = (2, Some(slower)));
        check(
            &now,
            &changed,
            &[
                "router: what services are good at has changed: GET /a is slower at search than was expected; what is known of \
               it counts for little now; changes so far: 2",
            ],
        );
        let (contest, stopped) = (acting(Acting::Contest, None), acting(Acting::Baseline, Some((0.5, 0.05))));
        check(
            &with(|stats| stats.report.evidence = Some((0.2, 0.02))),
            &contest,
            &[
                "router: it has to prove itself, in turn with least-request, for the requests held out are cheaper; when last \
               looked at, its requests cost 22 % more than least-request's (± 4 %)",
            ],
        );
        check(
            &contest,
            &stopped,
            &[
                "router: it was stopped: its requests cost 65 % more than least-request's (± 10 %); least-request chooses until it \
               is tried again",
            ],
        );
        check(&stopped, &contest, &["router: it is tried again, in turn with least-request"]);
        check(
            &contest,
            &acting(Acting::Learner, Some((-0.5, 0.05))),
            &["router: it chooses again: its requests cost 39 % less than least-request's (± 10 %)"],
        );
    }
}
