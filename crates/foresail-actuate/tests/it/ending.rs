//! Nothing is left behind.

use foresail_actuate::Actuator;
use foresail_actuate::process::OnCrash;
use tokio::time::Instant;

use crate::support::{behind_shell, folder, gone, marked, ms, pids, ready, service, start, until};

#[tokio::test]
async fn shutdown_leaves_nothing_even_of_copies_that_ignore_it_and_have_children() {
    let folder = folder();
    let script = r#"sleep 1000 & trap '' TERM; sleep 1000 & exec "$0" "$@""#;
    let mut config = behind_shell(service(folder.path()), script);
    (config.initial, config.grace, config.on_crash) = (2, ms(300), OnCrash::Stop);
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    assert_eq!(marked(&config).len(), 6);
    let begun = Instant::now();
    fleet.shutdown().await.unwrap();
    assert!(begun.elapsed() >= ms(300), "they were given their grace");
    until("end of all", async || marked(&config).is_empty()).await;
}

#[tokio::test]
async fn a_graceful_copy_is_not_waited_for_longer_than_it_takes() {
    let folder = folder();
    let mut config = service(folder.path());
    config.grace = std::time::Duration::from_secs(600);
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    fleet.shutdown().await.unwrap();
    assert!(marked(&config).is_empty());
}

#[tokio::test]
async fn a_dropped_actuator_kills_its_copies() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let before = pids(&fleet.observe().await.unwrap());
    drop(fleet);
    gone(&before).await;
}

#[test]
fn a_dropped_runtime_kills_them_too() {
    let folder = folder();
    let config = service(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fleet = runtime.block_on(async {
        let fleet = start(&config).await;
        ready(&fleet, 1).await;
        fleet
    });
    drop(runtime);
    drop(fleet);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(until("end of all", async || marked(&config).is_empty()));
}
