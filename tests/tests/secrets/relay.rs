//! Stands in front of a real server and logs in there itself, so that the server can be used with credentials that it
//! does not know: whatever a test gives to the library.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A relay. Ends with the process.
pub(crate) struct Relay {
    /// `host:port`.
    pub(crate) address: String,
    logins: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// The parts of a server's URL that a relay needs.
pub(crate) struct Real {
    user: String,
    password: String,
    address: String,
    /// From the `/` on.
    pub(crate) path: String,
}

impl Real {
    pub(crate) fn of(url: &str, port: u16) -> Self {
        let (_, rest) = url.split_once("://").unwrap();
        let (place, path) =
            rest.split_once('/').map_or((rest, String::new()), |(place, path)| (place, format!("/{path}")));
        let (login, address) = place.rsplit_once('@').unwrap_or(("", place));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:{port}") };
        Self { user: user.to_owned(), password: password.to_owned(), address, path }
    }
}

impl Relay {
    /// In front of a broker: rewrites `connection.start-ok`, which must hold `password`.
    pub(crate) fn amqp(real: Real, password: String) -> Self {
        Self::start(real, move |client, server, real| {
            let mut greeting = [0; 8];
            client.read_exact(&mut greeting)?;
            server.write_all(&greeting)?;
            client.write_all(&read_frame(server)?)?;
            let frame = read_frame(client)?;
            let at = 11 + 4 + u32_at(&frame, 11);
            let at = at + 1 + usize::from(frame[at]);
            let size = u32_at(&frame, at);
            let (response, locale) = frame[at + 4..frame.len() - 1].split_at(size);
            let found = response.ends_with(password.as_bytes());
            let response = format!("\0{}\0{}", real.user, real.password);
            let payload = [&frame[7..at], &(response.len() as u32).to_be_bytes(), response.as_bytes(), locale].concat();
            let size = (payload.len() as u32).to_be_bytes();
            server.write_all(&[&frame[..3], &size, &payload, &[0xCE]].concat())?;
            Ok(found)
        })
    }

    /// In front of a Redis server: answers AUTH, which must hold `password`, itself.
    pub(crate) fn redis(real: Real, password: String) -> Self {
        Self::start(real, move |client, server, real| {
            if !real.password.is_empty() {
                write!(server, "*2\r\n$4\r\nAUTH\r\n${}\r\n{}\r\n", real.password.len(), real.password)?;
                let mut ok = [0; 5];
                server.read_exact(&mut ok)?;
                assert_eq!(&ok, b"+OK\r\n");
            }
            let words = read_command(client)?;
            assert_eq!(words[0], "AUTH");
            client.write_all(b"+OK\r\n")?;
            Ok(words.last() == Some(&password))
        })
    }

    fn start(
        real: Real,
        log_in: impl Fn(&mut TcpStream, &mut TcpStream, &Real) -> io::Result<bool> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (logins, open) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (count, registry, shared) = (Arc::clone(&logins), Arc::clone(&open), Arc::new((real, log_in)));
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let (shared, count) = (Arc::clone(&shared), Arc::clone(&count));
                let Ok(mut server) = TcpStream::connect(&shared.0.address) else { continue };
                registry.lock().unwrap().push(client.try_clone().unwrap());
                thread::spawn(move || -> io::Result<()> {
                    if shared.1(&mut client, &mut server, &shared.0)? {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    let (mut to_client, mut from_server) = (client.try_clone()?, server.try_clone()?);
                    thread::spawn(move || {
                        let _ = io::copy(&mut from_server, &mut to_client);
                        let _ = to_client.shutdown(Shutdown::Both);
                    });
                    io::copy(&mut client, &mut server)?;
                    server.shutdown(Shutdown::Both)
                });
            }
        });
        Self { address, logins, open }
    }

    /// The number of logins with the password.
    pub(crate) fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A whole AMQP frame.
pub(crate) fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 7];
    stream.read_exact(&mut frame)?;
    let size = u32_at(&frame, 3);
    frame.resize(7 + size + 1, 0);
    stream.read_exact(&mut frame[7..])?;
    Ok(frame)
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// A Redis command. It must come alone: what follows it is lost.
pub(crate) fn read_command(stream: &mut TcpStream) -> io::Result<Vec<String>> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let count = line()?.trim_start_matches('*').parse().unwrap_or(0);
    (0..count)
        .map(|_| {
            line()?;
            line()
        })
        .collect()
}
