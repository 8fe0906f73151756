//! The envelope of frames, and the reasons to end a connection on which a frame is invalid.

use std::fmt;

/// Type, channel, size.
pub(super) const HEAD: usize = 7;
/// The byte after every payload.
pub(super) const END: u8 = 0xCE;

/// The type of a content header.
pub(super) const HEADER: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Method,
    Header,
    Body,
    Heartbeat,
}

/// The fields before a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) channel: u16,
    /// The size of the payload in bytes, as the peer announces it.
    pub(super) size: usize,
}

impl Head {
    /// Reads the head from the first bytes of a frame. `None` while there are too few.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Refusal> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let kind = match first {
            1 => Kind::Method,
            HEADER => Kind::Header,
            3 => Kind::Body,
            8 => Kind::Heartbeat,
            // A broker that speaks another version answers with its own protocol header.
            b'A' => return Err(Refusal::new("the broker does not speak AMQP 0-9-1")),
            other => return Err(Refusal(format!("the broker sent a frame of the unknown type {other}"))),
        };
        let Some(head) = bytes.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [_, high, low, size @ ..] = *head;
        let channel = u16::from_be_bytes([high, low]);
        if matches!(kind, Kind::Header | Kind::Body) && channel == 0 {
            return Err(Refusal::new("the broker sent a message on channel 0"));
        }
        if kind == Kind::Heartbeat && channel != 0 {
            return Err(Refusal(format!("the broker sent a heartbeat on channel {channel}")));
        }
        Ok(Some(Self { kind, channel, size: u32::from_be_bytes(size) as usize }))
    }
}

/// Why the guard ends the connection. Of what the peer has sent, it quotes only numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl Refusal {
    pub(super) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}
