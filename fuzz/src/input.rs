//! The format of the input: plain bytes. A fuzzer can change any part alone, and every sequence of bytes is a valid
//! input. `Reader` reads it, and `Writer` writes it for the seeds. The targets decide what the parts mean.

use zc_events_protocol::{HeaderValue, Headers};

/// How deep header tables are nested. The target `guard` tests deeper ones.
const DEPTH: usize = 4;

/// Reads the parts of an input in order. After its end, it reads zeros and empty strings.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Bytes after their count, which is one byte.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let count = self.byte().into();
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(crate) fn headers(&mut self) -> Headers {
        self.table(DEPTH)
    }

    fn table(&mut self, depth: usize) -> Headers {
        (0..self.byte()).map(|_| (self.text(), self.value(depth))).collect()
    }

    fn value(&mut self, depth: usize) -> HeaderValue {
        match self.byte() % 9 {
            1 => HeaderValue::Bool(self.byte() % 2 == 1),
            2 => HeaderValue::Int(self.number() as i64),
            3 => HeaderValue::Float(f64::from_bits(self.number())),
            4 => HeaderValue::Text(self.text()),
            5 => HeaderValue::Bytes(self.bytes().to_vec()),
            6 => HeaderValue::Timestamp(self.number()),
            7 if depth > 0 => HeaderValue::List((0..self.byte()).map(|_| self.value(depth - 1)).collect()),
            8 if depth > 0 => HeaderValue::Table(self.table(depth - 1)),
            _ => HeaderValue::Null,
        }
    }
}

/// Writes the format of [`Reader`]. Strings over 255 bytes are cut off.
#[derive(Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) -> &mut Self {
        self.out.push(byte);
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let bytes = &bytes[..bytes.len().min(usize::from(u8::MAX))];
        self.byte(bytes.len() as u8).raw(bytes)
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    pub(crate) fn headers(&mut self, headers: &Headers) -> &mut Self {
        self.byte(headers.len().min(usize::from(u8::MAX)) as u8);
        for (name, value) in headers.iter().take(usize::from(u8::MAX)) {
            self.bytes(name.as_bytes()).value(value);
        }
        self
    }

    fn value(&mut self, value: &HeaderValue) -> &mut Self {
        match value {
            HeaderValue::Bool(value) => self.byte(1).byte((*value).into()),
            HeaderValue::Int(number) => self.byte(2).raw(&number.to_be_bytes()),
            HeaderValue::Float(number) => self.byte(3).raw(&number.to_be_bytes()),
            HeaderValue::Text(text) => self.byte(4).bytes(text.as_bytes()),
            HeaderValue::Bytes(bytes) => self.byte(5).bytes(bytes),
            HeaderValue::Timestamp(seconds) => self.byte(6).raw(&seconds.to_be_bytes()),
            HeaderValue::List(list) => {
                self.byte(7).byte(list.len() as u8);
                list.iter().fold(self, Self::value)
            }
            HeaderValue::Table(table) => self.byte(8).headers(table),
            _ => self.byte(0),
        }
    }

    pub(crate) fn done(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let headers = Headers::from([
            ("null".to_owned(), HeaderValue::Null),
            ("bool".to_owned(), HeaderValue::Bool(true)),
            ("int".to_owned(), HeaderValue::Int(-5)),
            ("float".to_owned(), HeaderValue::Float(1.5)),
            ("text".to_owned(), "é".into()),
            ("bytes".to_owned(), HeaderValue::Bytes(vec![0, 255])),
            ("time".to_owned(), HeaderValue::Timestamp(7)),
            ("list".to_owned(), HeaderValue::List(vec![1.into(), HeaderValue::Null])),
            ("table".to_owned(), HeaderValue::Table(Headers::from([("a".to_owned(), "b".into())]))),
        ]);
        let written = Writer::default().byte(9).headers(&headers).bytes(b"x").raw(b"rest").done();
        let mut reader = Reader::new(&written);
        assert_eq!((reader.byte(), reader.headers(), reader.text().as_str()), (9, headers, "x"));
        assert_eq!(reader.rest(), b"rest");
    }

    #[test]
    fn nothing_is_too_short() {
        let mut reader = Reader::new(&[255]);
        assert_eq!(reader.headers().len(), 1);
        assert_eq!((reader.byte(), reader.text().as_str(), reader.number()), (0, "", 0));
    }
}
