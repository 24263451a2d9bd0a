//! Copies that end, fail or hang.

use std::time::Duration;

use foresail_actuate::process::Probe;
use foresail_actuate::{Actuator, CopyState};
use foresail_core::Replicas;

use crate::support::{behind_shell, folder, gone, kill, ms, observed, pids, ready, scale, service, start, states};

#[tokio::test]
async fn a_killed_copy_is_replaced_under_its_id() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    let fleet = start(&config).await;
    let before = ready(&fleet, 2).await;
    let pid = pids(&fleet.observe().await.unwrap())[0];
    kill(pid);
    let seen = observed(&fleet, |seen| seen.copies[0].restarts == 1 && seen.replicas.ready == Replicas(2)).await;
    assert_eq!(seen.copies[0].id, before[0].id);
    assert_ne!(seen.copies[0].pid, Some(pid));
    assert_eq!(seen.failed_starts, 0, "it had been stable");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_crash_loop_backs_off_and_is_given_up_until_an_order_comes() {
    let folder = folder();
    let mut config = service(folder.path());
    config.command = ["sh", "-c", "echo failing; exit 3"].map(str::to_owned).to_vec();
    config.backoff.give_up_after = Some(4);
    let fleet = start(&config).await;
    let seen = observed(&fleet, |seen| states(seen) == [CopyState::Failed]).await;
    assert_eq!((seen.failed_starts, seen.copies[0].restarts), (4, 4));
    assert_eq!((seen.replicas.ready, seen.replicas.starting), (Replicas(0), Replicas(0)));
    let log = std::fs::read_to_string(config.folder.join("logs/copy-1.log")).unwrap();
    assert_eq!(log, "failing\n".repeat(4));

    scale(&fleet, 1, 1).await;
    observed(&fleet, |seen| states(seen) == [CopyState::Failed] && seen.failed_starts == 4).await;
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_failed_start() {
    let folder = folder();
    let mut config = service(folder.path());
    config.command = vec!["/no/such/program".to_owned()];
    let fleet = start(&config).await;
    let seen = observed(&fleet, |seen| seen.failed_starts >= 2).await;
    assert_eq!((states(&seen), pids(&seen)), (vec![CopyState::BackingOff], vec![]));
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_is_never_ready_is_killed_and_counted() {
    let folder = folder();
    let mut config = service(folder.path());
    config.env.insert("READY_AFTER_MS".to_owned(), "3600000".to_owned());
    config.start_timeout = ms(300);
    let fleet = start(&config).await;
    let pid = pids(&fleet.observe().await.unwrap())[0];
    let seen = observed(&fleet, |seen| seen.failed_starts >= 1).await;
    gone(&[pid]).await;
    assert!(seen.startups.is_empty() && fleet.endpoints().borrow().is_empty());
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_sick_copy_gets_no_traffic_until_it_is_well() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 3;
    let sick = folder.path().join("sick");
    config.env.insert("SICK_FILE".to_owned(), format!("{}-{{id}}", sick.display()));
    let fleet = start(&config).await;
    ready(&fleet, 3).await;
    let file = folder.path().join("sick-2");
    std::fs::write(&file, "").unwrap();
    let left = ready(&fleet, 2).await;
    assert_eq!(left.iter().map(|copy| copy.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(states(&fleet.observe().await.unwrap())[1], CopyState::Unready);
    std::fs::remove_file(&file).unwrap();
    ready(&fleet, 3).await;
    assert!(fleet.observe().await.unwrap().startups.is_empty(), "getting well is no start");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn when_most_copies_fail_their_probe_they_keep_their_traffic() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 3;
    let sick = folder.path().join("sick");
    config.env.insert("SICK_FILE".to_owned(), sick.display().to_string());
    let fleet = start(&config).await;
    ready(&fleet, 3).await;
    std::fs::write(&sick, "").unwrap();
    observed(&fleet, |seen| states(seen) == [CopyState::Unready; 3]).await;
    assert_eq!(fleet.endpoints().borrow().len(), 3);
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_hangs_is_killed_and_replaced() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.readiness.timeout = ms(50);
    config.readiness.hang_timeout = ms(300);
    let hung = folder.path().join("hung-1");
    config.env.insert("HUNG_FILE".to_owned(), format!("{}/hung-{{id}}", folder.path().display()));
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let pid = pids(&fleet.observe().await.unwrap())[0];
    std::fs::write(&hung, "").unwrap();
    gone(&[pid]).await;
    std::fs::remove_file(&hung).unwrap();
    let seen = observed(&fleet, |seen| seen.replicas.ready == Replicas(2)).await;
    assert!(seen.copies[0].restarts >= 1 && seen.copies[1].restarts == 0, "{seen:?}");
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn accepting_a_connection_can_be_the_probe() {
    let folder = folder();
    let mut config = service(folder.path());
    config.readiness.probe = Probe::Tcp;
    config.readiness.interval = Duration::from_millis(20);
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    fleet.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_memory_of_a_copy_is_seen_with_that_of_its_children() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.env.insert("HOLD_MB".to_owned(), "150".to_owned());
    for config in [config.clone(), behind_shell(config, r#""$0" "$@" & wait"#)] {
        let fleet = start(&config).await;
        ready(&fleet, 2).await;
        let seen = fleet.observe().await.unwrap();
        for copy in &seen.copies {
            let bytes = copy.memory_bytes.unwrap();
            assert!((150_000_000..230_000_000).contains(&bytes), "{copy:?}");
        }
        fleet.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_copy_without_a_process_has_no_memory() {
    let folder = folder();
    let mut config = service(folder.path());
    config.command = ["sh", "-c", "exit 3"].map(str::to_owned).to_vec();
    config.backoff.give_up_after = Some(1);
    let fleet = start(&config).await;
    let seen = observed(&fleet, |seen| states(seen) == [CopyState::Failed]).await;
    assert_eq!((seen.copies[0].pid, seen.copies[0].memory_bytes), (None, None));
    fleet.shutdown().await.unwrap();
}
