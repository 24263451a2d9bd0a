//! Alerts from their beginning to their end: shown, kept, told.

use std::collections::VecDeque;

use foresail_actuate::notify::{Alert, Severity};
use foresail_core::Timestamp;
use foresail_proxy::{Acting, BalancerReport, RouterStats};
use foresail_scale::controller::Alert as Condition;
use foresail_server::api::plane::AlertView;
use foresail_store::AlertRow;

use super::notices::{Notice, Notices};
use super::routing;

/// Alerts kept to be shown.
const SHOWN: usize = 100;

/// An alert and its end.
struct Held {
    alert: Alert,
    ended: Option<Timestamp>,
}

/// The alerts of one service.
pub(super) struct Alerts {
    service: String,
    /// Newest first.
    held: VecDeque<Held>,
    /// Changed since they were last kept.
    changed: Vec<AlertRow>,
    notices: Notices,
}

impl Alerts {
    /// Goes on from what was kept, newest first.
    pub(super) fn restore(service: &str, kept: Vec<AlertRow>, notices: Notices) -> Self {
        let held = kept.into_iter().take(SHOWN).filter_map(|row| {
            let alert: Alert = serde_json::from_value(row.detail).ok()?;
            Some(Held { alert, ended: row.ended })
        });
        Self { service: service.to_owned(), held: held.collect(), changed: Vec::new(), notices }
    }

    /// Whose they are.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// An alert begins; one that lasts already goes on, with its newest text and figures.
    pub(super) fn begin(&mut self, alert: Alert) {
        tracing::warn!("{}: {}", self.service, alert.text);
        self.notices.tell(&Notice::Raise(alert.clone()));
        match self.lasting(&alert.kind, &alert.subject) {
            Some(held) => held.alert = Alert { began: held.alert.began, ..alert },
            None => self.hold(Held { alert, ended: None }),
        }
    }

    /// Something worth showing that is over as it is told.
    fn mention(&mut self, alert: Alert) {
        tracing::info!("{}: {}", self.service, alert.text);
        let ended = Some(alert.began);
        self.hold(Held { alert, ended });
    }

    /// An alert ends; one that does not last is left alone.
    pub(super) fn end(&mut self, now: Timestamp, kind: &str, subject: &str) {
        let Some(held) = self.lasting(kind, subject) else { return };
        held.ended = Some(now);
        let row = row(held);
        tracing::info!("{}: over: {}", self.service, row.text);
        self.changed.push(row);
        let (service, kind, subject) = (self.service.clone(), kind.to_owned(), subject.to_owned());
        self.notices.tell(&Notice::Resolve { time: now, service, kind, subject });
    }

