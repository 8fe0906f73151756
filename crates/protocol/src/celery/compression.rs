//! Decompression of bodies and replies, and compression of replies. Decompression stops at the limits.

use std::io::{ErrorKind, Read, Write};

use bzip2::read::BzDecoder;
use flate2::read::GzDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::decode_error::excerpt;
use crate::{DecodeError, Limits};

/// Bytes that are decompressed between two checks of the limits.
const STEP: usize = 32 * 1024;

/// Decompresses a body by the name in the `compression` header: a content type, or an alias that kombu registers.
/// kombu's "gzip" is a zlib stream. A real gzip stream is read too.
pub(crate) fn inflate(name: &str, body: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    match name.to_ascii_lowercase().as_str() {
        "application/x-gzip" | "application/gzip" | "gzip" | "zlib" | "application/zlib"
            if body.starts_with(&[0x1f, 0x8b]) =>
        {
            drain(GzDecoder::new(body), body.len(), limits)
        }
        "application/x-gzip" | "application/gzip" | "gzip" | "zlib" | "application/zlib" => inflate_zlib(body, limits),
        "application/x-bz2" | "application/x-bzip2" | "bzip2" | "bz2" | "bzip" => {
            drain(BzDecoder::new(body), body.len(), limits)
        }
        _ => Err(DecodeError::Compression { found: excerpt(name) }),
    }
}

/// Decompresses a zlib stream. As in Python, bytes after its end are ignored.
pub(crate) fn inflate_zlib(body: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let mut stream = Decompress::new(true);
    let mut out = Vec::new();
    loop {
        out.reserve(STEP);
        let (read, written) = (stream.total_in(), stream.total_out());
        let consumed = usize::try_from(read).unwrap_or(usize::MAX);
        let rest = body.get(consumed..).unwrap_or_default();
        let status = stream.decompress_vec(rest, &mut out, FlushDecompress::None).map_err(|_| DecodeError::Inflate)?;
        check(out.len(), body.len(), limits)?;
        if status == Status::StreamEnd {
            return Ok(out);
        }
        if stream.total_in() == read && stream.total_out() == written {
            // No progress: the stream is cut short.
            return Err(DecodeError::Inflate);
        }
    }
}

/// Compresses `data` to a zlib stream.
pub(crate) fn deflate_zlib(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data)?;
    encoder.finish()
}

fn drain(mut reader: impl Read, compressed: usize, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let mut step = vec![0; STEP];
    loop {
        match reader.read(&mut step) {
            Ok(0) => return Ok(out),
            Ok(count) => {
                out.extend_from_slice(&step[..count]);
                check(out.len(), compressed, limits)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(DecodeError::Inflate),
        }
    }
}

fn check(inflated: usize, compressed: usize, limits: &Limits) -> Result<(), DecodeError> {
    let ratio = limits.ratio.saturating_mul(compressed).max(Limits::RATIO_FLOOR);
    let limit = limits.inflated.min(ratio);
    if inflated > limit {
        return Err(DecodeError::TooLarge { what: "decompressed body", size: None, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn bz2(data: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_alias_opens_its_stream() {
        let data = b"some text, some text, some text".repeat(5000);
        let limits = Limits::default();
        let (zlib, gzip, bz2) = (deflate_zlib(&data).unwrap(), gzip(&data), bz2(&data));
        for name in ["application/x-gzip", "gzip", "zlib"] {
            assert_eq!(inflate(name, &zlib, &limits).unwrap(), data, "{name}");
            assert_eq!(inflate(name, &gzip, &limits).unwrap(), data, "{name}");
        }
        for name in ["application/x-bz2", "bzip2", "bz2"] {
            assert_eq!(inflate(name, &bz2, &limits).unwrap(), data, "{name}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_ratio() {
        let zeros = vec![0; 48 * 1024 * 1024];
        for (name, bomb) in [("zlib", deflate_zlib(&zeros).unwrap()), ("gzip", gzip(&zeros)), ("bzip2", bz2(&zeros))] {
            assert!(bomb.len() < 64 * 1024);
            let limit = (bomb.len() * 200).max(Limits::RATIO_FLOOR);
            assert_eq!(
                inflate(name, &bomb, &Limits::default()),
                Err(DecodeError::TooLarge { what: "decompressed body", size: None, limit }),
                "{name}"
            );
        }
    }

    #[test]
    fn output_stops_at_the_limit() {
        let limits = Limits { inflated: 1000, ..Limits::default() };
        let body = deflate_zlib(&[0; 1001]).unwrap();
        let refused = Err(DecodeError::TooLarge { what: "decompressed body", size: None, limit: 1000 });
        assert_eq!(inflate("zlib", &body, &limits), refused);
        assert!(inflate("zlib", &deflate_zlib(&[0; 1000]).unwrap(), &limits).is_ok());
    }

    #[test]
    fn cut_and_damaged_streams_are_refused() {
        let data = b"some text".repeat(100);
        for (name, whole) in [("zlib", deflate_zlib(&data).unwrap()), ("gzip", gzip(&data)), ("bzip2", bz2(&data))] {
            for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
                let refused = inflate(name, &whole[..cut], &Limits::default());
                assert_eq!(refused, Err(DecodeError::Inflate), "{name} cut at {cut}");
            }
            let mut damaged = whole.clone();
            let middle = whole.len() / 2;
            damaged[middle] ^= 0xff;
            assert_eq!(inflate(name, &damaged, &Limits::default()), Err(DecodeError::Inflate), "{name}");
        }
    }

    /// kombu registers these where the Python modules are installed.
    #[test]
    fn optional_methods_of_kombu_are_refused() {
        for name in [
            "application/x-brotli",
            "brotli",
            "application/zstd",
            "zstd",
            "zstandard",
            "application/x-lzma",
            "lzma",
            "xz",
        ] {
            let refused = inflate(name, b"whatever", &Limits::default());
            assert_eq!(refused, Err(DecodeError::Compression { found: name.to_owned() }));
        }
    }

    #[test]
    fn an_unknown_method_is_named() {
        let refused = Err(DecodeError::Compression { found: "application/x-nope".to_owned() });
        assert_eq!(inflate("application/x-nope", b"", &Limits::default()), refused);
    }
}
