//! One thread, each message confirmed before the next: through the pool, and by a
//! hand-written loop over a bare channel with Nagle off. In turn, in blocks, so that a
//! machine's moods meet both.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amiquip::{Auth, Connection, ConnectionOptions, ConnectionTuning, Publish};
use zc_events_protocol::{Clock, Properties, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, Outgoing, Topology};

const BLOCKS: usize = 20;
const MESSAGES: usize = 200;
const BODY: [u8; 1024] = [b'x'; 1024];

fn main() {
    let Ok(url) = std::env::var("ZC_EVENTS_TEST_BROKER_URL") else {
        eprintln!("ZC_EVENTS_TEST_BROKER_URL is not set: run `cargo xtask bench`");
        std::process::exit(2);
    };
    let queue = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let soon = || SystemClock.deadline(Duration::from_secs(30));

    let options = AmqpOptions::new(url.parse().expect("a broker URL")).clock(Arc::new(SystemClock));
    let broker = AmqpBroker::new(options).expect("a broker");
    broker.declare(&Topology::new().queue_with_priority(&queue, None), soon()).expect("a queue");
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: &queue, mandatory: true, properties: &properties, body: &BODY };
    let mut pool = || broker.send(&message, soon()).and_then(|receipt| receipt.wait(soon())).expect("a confirm");

    let mut connection = by_hand(&url);
    let channel = connection.open_channel(None).expect("a channel");
    channel.enable_publisher_confirms().expect("confirm mode");
    let confirms = channel.listen_for_publisher_confirms().expect("a listener");
    let mut hand = || {
        let publish = Publish { mandatory: true, ..Publish::new(&BODY, queue.as_str()) };
        channel.basic_publish("", publish).expect("publishing");
        confirms.recv().expect("a confirm");
    };

    measure(&mut pool, MESSAGES);
    measure(&mut hand, MESSAGES);
    let (mut through_pool, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        through_pool.extend(measure(&mut pool, MESSAGES));
        bare.extend(measure(&mut hand, MESSAGES));
        channel.queue_purge(queue.as_str()).expect("purging");
    }
    channel.queue_delete(queue.as_str(), amiquip::QueueDeleteOptions::default()).expect("deleting");

    let (ours, theirs) = (Figures::of(through_pool), Figures::of(bare));
    println!("confirmed publish, one thread, 1 KiB, {} messages each, in turn", BLOCKS * MESSAGES);
    println!("{:22}{:>12}{:>12}{:>12}", "", "median", "p99", "worst");
    for (name, figures) in [("through the pool", &ours), ("bare channel, nodelay", &theirs)] {
        println!("{name:22}{:>12.1?}{:>12.1?}{:>12.1?}", figures.median, figures.p99, figures.worst);
    }
    println!("ratio of the medians: {:.2}", ours.median.as_secs_f64() / theirs.median.as_secs_f64());
}

/// What one would write: the connection with Nagle off.
fn by_hand(url: &str) -> Connection {
    let address =
        url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("amqp://user:password@host:port/");
    let (user, password) = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('@').next())
        .and_then(|it| it.split_once(':'))
        .expect("user and password");
    let stream = TcpStream::connect(address).expect("a broker");
    stream.set_nodelay(true).expect("nodelay");
    let auth = Auth::Plain { username: user.to_owned(), password: password.to_owned() };
    let options = ConnectionOptions::default().auth(auth).heartbeat(10).channel_max(2047);
    let stream = mio::net::TcpStream::from_stream(stream).expect("a stream");
    Connection::insecure_open_stream(stream, options, ConnectionTuning::default()).expect("a login")
}

fn measure(work: &mut dyn FnMut(), times: usize) -> Vec<Duration> {
    (0..times)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect()
}

struct Figures {
    median: Duration,
    p99: Duration,
    worst: Duration,
}

impl Figures {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Self { median: at(0.5), p99: at(0.99), worst: at(1.0) }
    }
}
