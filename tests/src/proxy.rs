//! A TCP proxy in this process that passes bytes, cuts, holds, swallows, drips and slices.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// A direction, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Either.
    Both,
}

impl Way {
    fn indices(self) -> std::ops::Range<usize> {
        match self {
            Way::Up => 0..1,
            Way::Down => 1..2,
            Way::Both => 0..2,
        }
    }
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As by `close`.
    Fin,
    /// As by a crash: what is in the buffers is gone.
    Rst,
}

/// What happens to bytes that go one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They arrive.
    Pass,
    /// They arrive, until so many have passed, of all connections together; the one whose turn it is then is cut both
    /// ways, in the middle of a frame if that is how it falls, and the others and later ones pass.
    CutAfter(u64, Ending),
    /// They wait until another mode is set: a network that stalls.
    Hold,
    /// They are taken and vanish, as does the end of the connection: half-open.
    Swallow,
    /// They arrive one by one, with a pause before each.
    Drip(Duration),
    /// They are read and written one by one.
    Slice,
}

/// A running proxy. It accepts until the program ends; what passes through it can be changed at any time.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    modes: [Mutex<Option<Mode>>; 2],
    open: Mutex<Vec<Arc<Pair>>>,
    accepted: AtomicUsize,
    cuts: AtomicUsize,
    passed: [AtomicU64; 2],
}

/// The two ends of one connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    /// They are closed without a word when both threads have let go of them.
    reset: AtomicBool,
    /// Whether what goes up, and what goes down, vanishes, whatever the mode.
    forgotten: [AtomicBool; 2],
}

impl Pair {
    fn cut(&self, ending: Ending) {
        self.reset.store(ending == Ending::Rst, Ordering::SeqCst);
        for stream in [&self.client, &self.server] {
            if ending == Ending::Rst {
                // With the linger at zero a close is a reset; shutting down first would send a FIN.
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                let _ = stream.shutdown(Shutdown::Read);
            } else {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

impl Proxy {
    /// One on a free port of the loopback interface, which connects to `target` (`host:port`) for each that it accepts.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start(target: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self { address: listener.local_addr()?.to_string(), shared: Arc::default() };
        let (shared, target) = (Arc::clone(&proxy.shared), target.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                // Where the server is down, so is what stands before it.
                if let Ok(server) = TcpStream::connect(&target) {
                    let _ = shared.pass(client, server);
                }
            }
        });
        Ok(proxy)
    }

    /// One before the server of `url`, and the URL that leads through it.
    ///
    /// # Errors
    /// No port could be had.
    pub fn before(url: &str) -> std::io::Result<(Self, String)> {
        let address = address(url);
        let proxy = Self::start(&address)?;
        let named = authority(url);
        let login = named.rsplit_once('@').map_or("", |(login, _)| &named[..=login.len()]);
        let through = url.replacen(named, &format!("{login}{}", proxy.address), 1);
        Ok((proxy, through))
    }

    /// Where it listens, `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What happens to bytes from now on, those of open connections included.
    pub fn set(&self, way: Way, mode: Mode) {
        for way in way.indices() {
            *lock(&self.shared.modes[way]) = Some(mode);
        }
    }

    /// [`Mode::Swallow`] for the connections that are open now, and for good; later ones pass. So does a firewall that has
    /// forgotten them. Says how many there were.
    pub fn forget(&self, way: Way) -> usize {
        let open = lock(&self.shared.open);
        for pair in open.iter() {
            way.indices().for_each(|way| pair.forgotten[way].store(true, Ordering::SeqCst));
        }
        open.len()
    }

    /// Cuts every open connection, and says how many there were.
    pub fn cut_all(&self, ending: Ending) -> usize {
        let open: Vec<Arc<Pair>> = lock(&self.shared.open).drain(..).collect();
        open.iter().for_each(|pair| pair.cut(ending));
        self.shared.cuts.fetch_add(open.len(), Ordering::SeqCst);
        open.len()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        lock(&self.shared.open).len()
    }

    /// How many connections there were.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections it has cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// How many bytes it has passed on, up and down.
    #[must_use]
    pub fn passed(&self) -> [u64; 2] {
        [0, 1].map(|way| self.shared.passed[way].load(Ordering::SeqCst))
    }
}

impl Shared {
    fn pass(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let pair = Arc::new(Pair { client, server, reset: AtomicBool::new(false), forgotten: Default::default() });
        lock(&self.open).push(Arc::clone(&pair));
        for way in 0..2 {
            let (shared, pair) = (Arc::clone(self), Arc::clone(&pair));
            thread::spawn(move || shared.pump(way, &pair));
        }
        Ok(())
    }

