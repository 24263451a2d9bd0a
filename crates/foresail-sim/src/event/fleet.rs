//! The replicas: which serve, which start, which are free.

use std::collections::VecDeque;

use foresail_core::{ReplicaCounts, Replicas, SeededRng};

use super::options::Dispatch;

/// Life of a replica. One that is removed takes no more work and ends what it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Serving,
    Gone,
}

#[derive(Clone, Debug)]
struct Replica {
    state: State,
    /// Workers at work.
    busy: u32,
    /// When it reaches full speed, microseconds.
    warm: u64,
    /// Tickets in its own queue; unused with a shared one.
    queue: VecDeque<u64>,
    /// How many of these still wait.
    waiting: u32,
}

/// All replicas there ever were, by number, and who may take work.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    workers: u32,
    dispatch: Dispatch,
    replicas: Vec<Replica>,
    /// In order of becoming ready.
    serving: Vec<u32>,
    /// In order of the starts.
    starting: Vec<u32>,
    /// With a shared queue: an entry for each free worker, longest free first, and leftovers of replicas gone.
    free: VecDeque<u32>,
    /// Workers at work, those of replicas gone included.
    busy: u64,
    /// Where the search for the least loaded begins, so that ties spread.
    turn: usize,
}

impl Fleet {
    /// With `replicas` already serving at full speed.
    pub(super) fn new(replicas: Replicas, workers: u32, dispatch: Dispatch) -> Self {
        let mut fleet = Self {
            workers,
            dispatch,
            replicas: Vec::new(),
            serving: Vec::new(),
            starting: Vec::new(),
            free: VecDeque::new(),
            busy: 0,
            turn: 0,
        };
        for _ in 0..replicas.0 {
            let replica = fleet.order();
            fleet.ready(replica, 0);
        }
        fleet
    }

    pub(super) fn counts(&self) -> ReplicaCounts {
        let (ready, starting) = (self.serving.len() as u32, self.starting.len() as u32);
        ReplicaCounts { desired: Replicas(ready + starting), ready: Replicas(ready), starting: Replicas(starting) }
    }

    /// Workers at work.
    pub(super) fn busy(&self) -> u64 {
        self.busy
    }

    /// Workers of the replicas that serve.
    pub(super) fn workers(&self) -> u64 {
        self.serving.len() as u64 * u64::from(self.workers)
    }

    /// A new replica that starts.
    pub(super) fn order(&mut self) -> u32 {
        let number = self.replicas.len() as u32;
        let queue = VecDeque::new();
        self.replicas.push(Replica { state: State::Starting, busy: 0, warm: 0, queue, waiting: 0 });
        self.starting.push(number);
        number
    }

    /// Ends a start; whether it had not been cancelled.
    pub(super) fn end_start(&mut self, replica: u32) -> bool {
        let underway = self.starting.iter().position(|number| *number == replica);
        underway.map(|index| self.starting.remove(index)).is_some()
    }

    /// Lets a replica serve, at full speed from `warm` on.
    pub(super) fn ready(&mut self, replica: u32, warm: u64) {
        self.end_start(replica);
        let entry = &mut self.replicas[replica as usize];
        entry.state = State::Serving;
        entry.warm = warm;
        self.serving.push(replica);
        if self.dispatch == Dispatch::SharedQueue {
            self.free.extend(std::iter::repeat_n(replica, self.workers as usize));
        }
    }

    /// Takes one replica away: the youngest start if there is one, else the youngest that serves. The tickets of its
    /// queue are handed back.
    pub(super) fn remove_one(&mut self) -> VecDeque<u64> {
        let Some(number) = self.starting.pop().or_else(|| self.serving.pop()) else {
            return VecDeque::new();
        };
        let replica = &mut self.replicas[number as usize];
        replica.state = State::Gone;
        replica.waiting = 0;
        std::mem::take(&mut replica.queue)
    }

    /// With a shared queue: the replica of the worker that has been free longest.
    pub(super) fn take_free(&mut self) -> Option<u32> {
        loop {
            let replica = self.free.pop_front()?;
            if self.replicas[replica as usize].state == State::Serving {
                return Some(replica);
            }
        }
    }

    /// Where a request goes that joins the queue of a replica; `None` when none serves.
    pub(super) fn choose(&mut self, rng: &mut SeededRng) -> Option<u32> {
        let count = self.serving.len();
        if count == 0 {
            return None;
        }
        if self.dispatch == Dispatch::Random {
            return Some(self.serving[rng.below(count)]);
        }
        self.turn = (self.turn + 1) % count;
        let (later, earlier) = (&self.serving[self.turn..], &self.serving[..self.turn]);
        later.iter().chain(earlier).copied().min_by_key(|number| {
            let replica = &self.replicas[*number as usize];
            replica.busy + replica.waiting
        })
    }

    /// Whether `replica` has a free worker.
    pub(super) fn has_room(&self, replica: u32) -> bool {
        self.replicas[replica as usize].busy < self.workers
    }

    /// How many wait at `replica`.
    pub(super) fn waiting(&self, replica: u32) -> u32 {
        self.replicas[replica as usize].waiting
    }

    /// The queue of `replica`.
    pub(super) fn queue(&mut self, replica: u32) -> &mut VecDeque<u64> {
        &mut self.replicas[replica as usize].queue
    }

    /// Lets `ticket` wait at `replica`.
    pub(super) fn enqueue(&mut self, replica: u32, ticket: u64) {
        let entry = &mut self.replicas[replica as usize];
        entry.queue.push_back(ticket);
        entry.waiting += 1;
    }

    /// A wait at `replica` has ended.
    pub(super) fn wait_ended(&mut self, replica: u32) {
        if let Some(entry) = self.replicas.get_mut(replica as usize) {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
    }

    /// Puts a worker of `replica` to work; whether it is still cold at `now`.
    pub(super) fn occupy(&mut self, replica: u32, now: u64) -> bool {
        self.busy += 1;
        let entry = &mut self.replicas[replica as usize];
        entry.busy += 1;
        now < entry.warm
    }

    /// A worker of `replica` has finished; whether the replica still takes work.
    pub(super) fn release(&mut self, replica: u32) -> bool {
        self.busy -= 1;
        let entry = &mut self.replicas[replica as usize];
        entry.busy -= 1;
        entry.state == State::Serving
    }

    /// With a shared queue: a worker found nothing to do.
    pub(super) fn set_free(&mut self, replica: u32) {
        self.free.push_back(replica);
    }
}
