//! A broker that speaks enough AMQP for connections, publishing and declarations, and that blocks a connection like
//! RabbitMQ in an alarm: it sends `connection.blocked`, and reads nothing more from that connection.

use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Class and method.
type Id = (u16, u16);

pub(crate) const CHANNEL_OPEN: Id = (20, 10);
pub(crate) const CHANNEL_CLOSE: Id = (20, 40);
pub(crate) const PUBLISH: Id = (60, 40);

/// Far below the 20 s of silence after which a client gives up.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A broker. Its threads end with their connections.
#[derive(Clone)]
pub(crate) struct Fake {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// What blocks the connection on which it comes next, and when it may go on. It is answered afterwards.
    alarm: Mutex<Option<(Id, Receiver<()>)>>,
    closed_channels: AtomicU64,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("amqp://app:secret@{}/", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let of = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of);
                // It ends with an error when the client has disconnected.
                thread::spawn(move || Peer { stream, shared, channels: Vec::new() }.serve());
            }
        });
        Self { url, shared }
    }

    /// The connection on which `id` comes next is blocked then, until what is returned is dropped.
    pub(crate) fn block_at(&self, id: Id) -> Sender<()> {
        let (alarm, over) = bounded(0);
        *self.shared.alarm.lock().unwrap() = Some((id, over));
        alarm
    }

    pub(crate) fn closed_channels(&self) -> u64 {
        self.shared.closed_channels.load(Ordering::SeqCst)
    }
}

/// One connection.
struct Peer {
    stream: TcpStream,
    shared: Arc<Shared>,
    /// Of each channel its number, how many messages came, and the first that is not confirmed.
    channels: Vec<(u16, u64, u64)>,
}

impl Peer {
    fn serve(mut self) -> Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.read_exact(&mut [0; 8])?;
        self.send(0, (10, 10), &[&[0, 9], &long(b""), &long(b"PLAIN"), &long(b"en_US")])?;
        loop {
            let (kind, channel, payload) = self.frame()?;
            match (kind, payload.as_slice()) {
                (1, &[a, b, c, d, ..]) => {
                    let id = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                    self.alarm(id)?;
                    self.answer(channel, id)?;
                }
                (3, body) => self.content(channel, body)?,
                _ => {}
            }
        }
    }

    fn answer(&mut self, channel: u16, id: Id) -> Result<()> {
        match id {
            (10, 11) => self.send(0, (10, 30), &[&[0, 255, 0, 2, 0, 0, 0, 60]]),
            (10, 40) => self.send(0, (10, 41), &[&[0]]),
            (20, 10) => {
                self.channels.push((channel, 0, 1));
                self.send(channel, (20, 11), &[&long(b"")])
            }
            (20, 40) => {
                self.channels.retain(|(number, ..)| *number != channel);
                self.shared.closed_channels.fetch_add(1, Ordering::SeqCst);
                self.send(channel, (20, 41), &[])
            }
            (50, 10) => self.send(channel, (50, 11), &[&[1, b'q'], &[0; 8]]),
            (60, 20) => self.send(channel, (60, 21), &[&[1, b'c']]),
            // Each method is answered by the next number, except publishing.
            (class, method) if id != PUBLISH && method % 10 == 0 => self.send(channel, (class, method + 1), &[]),
            _ => Ok(()),
        }
    }

    /// A body: `held` is confirmed once a connection is not blocked any more, `nack` never, and all others at once.
    fn content(&mut self, channel: u16, body: &[u8]) -> Result<()> {
        let Some((_, count, first)) = self.channels.iter_mut().find(|(number, ..)| *number == channel) else {
            return Ok(());
        };
        *count += 1;
        let tag = *count;
        if body == b"held" {
            return Ok(());
        }
        let is_nack = body == b"nack";
        if *first == tag {
            *first = tag + 1;
        }
        let method = if is_nack { 120 } else { 80 };
        self.send(channel, (60, method), &[&tag.to_be_bytes(), &[0]])
    }

    /// Blocks the connection where this is what it is waited for.
    fn alarm(&mut self, id: Id) -> Result<()> {
        let alarm = self.shared.alarm.lock().unwrap().take_if(|(at, _)| *at == id);
        let Some((_, over)) = alarm else { return Ok(()) };
        self.send(0, (10, 60), &[&short(b"low on memory")])?;
        while over.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
            self.stream.write_all(&[8, 0, 0, 0, 0, 0, 0, 0xCE])?;
        }
        self.send(0, (10, 61), &[])?;
        for (channel, count, first) in self.channels.clone() {
            for tag in first..=count {
                self.send(channel, (60, 80), &[&tag.to_be_bytes(), &[0]])?;
            }
        }
        Ok(())
    }

    fn send(&mut self, channel: u16, (class, method): Id, arguments: &[&[u8]]) -> Result<()> {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), &arguments.concat()].concat();
        let frame = [&[1][..], &channel.to_be_bytes(), &long(&payload), &[0xCE]].concat();
        self.stream.write_all(&frame)
    }

    fn frame(&mut self) -> Result<(u8, u16, Vec<u8>)> {
        let mut head = [0; 7];
        self.stream.read_exact(&mut head)?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut payload = vec![0; size as usize + 1];
        self.stream.read_exact(&mut payload)?;
        payload.pop();
        Ok((head[0], u16::from_be_bytes([head[1], head[2]]), payload))
    }
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8][..], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}
