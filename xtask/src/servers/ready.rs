//! Whether a server answers: a login and a queue for RabbitMQ, a PING for Redis. An open port proves neither.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use amiquip::{AmqpValue, Connection, QueueDeclareOptions};
use percent_encoding::percent_decode_str;

/// What one question may take before it counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a URL says about where a server is and who logs in.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    user: String,
    password: String,
}

impl Address {
    /// `scheme://[user[:password]@]host[:port][/...]`; errors never repeat the URL, which may hold a password.
    fn parse(url: &str, scheme: &str, default_port: u16) -> Result<Self, String> {
        let rest = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        let rest = rest.ok_or_else(|| format!("the URL does not begin with {scheme}://"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        // An IPv6 address has colons of its own, within brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "the URL's port is no port".to_owned())?)
            }
            _ => (place, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Address { host: host.to_owned(), port, user: decoded(user), password: decoded(password) })
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let why = |error: std::io::Error| format!("{}:{}: {error}", self.host, self.port);
        let mut last = format!("{} has no address", self.host);
        for address in (self.host.as_str(), self.port).to_socket_addrs().map_err(why)? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = why(error),
            }
        }
        Err(last)
    }
}

/// Asks a RabbitMQ once: port, login, queue. If `cluster` is given, only a broker of that name will do, so that a
/// stranger who was quicker to take the port is not mistaken for ours. Blocks for 10 s at most.
pub(super) fn broker(url: &str, cluster: Option<&str>) -> Result<(), String> {
    if url.starts_with("amqps://") {
        // This build speaks no TLS; the tests will tell the rest.
        return Address::parse(url, "amqps", 5671)?.connect().map(drop);
    }
    drop(Address::parse(url, "amqp", 5672)?.connect()?);

    // amiquip has no timeouts of its own for this; the thread of a login that hangs is left to hang.
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let url = if url.ends_with("//") { format!("{}/%2F", url.trim_end_matches('/')) } else { url.to_owned() };
    std::thread::Builder::new()
        .name("login".to_owned())
        .spawn(move || drop(sender.send(login(&url))))
        .map_err(|error| error.to_string())?;
    let found = receiver.recv_timeout(PATIENCE).map_err(|_| "no answer to a login".to_owned())??;
    match cluster {
        Some(cluster) if found != cluster => Err(format!("another broker (\"{found}\") answers on this port")),
        _ => Ok(()),
    }
}

/// Logs in, declares a queue that goes with the connection, and gives the cluster's name.
fn login(url: &str) -> Result<String, String> {
    // What amiquip says may hold the URL, and so the password.
    let mut connection = Connection::insecure_open(url).map_err(|error| match error {
        amiquip::Error::InvalidCredentials => "the broker refused the login".to_owned(),
        _ => "the broker did not complete a login".to_owned(),
    })?;
    let name = match connection.server_properties().get("cluster_name") {
        Some(AmqpValue::LongString(name)) => name.clone(),
        _ => String::new(),
    };
    let channel = connection.open_channel(None).map_err(|_| "the broker opened no channel".to_owned())?;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("", options).map_err(|_| "the broker declared no queue".to_owned())?;
    drop(connection.close());
    Ok(name)
}

/// Asks a Redis once: port, login where the URL has one, PING. If `process` is given, only a server with that process
/// id will do. Blocks for 10 s at most.
pub(super) fn redis(url: &str, process: Option<u32>) -> Result<(), String> {
    if url.starts_with("rediss://") {
        return Address::parse(url, "rediss", 6379)?.connect().map(drop);
    }
    let address = Address::parse(url, "redis", 6379)?;
    let stream = address.connect()?;
    let io = |error: std::io::Error| format!("Redis: {error}");
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
    let mut reader = BufReader::new(stream);
    if !address.password.is_empty() {
        let login: Vec<&str> = match address.user.as_str() {
            "" => vec!["AUTH", &address.password],
            user => vec!["AUTH", user, &address.password],
        };
        if ask(&mut reader, &login).map_err(io)? != "+OK" {
            return Err("Redis refused the login".to_owned());
        }
    }
    let pong = ask(&mut reader, &["PING"]).map_err(io)?;
    if pong != "+PONG" {
        return Err(format!("Redis answered a PING with {pong:?}"));
    }
    let Some(process) = process else { return Ok(()) };
    let header = ask(&mut reader, &["INFO", "server"]).map_err(io)?;
    let length = header.strip_prefix('$').and_then(|length| length.parse::<u64>().ok());
    let length = length.filter(|length| *length < 65_536).ok_or("Redis gave no INFO")?;
    let mut info = String::new();
    reader.take(length).read_to_string(&mut info).map_err(io)?;
    if info.lines().any(|line| line.trim() == format!("process_id:{process}")) {
        Ok(())
    } else {
        Err("another Redis answers on this port".to_owned())
    }
}

/// Sends one command and gives the first line of its answer.
fn ask(reader: &mut BufReader<TcpStream>, words: &[&str]) -> std::io::Result<String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    reader.get_mut().write_all(command.as_bytes())?;
    let mut line = String::new();
    reader.take(4096).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// A server for one connection, which reads once before each of its answers; and its port.
    fn server(answers: Vec<&'static str>) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut asked = [0; 256];
                assert!(stream.read(&mut asked).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        port
    }

    #[test]
    fn a_url_is_taken_apart() {
        let parse = |url: &str| Address::parse(url, "redis", 6379);
        let address = |host: &str, port, user: &str, password: &str| {
            Ok(Address { host: host.into(), port, user: user.into(), password: password.into() })
        };
        assert_eq!(parse("redis://h"), address("h", 6379, "", ""));
        assert_eq!(parse("redis://u:p%40ss@h:1/2"), address("h", 1, "u", "p@ss"));
        assert_eq!(parse("redis://:a@b@[::1]:7?x=y"), address("::1", 7, "", "a@b"));
        assert_eq!(parse("redis://[::1]"), address("::1", 6379, "", ""));
        assert_eq!(parse("redis://"), address("127.0.0.1", 6379, "", ""));
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        for url in ["amqp://u:hush@h", "redis://u:hush@h:port"] {
            let refused = Address::parse(url, "redis", 1).unwrap_err();
            assert!(!refused.contains("hush"), "{refused}");
        }
    }

    #[test]
    fn redis_is_ready_once_it_answers_a_ping() {
        let url = |port| format!("redis://127.0.0.1:{port}/0");
        assert_eq!(redis(&url(server(vec!["+PONG\r\n"])), None), Ok(()));
        assert!(redis(&url(server(vec!["-LOADING wait\r\n"])), None).unwrap_err().contains("LOADING"));
        assert!(redis(&url(server(vec![])), None).is_err());
    }

    #[test]
    fn another_redis_on_our_port_is_not_ours() {
        let url = |port| format!("redis://127.0.0.1:{port}/0");
        let answers = vec!["+PONG\r\n", "$14\r\nprocess_id:41\n\r\n"];
        assert_eq!(redis(&url(server(answers.clone())), Some(41)), Ok(()));
        assert!(redis(&url(server(answers)), Some(4)).unwrap_err().contains("another"));
    }

    #[test]
    fn an_open_port_is_not_a_broker() {
        let port = server(vec!["not AMQP at all"]);
        assert!(
            broker(&format!("amqp://guest:hush@127.0.0.1:{port}/%2F"), None).is_err_and(|why| !why.contains("hush"))
        );
    }
}
