//! As many copies as are ordered.

use foresail_actuate::process::ProcessActuator;
use foresail_actuate::{Actuator, CopyState, Error};
use foresail_core::{Goal, Replicas};
use tokio::time::Instant;

use crate::support::{endpoints, folder, gone, ms, observed, order, pids, ready, runs, scale, service, start, states};

#[tokio::test]
async fn a_copy_is_an_endpoint_once_its_probe_succeeds_and_its_startup_is_measured() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.env.insert("READY_AFTER_MS".to_owned(), "300".to_owned());
    let begun = Instant::now();
    let fleet = start(&config).await;
    assert!(fleet.endpoints().borrow().is_empty());
    assert_eq!(fleet.observe().await.unwrap().replicas.starting, Replicas(2));

    ready(&fleet, 2).await;
    let took = begun.elapsed();
    let seen = fleet.observe().await.unwrap();
    assert_eq!((seen.replicas.desired, seen.replicas.ready), (Replicas(2), Replicas(2)));
    assert_eq!((seen.startups.len(), seen.failed_starts), (2, 0));
    assert!(seen.startups.iter().all(|span| *span >= ms(300) && *span <= took), "{seen:?}");
    assert!(fleet.observe().await.unwrap().startups.is_empty());

    let copy = &seen.copies[0];
    let log = std::fs::read_to_string(config.folder.join("logs/copy-1.log")).unwrap();
    assert!(log.contains(&format!("copy on {}", copy.address.port())), "{log}");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn scales_up_and_down_stopping_the_newest_first() {
    let folder = folder();
    let fleet = start(&service(folder.path())).await;
    scale(&fleet, 1, 4).await;
    ready(&fleet, 4).await;
    let before = fleet.observe().await.unwrap();
    scale(&fleet, 2, 2).await;
    let left = ready(&fleet, 2).await;
    assert_eq!(left.iter().map(|copy| copy.id).collect::<Vec<_>>(), [1, 2]);
    gone(&pids(&before)[2..]).await;
    let seen = observed(&fleet, |seen| seen.copies.len() == 2).await;
    assert_eq!(pids(&seen), pids(&before)[..2]);
    scale(&fleet, 3, 2).await;
    assert_eq!(pids(&fleet.observe().await.unwrap()), pids(&seen), "a repeated goal changes nothing");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_copy_leaves_the_endpoints_before_it_is_asked_to_stop() {
    let folder = folder();
    let mut config = service(folder.path());
    config.drain = ms(500);
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    let pid = pids(&fleet.observe().await.unwrap())[0];
    let begun = Instant::now();
    scale(&fleet, 1, 0).await;
    endpoints(&fleet, <[_]>::is_empty).await;
    assert!(runs(pid));
    assert_eq!(states(&fleet.observe().await.unwrap()), [CopyState::Stopping]);
    gone(&[pid]).await;
    assert!(begun.elapsed() >= ms(500));
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_order_of_an_older_decision_is_refused_after_a_restart_too() {
    let folder = folder();
    let config = service(folder.path());
    let fleet = start(&config).await;
    scale(&fleet, 5, 2).await;
    scale(&fleet, 5, 3).await;
    let old = Goal::Replicas { replicas: Replicas(1) };
    let error = order(&fleet, 4, old.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Stale { decision: 4, applied: 5 }) && !error.is_transient());
    fleet.shutdown().await.unwrap();

    let fleet = start(&config).await;
    assert!(matches!(order(&fleet, 4, old).await, Err(Error::Stale { .. })));
    assert_eq!(fleet.observe().await.unwrap().replicas.desired, Replicas(3), "what was wanted is remembered");
    fleet.shutdown().await.unwrap();
    assert!(matches!(fleet.observe().await, Err(Error::Closed)));
}

#[tokio::test]
async fn orders_beyond_the_most_copies_are_cut_to_it() {
    let folder = folder();
    let mut config = service(folder.path());
    config.max_copies = 2;
    let fleet = start(&config).await;
    scale(&fleet, 1, 9).await;
    assert_eq!(fleet.observe().await.unwrap().replicas.desired, Replicas(2));
    ready(&fleet, 2).await;
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_does_not_keep_the_service_from_scaling() {
    let folder = folder();
    let config = service(folder.path());
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    fleet.observe().await.unwrap(); // by when the state is saved
    let blocked = config.folder.join("state.next");
    std::fs::create_dir(&blocked).unwrap();
    scale(&fleet, 1, 3).await;
    ready(&fleet, 3).await;
    std::fs::remove_dir(&blocked).unwrap();
    fleet.detach().await.unwrap();

    let fleet = start(&config).await;
    assert_eq!(fleet.observe().await.unwrap().replicas.ready, Replicas(3), "saved once it could be");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_actuator_and_a_config_its_ranges() {
    let folder = folder();
    let mut config = service(folder.path());
    let fleet = start(&config).await;
    let error = ProcessActuator::start(config.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }) && error.is_transient());
    fleet.shutdown().await.unwrap();
    config.max_copies = 0;
    assert!(matches!(ProcessActuator::start(config).await, Err(Error::Config { key: "max_copies", .. })));
}
