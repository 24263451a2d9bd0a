//! Sizes, limits and warm-up.

use std::fs;

use foresail_actuate::process::{Resize, ResizeBy, ResizeSignal, Warm};
use foresail_actuate::{Actuator, Error};
use foresail_core::Goal;

use crate::support::{behind_shell, folder, ms, observed, order, pids, ready, scale, service, start, until};

#[tokio::test]
async fn copies_are_replaced_one_by_one_by_larger_ones() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.resize = Some(Resize { base_workers: 4, env: "WORKERS".to_owned(), by: ResizeBy::Restart });
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let before = pids(&fleet.observe().await.unwrap());
    let mut endpoints = fleet.endpoints();
    order(&fleet, 1, Goal::Size { factor: 1.5 }).await.unwrap();
    let mut fewest = usize::MAX;
    while endpoints.borrow_and_update().iter().any(|copy| copy.id <= 2) {
        endpoints.changed().await.unwrap();
        fewest = fewest.min(endpoints.borrow().len());
    }
    assert!(fewest >= 2, "{fewest}");
    let seen = observed(&fleet, |seen| seen.copies.len() == 2).await;
    assert_eq!(seen.size, 1.5);
    assert!(pids(&seen).iter().all(|pid| !before.contains(pid)));
    let log = fs::read_to_string(config.folder.join("logs/copy-4.log")).unwrap();
    assert!(log.contains("with 6 workers"), "{log}");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn running_copies_are_signalled_and_read_their_size() {
    let folder = folder();
    let script = r#"trap 'cat "$FORESAIL_SIZE_FILE" > "$TOLD"' USR1; "$0" "$@" & while :; do wait $!; done"#;
    let mut config = behind_shell(service(folder.path()), script);
    config.initial = 2;
    config.env.insert("TOLD".to_owned(), format!("{}/told-{{id}}", folder.path().display()));
    let by = ResizeBy::Signal { signal: ResizeSignal::Usr1 };
    config.resize = Some(Resize { base_workers: 2, env: "WORKERS".to_owned(), by });
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let before = pids(&fleet.observe().await.unwrap());
    order(&fleet, 1, Goal::Size { factor: 2.0 }).await.unwrap();
    for id in [1, 2] {
        let told = folder.path().join(format!("told-{id}"));
        until("new size", async || fs::read_to_string(&told).is_ok_and(|text| text == "4\n")).await;
    }
    assert_eq!(pids(&fleet.observe().await.unwrap()), before);
    scale(&fleet, 2, 3).await;
    ready(&fleet, 3).await;
    let log = fs::read_to_string(config.folder.join("logs/copy-3.log")).unwrap();
    assert!(log.contains("with 4 workers"), "{log}");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn goals_without_means_or_meaning_are_refused() {
    let folder = folder();
    let fleet = start(&service(folder.path())).await;
    let refused = async |goal| order(&fleet, 1, goal).await.unwrap_err().to_string();
    assert_eq!(
        refused(Goal::Size { factor: 2.0 }).await,
        "this target cannot resize its copies: resize is not configured"
    );
    assert_eq!(refused(Goal::Size { factor: f64::NAN }).await, "goal size = NaN: expected above 0, at most 1000");
    assert_eq!(refused(Goal::Warm { share: 0.5 }).await, "this target cannot warm its copies: warm is not configured");
    assert_eq!(refused(Goal::Warm { share: -0.5 }).await, "goal share = -0.5: expected 0 to 1");
    order(&fleet, 1, Goal::Size { factor: 1.0 }).await.unwrap();
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_ready_copy_is_told_to_warm_up() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.warm = Some(Warm { path: "/warm".to_owned(), timeout: ms(5_000) });
    let prefix = folder.path().display();
    config.env.insert("WARM_FILE".to_owned(), format!("{prefix}/warm-{{id}}"));
    config.env.insert("SICK_FILE".to_owned(), format!("{prefix}/sick-{{id}}"));
    config.readiness.unready_after = 100;
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    order(&fleet, 1, Goal::Warm { share: 0.25 }).await.unwrap();
    for id in [1, 2] {
        let asked = fs::read_to_string(folder.path().join(format!("warm-{id}"))).unwrap();
        assert_eq!(asked, "/warm?share=0.25");
    }
    fs::write(folder.path().join("sick-2"), "").unwrap();
    let error = order(&fleet, 2, Goal::Warm { share: 1.0 }).await.unwrap_err();
    assert!(matches!(error, Error::Warm { failed: 1, of: 2, .. }) && error.is_transient(), "{error}");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn limits_hold_for_a_copy() {
    let folder = folder();
    let mut config = service(folder.path());
    config.limits.open_files = Some(77);
    config.limits.address_space_bytes = Some(4 << 30);
    config.limits.nice = Some(7);
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    let pid = pids(&fleet.observe().await.unwrap())[0];
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let limit = |name: &str| limits.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).unwrap();
    assert!(limit("Max open files").starts_with("77 "), "{limits}");
    assert!(limit("Max address space").starts_with("4294967296 "), "{limits}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(16), Some("7"));
    fleet.shutdown().await.unwrap();
}
