//! Finds the end of one reply in the bytes of a Redis server, and bounds its size and nesting before the parser of the
//! redis crate sees it. Keeps no bytes and does no I/O.

use std::ops::Range;

/// Deeper than the reply to any command of this crate: EXEC of a BLPOP nests twice.
const DEPTH: usize = 8;
/// More items than any array in such a reply has.
const ITEMS: i64 = 1024;
/// Longer than any line that is not a value, in bytes.
const LINE: usize = 64 * 1024;

/// How much of a reply is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanProgress {
    /// The reply ends before this position.
    Whole(usize),
    /// A whole reply needs at least this many bytes.
    Needs(usize),
}

/// Why these bytes are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidReply {
    /// Not the protocol of Redis.
    Garbage,
    /// A value is larger than the limit.
    TooLarge,
}

/// Scans a reply as it arrives. Looks at each byte once.
pub(super) struct ReplyScanner {
    limit: usize,
    /// The position of the next line.
    at: usize,
    /// There is no line end before this position.
    searched: usize,
    /// The number of missing items of each open array.
    open: Vec<i64>,
    /// The position of the first error reply.
    error: Option<Range<usize>>,
}

impl ReplyScanner {
    /// Scans a reply of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, at: 0, searched: 0, open: Vec::new(), error: None }
    }

    /// Continues with `bytes`: the bytes of the last call, and those that have come since.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<ScanProgress, InvalidReply> {
        loop {
            let Some(end) = self.line_end(bytes)? else { return Ok(ScanProgress::Needs(bytes.len() + 1)) };
            let (kind, text) = match &bytes[self.at..end] {
                [kind, text @ ..] => (*kind, text),
                [] => return Err(InvalidReply::Garbage),
            };
            let mut next = end + 2;
            match kind {
                b'+' | b'-' => {
                    std::str::from_utf8(text).map_err(|_| InvalidReply::Garbage)?;
                    if kind == b'-' {
                        self.error.get_or_insert(self.at..next);
                    }
                }
                b':' => {
                    number(text)?;
                }
                b'$' => {
                    let length = number(text)?;
                    if length >= 0 {
                        let length = usize::try_from(length).map_err(|_| InvalidReply::TooLarge)?;
                        if length > self.limit.saturating_sub(next) {
                            return Err(InvalidReply::TooLarge);
                        }
                        let value_end = next + length;
                        if bytes.len() < value_end + 2 {
                            return Ok(ScanProgress::Needs(value_end + 2));
                        }
                        if &bytes[value_end..value_end + 2] != b"\r\n" {
                            return Err(InvalidReply::Garbage);
                        }
                        next = value_end + 2;
                    }
                }
                b'*' => {
                    let items = number(text)?;
                    if items > ITEMS || self.open.len() == DEPTH {
                        return Err(InvalidReply::Garbage);
                    }
                    if items > 0 {
                        self.open.push(items);
                        self.go_to(next);
                        continue;
                    }
                }
                _ => return Err(InvalidReply::Garbage),
            }
            self.go_to(next);
            if self.item_is_whole() {
                return Ok(ScanProgress::Whole(next));
            }
        }
    }

    /// The part to parse of a whole reply that ends at `end`: all of it, or the first error reply in it, because the parser
    /// of the redis crate does not understand an error reply within an array (EXEC).
    pub(super) fn part_to_parse(&self, end: usize) -> Range<usize> {
        self.error.clone().unwrap_or(0..end)
    }

    fn go_to(&mut self, position: usize) {
        self.at = position;
        self.searched = position;
    }

    /// Counts an item. Returns whether the whole reply ends with it.
    fn item_is_whole(&mut self) -> bool {
        while let Some(missing) = self.open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn line_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, InvalidReply> {
        if bytes.get(self.at).is_some_and(|kind| !b"+-:$*".contains(kind)) {
            return Err(InvalidReply::Garbage);
        }
        match bytes[self.searched..].windows(2).position(|two| two == b"\r\n") {
            Some(offset) => Ok(Some(self.searched + offset)),
            None if bytes.len() - self.at > LINE.min(self.limit) => Err(InvalidReply::Garbage),
            None => {
                // A `\r` at the end may be half of a line end.
                self.searched = bytes.len().saturating_sub(1).max(self.at);
                Ok(None)
            }
        }
    }
}

