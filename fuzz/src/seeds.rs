//! Seeds, made from the vectors in `crates/protocol/tests/vectors` on demand, so that there are no copies of them. The
//! targets define the formats of the inputs.

mod messages;
mod urls;
mod vectors;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;
use zc_events_protocol::{Limits, Reply};

pub use self::vectors::Seed;
use self::vectors::{decode_base64, vectors};

/// The longest seed in bytes. Longer seeds are slower, and shorter ones cover the same code.
const LONGEST: usize = 4096;

/// All seeds.
///
/// # Errors
/// If the vectors cannot be read.
pub fn all() -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (name, vector) in vectors()? {
        if name.starts_with("redis_") {
            seeds.extend(answers(&vector));
        } else {
            seeds.extend(messages::of(&vector));
        }
    }
    seeds.extend(DOCUMENTS.iter().map(|text| ("document", text.as_bytes().to_vec())));
    seeds.extend(urls::URLS.iter().flat_map(|text| crate::url::seeds(text)).map(|seed| ("url", seed)));
    seeds.retain(|(_, bytes)| bytes.len() <= LONGEST);
    Ok(seeds)
}

/// Writes each seed into the folder of its target. Existing files stay.
///
/// # Errors
/// If writing fails.
pub fn write(folder: &Path) -> io::Result<usize> {
    let seeds = all()?;
    for (index, (target, bytes)) in seeds.iter().enumerate() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{index:04}")), bytes)?;
    }
    Ok(seeds.len())
}

/// The seeds of a reply store vector: the answer for `reply`, and its document for `document`.
fn answers(vector: &Value) -> Vec<Seed> {
    let Some(stored) = decode_base64(&vector["value_b64"]) else { return Vec::new() };
    let mut seeds: Vec<Seed> = crate::reply::seeds(&stored).into_iter().map(|seed| ("reply", seed)).collect();
    if let Ok(reply) = Reply::decode(&stored, &Limits::default())
        && let Ok(Some(document)) = reply.document()
    {
        seeds.push(("document", document.to_string().into_bytes()));
    }
    seeds
}

/// Forms of documents that the vectors do not have.
const DOCUMENTS: [&str; 5] = [
    r#"{"data":{"type":"Order","id":"23131024","attributes":{"name":"hush","totalCents":123456,"created-at":"2016-05-01","lines":[{"price":1.5,"count":2,"kind":"food"},{"price":2,"count":1,"kind":{"drink":{"litres":0.5}}}]},"relationships":{"company":{"data":{"type":"Company","id":7}},"customer":{"data":{"type":"Customer","id":"9"},"links":{"related":"/hush"}}}},"included":[{"type":"Company","id":"7","attributes":{"name":"hush"},"relationships":{"order":{"data":{"type":"Order","id":"23131024"}}}}],"links":{"self":"/orders/5","next":{"href":"/orders?page=2"}},"meta":{"pagination":{"page":1}}}"#,
    r#"{"data":[{"type":"Order","id":1,"attributes":{"name":"hush","total_cents":"hush"}},{"type":"Company","id":"2","attributes":{"name":5}}],"links":{"prev":null}}"#,
    r#"{"errors":[{"status":404,"code":"x","title":"hush","detail":{"name":["hush"]},"source":{"pointer":"/data"}}]}"#,
    r#"{"detail":"hush"}"#,
    r#"{"data":{"type":"Order","relationships":{"lines":{"data":[{"type":"Line","id":"1"}]},"a":null,"b":{"data":null},"c":{}},"attributes":null}}"#,
];
