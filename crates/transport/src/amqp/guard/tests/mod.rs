//! Tests of the guard: what they build frames from. The traps themselves are in `traps`,
//! generated input in `generated`, amiquip against a hostile broker in `hostile`.

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

/// The properties that are nothing but this table of headers, given without its length.
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

/// A table's content of so many levels, itself included.
fn nested(levels: usize) -> Vec<u8> {
    (1..levels).fold(Vec::new(), |content, _| entry(b"n", b'F', &long(&content)))
}