    fn mode(&self, way: usize) -> Mode {
        lock(&self.modes[way]).unwrap_or(Mode::Pass)
    }

    /// Moves bytes one way until an end.
    fn pump(&self, way: usize, pair: &Arc<Pair>) {
        let (mut from, mut to) = if way == 0 { (&pair.client, &pair.server) } else { (&pair.server, &pair.client) };
        let mut buffer = [0; 64 * 1024];
        loop {
            let most = if self.mode(way) == Mode::Slice { 1 } else { buffer.len() };
            let Ok(size @ 1..) = from.read(&mut buffer[..most]) else { break };
            if !self.write(way, pair, &mut to, &buffer[..size]) {
                break;
            }
        }
        // An end that is swallowed is not told; the other way goes on until it ends by itself.
        if !self.swallows(way, pair) && !pair.reset.load(Ordering::SeqCst) {
            let _ = pair.client.shutdown(Shutdown::Both);
            let _ = pair.server.shutdown(Shutdown::Both);
        }
        lock(&self.open).retain(|other| !Arc::ptr_eq(other, pair));
    }

    fn swallows(&self, way: usize, pair: &Pair) -> bool {
        self.mode(way) == Mode::Swallow || pair.forgotten[way].load(Ordering::SeqCst)
    }

    /// Whether the connection goes on.
    fn write(&self, way: usize, pair: &Arc<Pair>, to: &mut &TcpStream, bytes: &[u8]) -> bool {
        while self.mode(way) == Mode::Hold {
            // tidy: allow(thread::sleep) because a stall has no condition but its end
            thread::sleep(Duration::from_millis(2));
        }
        let done = match self.mode(way) {
            _ if self.swallows(way, pair) => return true,
            Mode::Swallow => return true,
            Mode::Hold => return self.write(way, pair, to, bytes),
            Mode::Pass => to.write_all(bytes),
            Mode::CutAfter(..) => match self.take_from_budget(way, bytes.len()) {
                None => to.write_all(bytes),
                Some((rest, ending)) => {
                    let _ = to.write_all(&bytes[..rest]);
                    lock(&self.open).retain(|other| !Arc::ptr_eq(other, pair));
                    pair.cut(ending);
                    self.cuts.fetch_add(1, Ordering::SeqCst);
                    return false;
                }
            },
            Mode::Drip(pause) => bytes.iter().try_for_each(|byte| {
                // tidy: allow(thread::sleep) because being slow is what this is for
                thread::sleep(pause);
                to.write_all(&[*byte])
            }),
            Mode::Slice => bytes.iter().try_for_each(|byte| to.write_all(&[*byte])),
        };
        self.passed[way].fetch_add(bytes.len() as u64, Ordering::SeqCst);
        done.is_ok()
    }

