//! A publisher that speaks just enough AMQP, and any nonsense in it, which no decent client sends.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection with one channel in confirm mode.
pub struct Raw(TcpStream);

impl Raw {
    /// Logs in to the broker of an `amqp://` URL.
    ///
    /// # Errors
    /// The system's; and what the broker said in place of what was expected.
    pub fn connect(url: &str) -> Result<Self> {
        let no_url = || Error::new(ErrorKind::InvalidInput, "no URL such as amqp://user:password@host:5672/vhost");
        let rest = url.strip_prefix("amqp://").ok_or_else(no_url)?;
        let (login, rest) = rest.split_once('@').ok_or_else(no_url)?;
        let (user, password) = login.split_once(':').ok_or_else(no_url)?;
        let (address, vhost) = rest.split_once('/').unwrap_or((rest, "%2F"));
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut raw = Self(stream);
        raw.0.write_all(b"AMQP\0\0\x09\x01")?;
        raw.expect([0, 10, 0, 10])?;
        let response = format!("\0{user}\0{password}");
        raw.method(0, 10, 11, &[&long(b""), &short(b"PLAIN"), &long(response.as_bytes()), &short(b"en_US")])?;
        let tune = raw.expect([0, 10, 0, 30])?;
        raw.method(0, 10, 31, &[&tune[4..10], &[0, 0]])?;
        raw.method(0, 10, 40, &[&short(vhost.replace("%2F", "/").replace("%2f", "/").as_bytes()), &[0, 0]])?;
        raw.expect([0, 10, 0, 41])?;
        raw.method(1, 20, 10, &[&short(b"")])?;
        raw.expect([0, 20, 0, 11])?;
        raw.method(1, 85, 10, &[&[0]])?;
        raw.expect([0, 85, 0, 11])?;
        Ok(raw)
    }

    /// Publishes with properties as they are on the wire, flags first, and waits until the broker has it.
    ///
    /// # Errors
    /// As for [`Raw::connect`].
    pub fn publish(&mut self, exchange: &str, routing_key: &[u8], properties: &[u8], body: &[u8]) -> Result<()> {
        self.method(1, 60, 40, &[&[0, 0], &short(exchange.as_bytes()), &short(routing_key), &[0]])?;
        let size = body.len() as u64;
        self.frame(2, 1, &[&[0, 60, 0, 0], &size.to_be_bytes(), properties])?;
        self.frame(3, 1, &[body])?;
        self.expect([0, 60, 0, 80]).map(drop)
    }

    fn method(&mut self, channel: u16, class: u16, method: u16, arguments: &[&[u8]]) -> Result<()> {
        let id = [class.to_be_bytes(), method.to_be_bytes()].concat();
        self.frame(1, channel, &[&id, &arguments.concat()])
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[&[u8]]) -> Result<()> {
        let frame = [&[kind][..], &channel.to_be_bytes(), &long(&payload.concat()), &[0xCE]].concat();
        self.0.write_all(&frame)
    }

    /// The payload of the next frame, which must be this method.
    fn expect(&mut self, id: [u8; 4]) -> Result<Vec<u8>> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head)?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut payload = vec![0; size as usize + 1];
        self.0.read_exact(&mut payload)?;
        if payload.starts_with(&id) {
            return Ok(payload);
        }
        Err(Error::new(ErrorKind::InvalidData, String::from_utf8_lossy(&payload)))
    }
}

/// A short string on the wire.
#[must_use]
pub fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8][..], text].concat()
}

/// A long string on the wire.
#[must_use]
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// An entry of a table on the wire: its name, the letter of its type, its value.
#[must_use]
pub fn entry(name: &[u8], letter: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[letter], value].concat()
}