    /// What the controller says has begun and ended.
    pub(super) fn follow(&mut self, now: Timestamp, began: &[Condition], ended: &[&'static str]) {
        for kind in ended {
            self.end(now, kind, "");
        }
        for condition in began {
            let alert = told(&self.service, now, condition);
            if condition.is_moment() { self.mention(alert) } else { self.begin(alert) }
        }
    }

    /// A balancer that learns loses its say, or has it back.
    pub(super) fn balancing(&mut self, now: Timestamp, reports: &[BalancerReport]) {
        let lost = reports.iter().find(|report| report.acting == Acting::Baseline);
        let text = lost.map(|report| {
            let why = match report.evidence {
                Some((mean, error)) => {
                    let (more, doubt) = (100.0 * (mean.exp() - 1.0), 196.0 * error);
                    format!("its answers cost {more:.0} % more than least-request's (± {doubt:.0} %)")
                }
                None => "there is too little traffic to prove itself".to_owned(),
            };
            format!("the balancer {} was stopped: {why}", report.policy)
        });
        let action = "nothing to do: least-request chooses endpoints until it is tried again";
        self.demotion(now, "balancer_demoted", text, action);
    }

    /// The request router loses its say, or has it back.
    pub(super) fn routing(&mut self, now: Timestamp, router: Option<&RouterStats>) {
        let lost = router.filter(|router| router.report.acting == Acting::Baseline);
        let text =
            lost.map(|router| format!("the request router was stopped: {}", routing::lost(router.report.contest)));
        let action = "nothing to do: the service with the least requests in flight is chosen until it is tried again";
        self.demotion(now, "router_demoted", text, action);
    }

    /// Begins with the first `text`, ends where there is none.
    fn demotion(&mut self, now: Timestamp, kind: &str, text: Option<String>, action: &str) {
        match text {
            None => self.end(now, kind, ""),
            Some(_) if self.lasting(kind, "").is_some() => {}
            Some(text) => {
                let alert = Alert::new(&self.service, kind, Severity::Info, text, now);
                self.begin(Alert { action: Some(action.to_owned()), ..alert });
            }
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn changed(&mut self) -> Vec<AlertRow> {
        std::mem::take(&mut self.changed)
    }

    /// As it is shown, newest first.
    pub(super) fn views(&self) -> Vec<AlertView> {
        let view = |held: &Held| AlertView {
            kind: held.alert.kind.clone(),
            severity: held.alert.severity.word().to_owned(),
            time: held.alert.began,
            ended: held.ended,
            text: held.alert.text.clone(),
            action: held.alert.action.clone().unwrap_or_default(),
            context: held.alert.context.clone().into_iter().collect(),
        };
        self.held.iter().map(view).collect()
    }

    fn lasting(&mut self, kind: &str, subject: &str) -> Option<&mut Held> {
        let is_it = |h: &&mut Held| h.ended.is_none() && h.alert.kind == kind && h.alert.subject == subject;
        self.held.iter_mut().find(is_it)
    }

    fn hold(&mut self, held: Held) {
        self.changed.push(row(&held));
        self.held.push_front(held);
        self.held.truncate(SHOWN);
    }
}

fn row(held: &Held) -> AlertRow {
    let alert = &held.alert;
    AlertRow {
        fingerprint: alert.fingerprint(),
        service: alert.service.clone(),
        kind: alert.kind.clone(),
        text: alert.text.clone(),
        began: alert.began,
        ended: held.ended,
        last_sent: None,
        detail: serde_json::to_value(alert).unwrap_or_default(),
    }
}

/// A controller's alert with how much it matters and what to do about it.
fn told(service: &str, now: Timestamp, condition: &Condition) -> Alert {
    let (severity, action) = match condition {
        Condition::Silent { .. } => (Severity::Warning, "check the metric source: nothing is removed meanwhile"),
        Condition::HandedBack { .. } => (Severity::Critical, "restore the metric source, or set the replicas by hand"),
        Condition::Demoted { .. } => {
            (Severity::Warning, "nothing to do: the baseline decides until the champion has proved itself again")
        }
        Condition::AtMaximum { .. } => (Severity::Critical, "raise the maximum, or shed load"),
        Condition::OverBudget => (Severity::Warning, "raise the budget, or accept that peaks may be late"),
        Condition::StartsFail { .. } => (Severity::Critical, "look at the logs of the copies that fail to start"),
        Condition::OtherWriter { .. } => {
            (Severity::Warning, "find who else scales this target, then set the mode to act again")
        }
        _ => (Severity::Info, "nothing to do"),
    };
    let action = Some(action.to_owned());
    Alert { action, ..Alert::new(service, condition.kind(), severity, condition.to_string(), now) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_balancer_that_lost_is_told_once_and_its_return_too() {
        let now = Timestamp::from_secs(1);
        let mut alerts = Alerts::restore("web", Vec::new(), Notices::default());
        let report = |acting, evidence| [BalancerReport { policy: "learned", acting, evidence, arms: Vec::new() }];
        alerts.balancing(now, &report(Acting::Learner, None));
        assert!(alerts.views().is_empty());
        (0..3).for_each(|_| alerts.balancing(now, &report(Acting::Baseline, Some((0.5, 0.05)))));
        let [view] = &alerts.views()[..] else { panic!("{:?}", alerts.views()) };
        assert_eq!(
            view.text,
            "the balancer learned was stopped: its answers cost 65 % more than least-request's (± 10 %)"
        );
        assert_eq!(view.ended, None);
        alerts.balancing(now, &report(Acting::Contest, None));
        assert_eq!(alerts.views()[0].ended, Some(now));
    }

    #[test]
    fn an_alert_lasts_until_its_end_and_over_a_restart() {
        let noon = Timestamp::from_secs(43_200);
        let mut alerts = Alerts::restore("web", Vec::new(), Notices::default());
        alerts.follow(noon, &[Condition::OverBudget, Condition::TakenBack], &[]);
        alerts.follow(noon, &[], &["silent"]); // it never began
        let rows = alerts.changed();
        assert_eq!(
            rows.iter().map(|r| (r.kind.as_str(), r.ended)).collect::<Vec<_>>(),
            [("over_budget", None), ("taken_back", Some(noon))]
        );
        let mut alerts = Alerts::restore("web", rows, Notices::default());
        let later = noon + Duration::from_secs(60);
        alerts.follow(later, &[], &["over_budget"]);
        assert_eq!(alerts.changed()[0].ended, Some(later));
        let views = alerts.views();
        assert!(views.iter().all(|v| v.ended.is_some() && !v.action.is_empty()), "{views:?}");
    }
}