    /// Takes `size` bytes off what may pass before a cut; where that is not enough, what is left and how to cut.
    fn take_from_budget(&self, way: usize, size: usize) -> Option<(usize, Ending)> {
        let mut mode = lock(&self.modes[way]);
        let Some(Mode::CutAfter(left, ending)) = *mode else { return None };
        if left > size as u64 {
            *mode = Some(Mode::CutAfter(left - size as u64, ending));
            return None;
        }
        *mode = Some(Mode::Pass);
        Some((usize::try_from(left).unwrap_or(size), ending))
    }
}

/// `host:port` of a URL, with the port that is usual for its scheme where it names none.
#[must_use]
pub fn address(url: &str) -> String {
    let authority = authority(url);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let usual = if url.starts_with("redis") { 6379 } else { 5672 };
    if place.contains(':') { place.to_owned() } else { format!("{place}:{usual}") }
}

/// `user:password@host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server that sends back what it gets, and a proxy before it.
    fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(&listener.local_addr().unwrap().to_string()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        let client = TcpStream::connect(proxy.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        (proxy, client)
    }

    fn ask(mut client: &TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        client.write_all(text)?;
        let mut answer = vec![0; text.len()];
        client.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn bytes_pass_whole_sliced_and_dripped() {
        let (proxy, client) = echo();
        for mode in [Mode::Pass, Mode::Slice, Mode::Drip(Duration::from_millis(1))] {
            proxy.set(Way::Both, mode);
            assert_eq!(ask(&client, b"hello").unwrap(), b"hello", "{mode:?}");
        }
        // Counted once they have passed.
        eventually(PATIENCE, || proxy.passed() == [15, 15]);
    }

    #[test]
    fn a_cut_comes_at_its_byte_and_the_next_connection_passes() {
        for ending in [Ending::Fin, Ending::Rst] {
            let (proxy, client) = echo();
            proxy.set(Way::Down, Mode::CutAfter(3, ending));
            let mut got = Vec::new();
            (&client).write_all(b"hello").unwrap();
            let end = (&client).read_to_end(&mut got);
            assert_eq!(end.is_err(), ending == Ending::Rst, "{end:?}");
            assert!(got.len() <= 3);
            eventually(PATIENCE, || (proxy.cuts(), proxy.open()) == (1, 0));
            let next = TcpStream::connect(proxy.address()).unwrap();
            assert_eq!(ask(&next, b"again").unwrap(), b"again");
        }
    }

    #[test]
    fn what_is_held_arrives_later() {
        let (proxy, client) = echo();
        proxy.set(Way::Up, Mode::Hold);
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(ask(&client, b"hello").is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        assert_eq!(proxy.passed(), [0, 0]);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        proxy.set(Way::Up, Mode::Pass);
        let mut answer = [0; 5];
        (&client).read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"hello");
    }

    #[test]
    fn the_address_of_a_url_and_the_url_through_a_proxy() {
        assert_eq!(address("amqp://guest:guest@127.0.0.1:5673/%2F"), "127.0.0.1:5673");
        assert_eq!(address("redis://localhost/0"), "localhost:6379");
        let (proxy, url) = Proxy::before("amqp://u:p@127.0.0.1:9/%2F").unwrap();
        assert_eq!(url, format!("amqp://u:p@{}/%2F", proxy.address()));
        let (proxy, url) = Proxy::before("redis://127.0.0.1:9/0").unwrap();
        assert_eq!(url, format!("redis://{}/0", proxy.address()));
    }

    #[test]
    fn what_is_swallowed_does_not_arrive_and_has_no_end() {
        let (proxy, client) = echo();
        proxy.set(Way::Down, Mode::Swallow);
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(ask(&client, b"hello").is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        eventually(PATIENCE, || proxy.passed() == [5, 0]);
        assert_eq!(proxy.open(), 1);
        assert_eq!(proxy.cut_all(Ending::Fin), 1);
    }

    #[test]
    fn a_connection_that_is_forgotten_swallows_and_the_next_one_passes() {
        let (proxy, client) = echo();
        assert_eq!(ask(&client, b"hello").unwrap(), b"hello");
        assert_eq!(proxy.forget(Way::Up), 1);
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(ask(&client, b"hello").is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        let next = TcpStream::connect(proxy.address()).unwrap();
        assert_eq!(ask(&next, b"again").unwrap(), b"again");
        drop(client);
        proxy.cut_all(Ending::Fin);
        eventually(PATIENCE, || proxy.open() == 0);
    }
}
