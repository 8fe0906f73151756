//! Finds the end of one answer in the bytes of a Redis server, and bounds its size and
//! nesting, before the parser of the redis crate sees it. Keeps no bytes and does no I/O.

use std::ops::Range;

/// Deeper than any answer to a command that is sent here: EXEC of a BLPOP nests twice.
const DEPTH: usize = 8;
/// More than any array in such an answer.
const ITEMS: i64 = 1024;
/// Longer than any line that is not a value.
const LINE: usize = 64 * 1024;

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It ends before this position.
    Whole(usize),
    /// At least so many bytes must be there before it can be whole.
    Needs(usize),
}

/// Why these bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// Not the protocol of Redis.
    Garbage,
    /// A value over the limit.
    TooLarge,
}

/// Goes through an answer as it arrives; each byte is looked at once.
pub(super) struct Scan {
    limit: usize,
    /// Where the next line begins.
    at: usize,
    /// Up to where no line end was found.
    searched: usize,
    /// How many items are missing in each open array.
    open: Vec<i64>,
    /// Where the first refusal stands.
    refusal: Option<Range<usize>>,
}

impl Scan {
    /// For an answer of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, at: 0, searched: 0, open: Vec::new(), refusal: None }
    }

    /// Goes on with `bytes`, which begin where they began before and may have become more.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Progress, Bad> {
        loop {
            let Some(end) = self.line_end(bytes)? else { return Ok(Progress::Needs(bytes.len() + 1)) };
            let (kind, text) = match &bytes[self.at..end] {
                [kind, text @ ..] => (*kind, text),
                [] => return Err(Bad::Garbage),
            };
            let mut next = end + 2;
            match kind {
                b'+' | b'-' => {
                    std::str::from_utf8(text).map_err(|_| Bad::Garbage)?;
                    if kind == b'-' {
                        self.refusal.get_or_insert(self.at..next);
                    }
                }
                b':' => {
                    number(text)?;
                }
                b'$' => {
                    let length = number(text)?;
                    if length >= 0 {
                        let length = usize::try_from(length).map_err(|_| Bad::TooLarge)?;
                        if length > self.limit.saturating_sub(next) {
                            return Err(Bad::TooLarge);
                        }
                        let value_end = next + length;
                        if bytes.len() < value_end + 2 {
                            return Ok(Progress::Needs(value_end + 2));
                        }
                        if &bytes[value_end..value_end + 2] != b"\r\n" {
                            return Err(Bad::Garbage);
                        }
                        next = value_end + 2;
                    }
                }
                b'*' => {
                    let items = number(text)?;
                    if items > ITEMS || self.open.len() == DEPTH {
                        return Err(Bad::Garbage);
                    }
                    if items > 0 {
                        self.open.push(items);
                        self.go_to(next);
                        continue;
                    }
                }
                _ => return Err(Bad::Garbage),
            }
            self.go_to(next);
            if self.item_is_whole() {
                return Ok(Progress::Whole(next));
            }
        }
    }

    /// What to parse of a whole answer that ends at `end`: all of it, or the refusal in it, since the parser of the
    /// redis crate cannot read one within an array (EXEC) and says something else.
    pub(super) fn telling(&self, end: usize) -> Range<usize> {
        self.refusal.clone().unwrap_or(0..end)
    }

    fn go_to(&mut self, position: usize) {
        self.at = position;
        self.searched = position;
    }

    /// Counts an item; says whether the whole answer ends with it.
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

    fn line_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Bad> {
        if bytes.get(self.at).is_some_and(|kind| !b"+-:$*".contains(kind)) {
            return Err(Bad::Garbage);
        }
        match bytes[self.searched..].windows(2).position(|two| two == b"\r\n") {
            Some(offset) => Ok(Some(self.searched + offset)),
            None if bytes.len() - self.at > LINE.min(self.limit) => Err(Bad::Garbage),
            None => {
                // A `\r` at the end may be half of a line end.
                self.searched = bytes.len().saturating_sub(1).max(self.at);
                Ok(None)
            }
        }
    }
}

fn number(text: &[u8]) -> Result<i64, Bad> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Bad::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;

    fn all(bytes: &[u8]) -> Result<Progress, Bad> {
        Scan::new(LIMIT).advance(bytes)
    }

    #[test]
    fn whole_answers_end_where_they_end_however_they_arrive() {
        for answer in [
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
            let bytes = format!("{answer}+NEXT\r\n");
            assert_eq!(all(bytes.as_bytes()), Ok(Progress::Whole(answer.len())), "{answer:?}");
            let mut scan = Scan::new(LIMIT);
            for length in 0..answer.len() {
                let Ok(Progress::Needs(more)) = scan.advance(&bytes.as_bytes()[..length]) else {
                    panic!("{answer:?} at {length}")
                };
                assert!(length < more && more <= answer.len(), "{answer:?} at {length}");
            }
            assert_eq!(scan.advance(answer.as_bytes()), Ok(Progress::Whole(answer.len())));
        }
    }

    #[test]
    fn garbage_and_bombs_are_told_at_once() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b":x\r\n",
            b"$x\r\n",
            b"$3\r\nabcXX",
            b"+\xff\r\n",
            b"*9223372036854775807\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            &[b'+'; LIMIT + 2],
        ] {
            assert_eq!(all(bytes), Err(Bad::Garbage), "{bytes:?}");
        }
        assert_eq!(all(b"$9223372036854775807\r\n"), Err(Bad::TooLarge));
        assert_eq!(all(b"$1000\r\n"), Err(Bad::TooLarge));
        assert_eq!(all(b"*2\r\n$400\r\n"), Ok(Progress::Needs(412)));
    }

    #[test]
    fn a_refusal_within_an_answer_is_what_it_tells() {
        for (answer, telling) in [
            ("*2\r\n-WRONGTYPE x\r\n:0\r\n", "-WRONGTYPE x\r\n"),
            ("*2\r\n:0\r\n-ERR x\r\n", "-ERR x\r\n"),
            ("-ERR x\r\n", "-ERR x\r\n"),
            ("*2\r\n$8\r\n-ERR x\r\n\r\n:0\r\n", "*2\r\n$8\r\n-ERR x\r\n\r\n:0\r\n"),
        ] {
            let mut scan = Scan::new(LIMIT);
            assert_eq!(scan.advance(answer.as_bytes()), Ok(Progress::Whole(answer.len())));
            assert_eq!(&answer[scan.telling(answer.len())], telling);
        }
    }

    #[test]
    fn the_parser_of_the_redis_crate_takes_what_passes() {
        use r2d2_redis::redis::parse_redis_value;
        for answer in ["+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "*2\r\n$1\r\nk\r\n$0\r\n\r\n", "+\r\n"] {
            assert!(parse_redis_value(answer.as_bytes()).is_ok(), "{answer:?}");
        }
        for refusal in ["-\r\n", "-ERR\r\n", "-ERR a b\r\n", "-WRONGPASS x\r\n", "*1\r\n-WRONGTYPE x\r\n"] {
            let error = parse_redis_value(refusal.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("parse error"), "{refusal:?}: {error}");
        }
    }
}
