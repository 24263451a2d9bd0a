use std::time::Duration;
use foresail_core::*; use foresail_scale::{Scenario, Service}; use foresail_sim::event::*;
struct Track { target: f64, capacity: f64, recent: Vec<u32> }
impl Policy for Track { fn name(&self) -> &str { "track" }
    fn decide(&mut self, seen: &Observation) -> Decision {
        let desired = seen.value(Metric::RequestRate).map_or(seen.replicas.desired, |r| Replicas::holding(r / self.capacity / self.target));
        self.recent.push(desired.0); if self.recent.len() > 8 { self.recent.remove(0); }
        Decision { desired: Replicas(*self.recent.iter().max().unwrap()), reason: Reason::new(Driver::Reactive) } } }
struct Script { plan: Vec<u32>, at: usize }
impl Policy for Script { fn name(&self) -> &str { "script" }
    fn decide(&mut self, _: &Observation) -> Decision { let d = self.plan[self.at.min(self.plan.len()-1)]; self.at += 1; Decision { desired: Replicas(d), reason: Reason::new(Driver::Reactive) } } }
fn main() {
    let (scale, target, noise, tick) = (500.0, 0.8, 0.05, 15.0);
    let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
    let ticks = 480; let mut rng = SeededRng::seed_from_u64(9);
    let load: Vec<f64> = (0..ticks).map(|i| scale*(0.6+0.4*(i as f64*tick/2400.0*6.28).sin())*(1.0+noise*rng.normal()).max(0.1)).collect();
    let sc = Scenario { start: Timestamp::EPOCH, tick: Duration::from_secs(15), load, evaluate_from: 0, service, limits: Limits { min: Replicas(1), max: Replicas(200) } };
    let f = foresail_scale::replay(&sc, &mut Track { target, capacity: 100.0, recent: vec![] }, |_, _| {}).unwrap();
    let mut late = vec![0.0; ticks]; let n=60;
    for seed in 0..n { let e = run(&sc, &EventOptions::default(), &mut Script { plan: f.desired.clone(), at: 0 }, seed).unwrap(); assert_eq!(e.run.ready, f.ready); for i in 0..ticks { late[i] += e.run.late[i]/n as f64; } }
    println!("total fluid {} event {}", f.late.iter().sum::<f64>(), late.iter().sum::<f64>());
    for i in 0..ticks { if (late[i]-f.late[i]).abs() > 2.0 { println!("{i} ready {} rho {:.3} fluid {:.2} event {:.2} of {:.0}; prev ready {} rho {:.3}", f.ready[i], sc.load[i]/100.0/f.ready[i] as f64, f.late[i], late[i], f.requests[i], f.ready[i.max(1)-1], sc.load[i.max(1)-1]/100.0/f.ready[i.max(1)-1] as f64); } }
}
