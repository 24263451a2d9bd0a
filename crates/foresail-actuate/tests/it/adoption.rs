//! Copies that outlive their Foresail.

use std::process::{Child, Command, Stdio};

use foresail_actuate::process::{OnCrash, OnExit, ProcessConfig};
use foresail_actuate::{Actuator, Error};
use foresail_core::{Replicas, SeededRng};
use serde_json::Value;

use crate::support::{folder, gone, kill, marked, ms, observed, pids, ready, role, runs, scale, service, start, until};

#[tokio::test]
async fn copies_left_running_are_adopted_and_looked_after() {
    let folder = folder();
    let mut config = service(folder.path());
    config.on_exit = OnExit::Leave;
    let fleet = start(&config).await;
    scale(&fleet, 3, 3).await;
    let endpoints = ready(&fleet, 3).await;
    let before = fleet.observe().await.unwrap();
    fleet.close().await.unwrap();
    drop(fleet);

    let fleet = start(&config).await;
    assert_eq!(*fleet.endpoints().borrow(), endpoints, "at once");
    let seen = fleet.observe().await.unwrap();
    assert_eq!(pids(&seen), pids(&before));
    assert!(seen.startups.is_empty() && seen.copies.iter().all(|copy| copy.startup.is_some()));

    kill(pids(&seen)[1]);
    observed(&fleet, |seen| seen.copies[1].restarts == 1 && seen.replicas.ready == Replicas(3)).await;
    scale(&fleet, 4, 1).await;
    gone(&pids(&before)[2..]).await;
    let left = pids(&fleet.observe().await.unwrap());
    fleet.shutdown().await.unwrap();
    gone(&left).await;
}

#[tokio::test]
async fn copies_that_a_crash_kept_out_of_the_state_are_found_by_their_mark() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let before = pids(&fleet.observe().await.unwrap());
    fleet.detach().await.unwrap();
    std::fs::remove_file(config.folder.join("state.json")).unwrap();

    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    assert_eq!(pids(&fleet.observe().await.unwrap()), before);
    fleet.shutdown().await.unwrap();
    gone(&before).await;
}

#[tokio::test]
async fn copies_of_an_order_that_could_not_be_saved_are_kept_until_the_next() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 1;
    let fleet = start(&config).await;
    ready(&fleet, 1).await;
    let path = config.folder.join("state.json");
    let saved = std::fs::read(&path).unwrap();
    scale(&fleet, 1, 3).await;
    ready(&fleet, 3).await;
    let before = pids(&fleet.observe().await.unwrap());
    fleet.detach().await.unwrap();
    std::fs::write(&path, saved).unwrap();

    let fleet = start(&config).await;
    ready(&fleet, 3).await;
    let seen = fleet.observe().await.unwrap();
    assert_eq!((pids(&seen), seen.replicas.desired), (before.clone(), Replicas(3)));
    scale(&fleet, 2, 1).await;
    gone(&before[1..]).await;
    fleet.shutdown().await.unwrap();
    gone(&before).await;
}

#[tokio::test]
async fn copies_that_ended_meanwhile_are_started_anew_and_other_processes_left_alone() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let before = pids(&fleet.observe().await.unwrap());
    fleet.detach().await.unwrap();
    kill(before[0]);
    gone(&before[..1]).await;
    // As if the id of the process had been given to another one.
    let path = config.folder.join("state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["copies"][0]["pid"] = Value::from(std::process::id());
    std::fs::write(&path, serde_json::to_vec(&state).unwrap()).unwrap();

    let fleet = start(&config).await;
    ready(&fleet, 2).await;
    let seen = pids(&fleet.observe().await.unwrap());
    assert!(seen.contains(&before[1]) && !seen.contains(&std::process::id()));
    fleet.shutdown().await.unwrap();
    gone(&seen).await;
}

#[tokio::test]
async fn a_damaged_state_is_refused() {
    let folder = folder();
    let config = service(folder.path());
    std::fs::create_dir_all(&config.folder).unwrap();
    std::fs::write(config.folder.join("state.json"), "{").unwrap();
    let error = foresail_actuate::process::ProcessActuator::start(config).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

fn supervised(config: &ProcessConfig) -> Child {
    let command = role("supervise");
    Command::new(&command[0])
        .args(&command[1..])
        .env("TEST_SUPERVISES", serde_json::to_string(config).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The processes of copies that were ready, by the state file.
fn ready_pids(config: &ProcessConfig) -> Vec<u32> {
    let text = std::fs::read(config.folder.join("state.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&text).unwrap_or_default();
    let copies = state["copies"].as_array().cloned().unwrap_or_default();
    let ready = copies.iter().filter(|copy| !copy["ready_since"].is_null());
    ready.map(|copy| copy["pid"].as_u64().unwrap() as u32).collect()
}

#[tokio::test]
async fn copies_outlive_a_killed_foresail_and_the_next_one_has_them() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 3;
    let mut foresail = supervised(&config);
    until("copies", async || ready_pids(&config).len() == 3).await;
    let before = ready_pids(&config);
    foresail.kill().unwrap();
    foresail.wait().unwrap();
    assert!(before.iter().all(|pid| runs(*pid)));

    let fleet = start(&config).await;
    let seen = fleet.observe().await.unwrap();
    assert_eq!((seen.replicas.ready, pids(&seen)), (Replicas(3), before.clone()));
    fleet.shutdown().await.unwrap();
    gone(&before).await;
}

/// Wherever in starting, saving, probing and adopting it strikes, the next Foresail finds every copy.
#[tokio::test]
async fn kills_at_random_moments_orphan_and_duplicate_nothing() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 4;
    let mut rng = SeededRng::seed_from_u64(17);
    for _ in 0..12 {
        let mut foresail = supervised(&config);
        tokio::time::sleep(ms(rng.below(120) as u64)).await; // the moment, not a wait for anything
        foresail.kill().unwrap();
        foresail.wait().unwrap();
    }
    let fleet = start(&config).await;
    ready(&fleet, 4).await;
    let mut copies = pids(&observed(&fleet, |seen| seen.copies.len() == 4).await);
    let mut running = marked(&config);
    copies.sort_unstable();
    running.sort_unstable();
    assert_eq!(copies, running);
    fleet.shutdown().await.unwrap();
    assert!(marked(&config).is_empty());
}

#[tokio::test]
async fn a_watchdog_stops_copies_of_a_killed_foresail_if_it_is_to() {
    let folder = folder();
    let mut config = service(folder.path());
    config.initial = 2;
    config.on_crash = OnCrash::Stop;
    let mut foresail = supervised(&config);
    until("copies", async || ready_pids(&config).len() == 2).await;
    let before = ready_pids(&config);
    foresail.kill().unwrap();
    foresail.wait().unwrap();
    gone(&before).await;
}
