//! The stream between amiquip and the socket, which completes the login. amiquip gets no password, since it logs what
//! it sends. The stream writes the credentials, the connection name and the request for a proper refusal of wrong
//! credentials into amiquip's `StartOk` on its way out. Inbound bytes pass unchanged; `guard` checks them.

use std::io::{self, Read, Write};

use amiquip::{IoStream, Sasl};
use mio::event::Evented;
use mio::net::TcpStream;
use mio::{Poll, PollOpt, Ready, Token};
use zc_events_net::Socket;

/// `AMQP` 0 0 9 1
const PROTOCOL_HEADER: usize = 8;
/// Type, channel and size of a frame. After the payload follows the end mark.
const FRAME_HEADER: usize = 7;
/// Class 10, method 11: `connection.start-ok`.
const START_OK: [u8; 4] = [0, 10, 0, 11];

/// The credentials as amiquip gets them: only the mechanism.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain;

impl Sasl for Plain {
    fn mechanism(&self) -> String {
        "PLAIN".to_owned()
    }

    fn response(&self) -> String {
        String::new()
    }
}

/// The credentials that are written instead.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) connection_name: String,
}

impl Login {
    /// Completes amiquip's `StartOk` frame.
    fn complete(&self, frame: &[u8]) -> io::Result<Vec<u8>> {
        let size = u32_at(frame, 3)? as usize;
        let payload = slice(frame, FRAME_HEADER, size)?;
        if slice(payload, 0, START_OK.len())? != START_OK {
            return Err(unexpected());
        }
        let table_size = u32_at(payload, 4)? as usize;
        let table = slice(payload, 8, table_size)?;
        let mechanism = short_string(payload, 8 + table_size)?;
        let response_at = 8 + table_size + mechanism.len();
        let response_size = u32_at(payload, response_at)? as usize;
        let locale = payload.get(response_at + 4 + response_size..).ok_or_else(unexpected)?;

        let mut properties = table.to_vec();
        add_capability(&mut properties, "authentication_failure_close")?;
        push_key(&mut properties, "connection_name");
        properties.push(b'S');
        push_long(&mut properties, self.connection_name.as_bytes());

        let mut out = START_OK.to_vec();
        push_long(&mut out, &properties);
        out.extend_from_slice(mechanism);
        push_long(&mut out, format!("\0{}\0{}", self.user, self.password).as_bytes());
        out.extend_from_slice(locale);

        let mut completed = frame[..3].to_vec();
        push_long(&mut completed, &out);
        completed.push(0xCE);
        Ok(completed)
    }
}

enum Phase {
    /// How many bytes of the protocol header are still to be written.
    Header(usize),
    StartOk(Login),
    Open,
}

/// A stream that completes the login.
pub(super) struct LoginStream {
    inner: Socket<TcpStream>,
    phase: Phase,
    login: Option<Login>,
}

impl LoginStream {
    pub(super) fn new(inner: Socket<TcpStream>, login: Login) -> Self {
        Self { inner, phase: Phase::Header(PROTOCOL_HEADER), login: Some(login) }
    }
}

