//! Tests of the guard, and the functions that build frames. `parser_bugs` has one test for each bug of the parser,
//! `generated` uses generated input, and `hostile` runs amiquip against a hostile broker.

mod generated;
mod hostile;
mod parser_bugs;

/// A frame of the type `kind`.
fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&long(payload));
    out.push(0xCE);
    out
}

fn method(channel: u16, class: u16, method: u16, arguments: &[&[u8]]) -> Vec<u8> {
    let mut payload = [class.to_be_bytes(), method.to_be_bytes()].concat();
    payload.extend_from_slice(&arguments.concat());
    frame(1, channel, &payload)
}

fn deliver(channel: u16, tag: u64, exchange: &[u8], routing_key: &[u8]) -> Vec<u8> {
    method(channel, 60, 60, &[&short(b"ctag"), &tag.to_be_bytes(), &[0], &short(exchange), &short(routing_key)])
}

/// A content header with these encoded properties, their flags included.
fn header(channel: u16, size: u64, properties: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0];
    payload.extend_from_slice(&size.to_be_bytes());
    payload.extend_from_slice(properties);
    frame(2, channel, &payload)
}

/// Properties that consist only of this table of headers, which is given without its length.
fn headers(content: &[u8]) -> Vec<u8> {
    [&[0x20, 0][..], &long(content)].concat()
}

fn body(channel: u16, bytes: &[u8]) -> Vec<u8> {
    frame(3, channel, bytes)
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8][..], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// An entry of a table.
fn entry(name: &[u8], letter: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[letter], value].concat()
}

/// The content of a table with this many levels, itself included.
fn nested(levels: usize) -> Vec<u8> {
    (1..levels).fold(Vec::new(), |content, _| entry(b"n", b'F', &long(&content)))
}
