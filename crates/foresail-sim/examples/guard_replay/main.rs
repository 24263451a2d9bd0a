//! Replays a week of well-meant traffic and then each attack, in virtual time, and tells what the guard did to whom.
//!
//! `cargo run --release -p foresail-sim --example guard_replay [-- SEED [attacks|quiet|poison|memory|cost]]`
//!
//! Thresholds were chosen on seeds 1 to 3; judge them by others.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints tables and measures time

mod measure;
#[allow(dead_code, reason = "tests write small ones")]
#[path = "../../../foresail-guard/tests/it/mmdb.rs"]
mod mmdb;

use foresail_sim::site::{Attack, Tally, World};

fn main() {
    let seed = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(4);
    let part = std::env::args().nth(2);
    let wants = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wants("memory") {
        measure::memory(1_000_000);
        measure::memory(100_000_000);
    }
    if wants("cost") {
        measure::cost();
    }
    if !["attacks", "quiet", "poison"].into_iter().any(wants) {
        return;
    }
    let mut world = World::new(seed);
    world.run_days(7);
    world.settle();
    println!("seed {seed}, after seven days: {}", world.thresholds());
    let afternoon = {
        let mut w = world.clone();
        w.run_hours(14);
        w
    };
    if wants("quiet") {
        let mut day = world.clone();
        day.enforce();
        day.run_days(1);
        println!("\nan eighth day without attack, enforced\n{}", day.tally().table());
    }
    if wants("attacks") {
        println!(
            "\n{:16} {:>9} {:>8} {:>7} {:>9} {:>8} {:>10} {:>9} {:>9}  met",
            "attack", "requests", "passed%", "may%", "stopped s", "blocked%", "throttled%", "challd %", "late x"
        );
        let mut confusion = Tally::default();
        for attack in Attack::ALL.into_iter().chain([Attack::FlashCrowd]) {
            let mut world = afternoon.clone();
            world.enforce();
            let outcome = world.attack(attack);
            println!("{outcome}");
            if let Some(why) = world.why() {
                println!("    the first of them: {why}");
            }
            confusion.add(world.tally());
        }
        println!("\nwell-meant requests during all of them, by class\n{}", confusion.table());
    }
    if wants("poison") {
        poison(&afternoon);
    }
}

/// What is learned with and without somebody who ramps up slowly, over twelve hours and over three days.
fn poison(from: &World) {
    println!("\nslow ramps: a program of 2,000 addresses grows to as much as everybody else together");
    for (hours, name) in [(12, "12 hours"), (72, "3 days")] {
        let (mut honest, mut poisoned) = (from.clone(), from.clone());
        honest.run_hours(hours);
        poisoned.ramp(hours);
        println!("{name}: honest   {}\n{name}: poisoned {}", honest.thresholds(), poisoned.thresholds());
        println!("{name}: largest move of a threshold {:.1} %", 100.0 * honest.largest_move(&poisoned));
    }
}
