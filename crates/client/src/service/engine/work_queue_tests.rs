//! Whatever is pushed is taken, whichever threads lead, work, and change what is led.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::dispatcher;
use super::work_queue::{Next, Tick, WorkClass, WorkQueue, WorkerRole};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// Work of no more than a moment, so often that all work is taken to be such.
fn learn_that_work_is_short(work: &WorkQueue<u32>) {
    for number in 0..100 {
        work.push(WorkClass::Event, number);
        assert!(matches!(work.take(WorkerRole::General), Next::Work(_)));
        work.finish(WorkerRole::General, Duration::ZERO);
    }
    let _ = work.nudged().try_recv();
}

/// Takes once for each role, on threads of their own.
fn take(work: &Arc<WorkQueue<u32>>, roles: &[WorkerRole]) -> (Sender<Next<u32>>, Receiver<Next<u32>>) {
    let (tell, told) = unbounded();
    for role in roles.iter().copied() {
        let (work, tell) = (Arc::clone(work), tell.clone());
        thread::spawn(move || tell.send(work.take(role)));
    }
    (tell, told)
}

#[test]
fn worker_for_requests_leads_after_a_change_while_an_event_waits_for_a_busy_worker() {
    let work = Arc::new(WorkQueue::new());
    work.push(WorkClass::Event, 1);
    assert!(matches!(work.take(WorkerRole::General), Next::Work(1)));
    assert!(matches!(work.take(WorkerRole::RequestsOnly), Next::Lead));
    assert!(work.leave_unwatched(), "a worker leads");
    while work.nudged().try_recv().is_ok() {}
    work.push(WorkClass::Event, 2);
    assert!(!work.is_to_leave(Some(WorkerRole::RequestsOnly)));
    // A connection is lost: its queue is not to be led any more.
    let (changing, changed) = (Arc::clone(&work), Arc::new(AtomicBool::new(false)));
    let change = {
        let changed = Arc::clone(&changed);
        thread::spawn(move || changing.change_led(|| {}, || changed.store(true, Ordering::SeqCst)))
    };
    while !work.is_change_wanted() {
        thread::yield_now();
    }
    work.stop_leading();
    let (_tell, next) = take(&work, &[WorkerRole::RequestsOnly]);
    change.join().unwrap();
    assert!(changed.load(Ordering::SeqCst));
    // Either this worker leads, or the dispatcher looks and would.
    select! {
        recv(next) -> next => assert!(matches!(next, Ok(Next::Lead))),
        recv(work.nudged()) -> _ => {}
        default(LONG) => panic!("no thread leads, and none looks"),
    }
}

#[test]
fn event_behind_a_long_one_is_looked_after_while_a_worker_is_idle() {
    let work = Arc::new(WorkQueue::new());
    learn_that_work_is_short(&work);
    assert!(matches!(work.take(WorkerRole::RequestsOnly), Next::Lead));
    let (_tell, taken) = take(&work, &[WorkerRole::General; 2]);
    while work.waiting_workers() < 2 {
        thread::yield_now();
    }
    assert!(work.leave_unwatched());
    while work.nudged().try_recv().is_ok() {}
    work.push(WorkClass::Event, 1);
    work.push(WorkClass::Event, 2);
    assert!(!work.is_to_leave(Some(WorkerRole::RequestsOnly)));
    // One was woken, and does not come back. The other is woken at the next look.
    assert!(matches!(taken.recv_timeout(LONG), Ok(Next::Work(1))));
    work.nudged().recv_timeout(LONG).expect("the dispatcher looks");
    assert_eq!(work.tick(), Tick::Look);
    assert!(matches!(taken.recv_timeout(LONG), Ok(Next::Work(2))));
}

#[test]
fn dispatcher_sleeps_while_all_that_waits_waits_for_busy_workers() {
    let work = Arc::new(WorkQueue::new());
    work.push(WorkClass::Event, 1);
    assert!(matches!(work.take(WorkerRole::General), Next::Work(1)));
    assert!(!work.leave_unwatched(), "no thread leads");
    assert!(matches!(work.take(WorkerRole::RequestsOnly), Next::Lead));
    work.push(WorkClass::Event, 2);
    assert!(work.leave_unwatched());
    work.finish(WorkerRole::General, Duration::ZERO);
    assert!(matches!(work.take(WorkerRole::General), Next::Work(2)));
}

/// Work of a class, by its number.
type Arrival = (WorkClass, u64);