impl Read for LoginStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl Write for LoginStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.phase {
            Phase::Open => self.inner.write(bytes),
            Phase::Header(left) => {
                let written = self.inner.write(&bytes[..bytes.len().min(*left)])?;
                *left -= written;
                if *left == 0 {
                    self.phase = self.login.take().map_or(Phase::Open, Phase::StartOk);
                }
                Ok(written)
            }
            Phase::StartOk(login) => {
                let length = FRAME_HEADER + u32_at(bytes, 3)? as usize + 1;
                let completed = login.complete(slice(bytes, 0, length)?)?;
                // A few hundred bytes into an empty socket buffer, so all or nothing is written.
                if self.inner.write(&completed)? < completed.len() {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.phase = Phase::Open;
                Ok(length)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Evented for LoginStream {
    fn register(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.inner.socket().register(poll, token, interest, options)
    }

    fn reregister(&self, poll: &Poll, token: Token, interest: Ready, options: PollOpt) -> io::Result<()> {
        self.inner.socket().reregister(poll, token, interest, options)
    }

    fn deregister(&self, poll: &Poll) -> io::Result<()> {
        Evented::deregister(self.inner.socket(), poll)
    }
}

impl IoStream for LoginStream {}

/// Adds a `true` to the table `capabilities` within the encoded table `properties`.
fn add_capability(properties: &mut Vec<u8>, name: &str) -> io::Result<()> {
    let mut key = Vec::new();
    push_key(&mut key, "capabilities");
    key.push(b'F');
    let at = properties.windows(key.len()).position(|window| window == key).ok_or_else(unexpected)? + key.len();
    let size = u32_at(properties, at)?;
    let mut entry = Vec::new();
    push_key(&mut entry, name);
    entry.extend_from_slice(b"t\x01");
    let grown = size + u32::try_from(entry.len()).map_err(|_| unexpected())?;
    properties[at..at + 4].copy_from_slice(&grown.to_be_bytes());
    properties.splice(at + 4..at + 4, entry);
    Ok(())
}

fn push_key(out: &mut Vec<u8>, key: &str) {
    debug_assert!(key.len() <= 255);
    out.push(key.len() as u8);
    out.extend_from_slice(key.as_bytes());
}

fn push_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    let four = slice(bytes, at, 4)?;
    Ok(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

/// A short string with its length byte.
fn short_string(bytes: &[u8], at: usize) -> io::Result<&[u8]> {
    let length = *bytes.get(at).ok_or_else(unexpected)?;
    slice(bytes, at, 1 + length as usize)
}

fn slice(bytes: &[u8], at: usize, length: usize) -> io::Result<&[u8]> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or_else(unexpected)
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the client library's login frame is not as expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_ok() -> Vec<u8> {
        let mut capabilities = Vec::new();
        push_key(&mut capabilities, "connection.blocked");
        capabilities.extend_from_slice(b"t\x01");
        let mut properties = Vec::new();
        push_key(&mut properties, "capabilities");
        properties.push(b'F');
        push_long(&mut properties, &capabilities);
        push_key(&mut properties, "product");
        properties.push(b'S');
        push_long(&mut properties, b"amiquip");
        let mut payload = START_OK.to_vec();
        push_long(&mut payload, &properties);
        push_key(&mut payload, "PLAIN");
        push_long(&mut payload, b"");
        push_key(&mut payload, "en_US");
        let mut frame = vec![1, 0, 0];
        push_long(&mut frame, &payload);
        frame.push(0xCE);
        frame
    }

    #[test]
    fn the_login_is_completed_with_correct_lengths() {
        let login = Login { user: "u".into(), password: "pass".into(), connection_name: "orders".into() };
        let frame = login.complete(&start_ok()).unwrap();
        assert_eq!(u32_at(&frame, 3).unwrap() as usize, frame.len() - FRAME_HEADER - 1);
        assert_eq!(frame.last(), Some(&0xCE));
        let payload = &frame[FRAME_HEADER..frame.len() - 1];
        let table = u32_at(payload, 4).unwrap() as usize;
        let behind = &payload[8 + table..];
        assert_eq!(behind, b"\x05PLAIN\x00\x00\x00\x07\0u\0pass\x05en_US");
        let properties = &payload[8..8 + table];
        let at = 1 + "capabilities".len() + 1;
        let capabilities = u32_at(properties, at).unwrap() as usize;
        let inner = slice(properties, at + 4, capabilities).unwrap();
        assert_eq!(inner, b"\x1cauthentication_failure_closet\x01\x12connection.blockedt\x01");
        assert!(properties.ends_with(b"\x0fconnection_nameS\x00\x00\x00\x06orders"));
    }

    #[test]
    fn other_frames_are_refused_without_a_panic() {
        let login = Login { user: "u".into(), password: "p".into(), connection_name: "c".into() };
        let frame = start_ok();
        for length in 0..frame.len() - 1 {
            let _ = login.complete(&frame[..length]);
        }
        let mut other = frame.clone();
        other[10] = 99;
        assert!(login.complete(&other).is_err());
    }
}
