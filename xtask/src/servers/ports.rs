//! Free ports of the loopback interface.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use crate::failure::{Failure, Result};

/// Below the range that systems give to outgoing connections (32768 on Linux), which could take a port between choice
/// and use, and which can even connect to itself while one waits for a server. Above every default port of the servers.
const FIRST: u16 = 26_000;
const COUNT: u16 = 6_000;

/// `N` different ports that nobody listens on at this moment, chosen at random, so that runs side by side seldom meet.
///
/// Another program may still take one before it is used: a start that fails for it is repeated with other ports.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut chosen = BTreeSet::new();
    for attempt in 0_u32..10_000 {
        if chosen.len() == N {
            break;
        }
        // Each RandomState has keys of its own: enough randomness for this.
        let offset = RandomState::new().hash_one(attempt) % u64::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            chosen.insert(port);
        }
    }
    Vec::from_iter(chosen).try_into().map_err(|_| Failure::says(format!("no {N} free ports on 127.0.0.1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_listened_on() {
        let ports: [u16; 4] = free().unwrap();
        let listeners: Vec<_> = ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port))).collect();
        assert!(listeners.iter().all(Result::is_ok), "{ports:?}");
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
    }

    use std::result::Result;
}