fn number(text: &[u8]) -> Result<i64, InvalidReply> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(InvalidReply::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;

    fn all(bytes: &[u8]) -> Result<ScanProgress, InvalidReply> {
        ReplyScanner::new(LIMIT).advance(bytes)
    }

    #[test]
    fn the_end_of_a_reply_is_found_however_it_arrives() {
        for reply in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":-12\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "$4\r\n\r\n\r\n\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n$1\r\nk\r\n$3\r\nv\r\n\r\n",
            "*3\r\n*0\r\n*1\r\n*2\r\n:1\r\n+a\r\n$-1\r\n",
        ] {
            let bytes = format!("{reply}+NEXT\r\n");
            assert_eq!(all(bytes.as_bytes()), Ok(ScanProgress::Whole(reply.len())), "{reply:?}");
            let mut scanner = ReplyScanner::new(LIMIT);
            for length in 0..reply.len() {
                let Ok(ScanProgress::Needs(more)) = scanner.advance(&bytes.as_bytes()[..length]) else {
                    panic!("{reply:?} at {length}")
                };
                assert!(length < more && more <= reply.len(), "{reply:?} at {length}");
            }
            assert_eq!(scanner.advance(reply.as_bytes()), Ok(ScanProgress::Whole(reply.len())));
        }
    }

    #[test]
    fn garbage_and_bombs_are_detected_at_once() {
        for bytes in [
            &b"HTTP/1.1 400 InvalidReply Request\r\n"[..],
            b"\r\n",
            b":x\r\n",
            b"$x\r\n",
            b"$3\r\nabcXX",
            b"+\xff\r\n",
            b"*9223372036854775807\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            &[b'+'; LIMIT + 2],
        ] {
            assert_eq!(all(bytes), Err(InvalidReply::Garbage), "{bytes:?}");
        }
        assert_eq!(all(b"$9223372036854775807\r\n"), Err(InvalidReply::TooLarge));
        assert_eq!(all(b"$1000\r\n"), Err(InvalidReply::TooLarge));
        assert_eq!(all(b"*2\r\n$400\r\n"), Ok(ScanProgress::Needs(412)));
    }

    #[test]
    fn an_error_reply_within_a_reply_is_the_part_to_parse() {
        for (reply, part) in [
            ("*2\r\n-WRONGTYPE x\r\n:0\r\n", "-WRONGTYPE x\r\n"),
            ("*2\r\n:0\r\n-ERR x\r\n", "-ERR x\r\n"),
            ("-ERR x\r\n", "-ERR x\r\n"),
            ("*2\r\n$8\r\n-ERR x\r\n\r\n:0\r\n", "*2\r\n$8\r\n-ERR x\r\n\r\n:0\r\n"),
        ] {
            let mut scanner = ReplyScanner::new(LIMIT);
            assert_eq!(scanner.advance(reply.as_bytes()), Ok(ScanProgress::Whole(reply.len())));
            assert_eq!(&reply[scanner.part_to_parse(reply.len())], part);
        }
    }

    #[test]
    fn the_parser_of_the_redis_crate_accepts_each_scanned_reply() {
        use r2d2_redis::redis::parse_redis_value;
        for reply in ["+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "*2\r\n$1\r\nk\r\n$0\r\n\r\n", "+\r\n"] {
            assert!(parse_redis_value(reply.as_bytes()).is_ok(), "{reply:?}");
        }
        for error_reply in ["-\r\n", "-ERR\r\n", "-ERR a b\r\n", "-WRONGPASS x\r\n", "*1\r\n-WRONGTYPE x\r\n"] {
            let error = parse_redis_value(error_reply.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("parse error"), "{error_reply:?}: {error}");
        }
    }
}