/// A work queue, and what is to come into it.
struct Line {
    work: WorkQueue<Arrival>,
    incoming: (Sender<Arrival>, Receiver<Arrival>),
    interrupt: (Sender<()>, Receiver<()>),
    leaders: AtomicUsize,
    taken: AtomicU64,
    requests: AtomicU64,
}

impl Line {
    fn interrupt(&self) {
        let _ = self.interrupt.0.try_send(());
    }

    /// As `leader::lead` does it.
    fn lead(&self, role: Option<WorkerRole>) {
        assert_eq!(self.leaders.fetch_add(1, Ordering::SeqCst), 0, "two threads lead");
        while !self.work.is_change_wanted() && !self.work.is_stopping() {
            for (class, number) in self.incoming.1.try_iter().take(64) {
                self.work.push(class, (class, number));
            }
            if self.work.is_to_leave(role) {
                break;
            }
            let mut select = crossbeam_channel::Select::new();
            select.recv(&self.incoming.1);
            select.recv(&self.interrupt.1);
            select.ready();
            let _ = self.interrupt.1.try_recv();
        }
        self.leaders.fetch_sub(1, Ordering::SeqCst);
        self.work.stop_leading();
    }

    fn work(&self, role: WorkerRole, gate: &Receiver<()>) {
        let mut random = fastrand::Rng::new();
        loop {
            let (class, number) = match self.work.take(role) {
                Next::End => return,
                Next::Lead => {
                    self.lead(Some(role));
                    continue;
                }
                Next::Work(work) => work,
            };
            let began = Instant::now();
            assert!(role == WorkerRole::General || class == WorkClass::Request);
            if class == WorkClass::Event && number.is_multiple_of(32) {
                // As a handler that asks its own service: it returns once a later request was taken.
                self.incoming.0.send((WorkClass::Request, number)).unwrap();
                gate.recv_timeout(LONG).expect("the request of a handler is taken");
            } else if random.u8(..) < 8 {
                thread::sleep(Duration::from_micros(random.u64(..300)));
            }
            if class == WorkClass::Request {
                self.requests.fetch_add(1, Ordering::SeqCst);
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
            self.work.finish(role, began.elapsed());
        }
    }
}

/// Runs `rounds` bursts of events through `workers` workers while another thread changes what is led.
fn run_line(workers: usize, rounds: u64) {
    let (gate, gated) = unbounded();
    let line = Arc::new(Line {
        work: WorkQueue::new(),
        incoming: unbounded(),
        interrupt: bounded(1),
        leaders: AtomicUsize::new(0),
        taken: AtomicU64::new(0),
        requests: AtomicU64::new(0),
    });
    let (stop, stopped) = bounded::<()>(0);
    let (done, is_done) = (AtomicBool::new(false), unbounded::<()>());
    thread::scope(|scope| {
        let roles = std::iter::repeat_n(WorkerRole::General, workers).chain([WorkerRole::RequestsOnly]);
        for role in roles {
            line.work.add_worker(role);
            let (line, gated) = (&line, &gated);
            scope.spawn(move || line.work(role, gated));
        }
        scope.spawn(|| dispatcher::run(&line.work, &stopped, || line.lead(None)));
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                line.work.change_led(|| line.interrupt(), || {});
                let _ = is_done.1.recv_timeout(Duration::from_micros(fastrand::u64(..2000)));
            }
        });
        let (mut sent, mut asked, mut answered) = (0, 0, 0);
        let mut number: u64 = 0;
        for round in 0..rounds {
            for _ in 0..fastrand::u64(1..50) {
                number += 1;
                asked += u64::from(number.is_multiple_of(32));
                sent += 1;
                line.incoming.0.send((WorkClass::Event, number)).unwrap();
            }
            let since = Instant::now();
            while line.taken.load(Ordering::SeqCst) < sent + asked {
                // Answer all requests.
                let requests = line.requests.load(Ordering::SeqCst);
                for _ in answered..requests {
                    gate.send(()).unwrap();
                }
                answered = requests;
                let taken = line.taken.load(Ordering::SeqCst);
                assert!(since.elapsed() < LONG, "round {round}: {taken} of {} were taken", sent + asked);
                thread::yield_now();
            }
        }
        done.store(true, Ordering::SeqCst);
        line.work.stop();
        line.interrupt();
        line.work.close();
        drop((stop, is_done.0));
    });
    assert_eq!(line.work.waiting().count, 0);
}

#[test]
fn pushed_work_is_taken_with_one_worker_that_asks_its_own_service() {
    run_line(1, 40);
}

#[test]
fn pushed_work_is_taken_with_several_workers() {
    run_line(4, 40);
}
