//! Why a text is not JSON: a strict, iterative check of the grammar that stops at the first error and names it. It is
//! slower than simd-json, and runs only after simd-json has refused a text.

use crate::DecodeError;

/// The first error of `bytes`, which simd-json has refused.
pub(super) fn first_error(bytes: &[u8], depth: usize) -> DecodeError {
    check(bytes, depth).err().unwrap_or(DecodeError::Malformed { at: 0 })
}

/// Checks the whole text.
pub(super) fn check(bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(DecodeError::ByteOrderMark);
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(DecodeError::InvalidUtf8 { at: error.valid_up_to() });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(DecodeError::Empty);
    }
    Lexer { bytes, at: 0, open: Vec::new(), depth }.document()
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The closing bytes that are due, innermost last.
    open: Vec<u8>,
    depth: usize,
}

impl Lexer<'_> {
    fn document(&mut self) -> Result<(), DecodeError> {
        loop {
            // A value is due here.
            self.space();
            match self.peek() {
                Some(b'[') => {
                    self.enter(b']')?;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                Some(b'{') => {
                    self.enter(b'}')?;
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            if self.after_value()? {
                return Ok(());
            }
        }
    }

    /// After a value: reads closing bytes up to the next value. True at the end of the text.
    fn after_value(&mut self) -> Result<bool, DecodeError> {
        loop {
            self.space();
            match (self.peek(), self.open.last().copied()) {
                (None, None) => return Ok(true),
                (Some(found), Some(due)) if found == due => {
                    self.open.pop();
                    self.at += 1;
                }
                (Some(b','), Some(due)) => {
                    self.at += 1;
                    if due == b'}' {
                        self.key()?;
                    }
                    return Ok(false);
                }
                _ => return Err(self.malformed()),
            }
        }
    }

    fn enter(&mut self, closing: u8) -> Result<(), DecodeError> {
        if self.open.len() >= self.depth {
            return Err(DecodeError::TooDeep { limit: self.depth });
        }
        self.open.push(closing);
        self.at += 1;
        self.space();
        Ok(())
    }

    fn key(&mut self) -> Result<(), DecodeError> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.malformed());
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), DecodeError> {
        for word in ["true", "false", "null"] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(());
            }
        }
        if self.rest().starts_with(b"NaN") || self.rest().starts_with(b"Infinity") {
            return Err(DecodeError::NotANumber { at: self.at });
        }
        Err(self.malformed())
    }

    fn number(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        if self.rest().starts_with(b"-Infinity") {
            return Err(DecodeError::NotANumber { at: start });
        }
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        let mut integer = true;
        if self.skip(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            integer = false;
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        if integer {
            if text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
                return Err(DecodeError::IntegerOutOfRange { at: start });
            }
        } else if !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(DecodeError::FloatOutOfRange { at: start });
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), DecodeError> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.malformed()) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.unit()? {
                0xd800..=0xdbff => {
                    if !(self.rest().starts_with(b"\\u")) {
                        return Err(DecodeError::LoneSurrogate { at: start });
                    }
                    self.at += 1;
                    if !(0xdc00..=0xdfff).contains(&self.unit()?) {
                        return Err(DecodeError::LoneSurrogate { at: start });
                    }
                }
                0xdc00..=0xdfff => return Err(DecodeError::LoneSurrogate { at: start }),
                _ => {}
            },
            _ => return Err(self.malformed()),
        }
        Ok(())
    }

    /// The code unit of `uXXXX`.
    fn unit(&mut self) -> Result<u32, DecodeError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(|| self.malformed())?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn malformed(&self) -> DecodeError {
        DecodeError::Malformed { at: self.at }
    }
}
