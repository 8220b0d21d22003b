//! One request to a FastCGI server such as PHP-FPM, and its answer. <https://fastcgi-archives.github.io/FastCGI_Specification.html>
//!
//! Existing clients bring an asynchronous runtime for what is a few records.

use crate::privileged;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest answer that is read, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// The longest content of a record, in bytes.
const CONTENT: usize = 0xffff;
const REQUEST: u16 = 1;

const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Path of a socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Address {
    /// Parses `/run/php/php8.2-fpm.sock`, `unix:/…`, `127.0.0.1:9000`, `[::1]:9000`, or `9000`, as in a pool's `listen`.
    pub fn parse(text: &str) -> Result<Address, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Address::Unix(path.into()));
        }
        if text.contains('/') {
            return Ok(Address::Unix(text.into()));
        }
        let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
        match text.rsplit_once(':') {
            None if port(text) => Ok(Address::Tcp(format!("127.0.0.1:{text}"))),
            Some((host, number)) if !host.is_empty() && port(number) => Ok(Address::Tcp(text.to_owned())),
            _ => Err("expected a pool's `listen`: a socket's path, host:port, or a port".to_owned()),
        }
    }
}

/// The response of a server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status from `Status:`; 200 without one.
    pub status: u16,
    pub body: String,
    /// Text that the server or the script wrote to its errors.
    pub errors: String,
}

/// Runs the script with these parameters, beside those that PHP needs.
///
/// # Errors
///
/// A sentence: the connection failed, it took longer than `timeout`, or the answer was no FastCGI.
pub fn ask(
    address: &Address,
    script: &str,
    parameters: &[(&str, &str)],
    timeout: Duration,
) -> Result<Response, String> {
    let mut all = vec![
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "flagstone"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/"),
        ("QUERY_STRING", ""),
        ("SCRIPT_NAME", "/"),
        ("SCRIPT_FILENAME", script),
        ("CONTENT_LENGTH", "0"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ];
    all.extend_from_slice(parameters);
    let request = request(&all);
    let (address, end) = (address.clone(), Instant::now() + timeout);
    let (send, answer) = mpsc::channel();
    // A socket with a full queue makes connect() wait without end: the thread is left behind then.
    let begun = thread::Builder::new().spawn(move || {
        let _ = send.send(exchange(&address, &request, end));
    });
    begun.map_err(|error| no_thread(&error))?;
    match answer.recv_timeout(timeout) {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(late(timeout))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(late(timeout)),
    }
}

/// The error of a request whose thread could not be started.
pub fn no_thread(error: &io::Error) -> String {
    format!("no thread can be started to ask: {error}")
}

fn late(timeout: Duration) -> String {
    format!("no answer within {} s: are all workers busy?", timeout.as_secs())
}

trait Stream: Read + Write {
    fn limit(&self, left: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl Stream for TcpStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

fn exchange(address: &Address, request: &[u8], end: Instant) -> io::Result<Response> {
    let left = || end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    match address {
        Address::Unix(path) => talk(privileged::connect(path, end)?, request, left),
        Address::Tcp(name) => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
            for address in name.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, left()) {
                    Ok(stream) => return talk(stream, request, left),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

fn talk(mut stream: impl Stream, request: &[u8], left: impl Fn() -> Duration) -> io::Result<Response> {
    stream.limit(left())?;
    stream.write_all(request)?;
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    loop {
        stream.limit(left())?;
        let mut header = [0; 8];
        stream.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => bad("it closed the connection before the answer's end"),
            _ => error,
        })?;
        let [version, kind, r1, r2, c1, c2, padding, _] = header;
        if version != 1 || !matches!(u16::from_be_bytes([r1, r2]), 0 | REQUEST) {
            return Err(bad("it does not speak FastCGI: is that another server's address?"));
        }
        let mut content = vec![0; usize::from(u16::from_be_bytes([c1, c2]))];
        stream.read_exact(&mut content)?;
        stream.read_exact(&mut vec![0; usize::from(padding)])?;
        match kind {
            END => break,
            STDOUT => out.extend_from_slice(&content),
            STDERR => errors.extend_from_slice(&content),
            _ => {}
        }
        if out.len() + errors.len() > MAX_TEXT_BYTES {
            return Err(bad("it answers more than 1 MiB"));
        }
    }
    Ok(response(&out, &errors))
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Builds the records of a whole request.
fn request(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    // The role is responder, and the connection is not kept.
    record(&mut bytes, BEGIN, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let mut content = Vec::new();
    for (name, value) in parameters {
        length(&mut content, name.len());
        length(&mut content, value.len());
        content.extend_from_slice(name.as_bytes());
        content.extend_from_slice(value.as_bytes());
    }
    for part in content.chunks(CONTENT) {
        record(&mut bytes, PARAMS, part);
    }
    record(&mut bytes, PARAMS, &[]);
    record(&mut bytes, STDIN, &[]);
    bytes
}

fn record(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&[1, kind]);
    bytes.extend_from_slice(&REQUEST.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(content);
}

/// Writes one byte for lengths below 128, else four with the highest bit set.
fn length(bytes: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 128 => bytes.push(short),
        _ => bytes.extend_from_slice(&(u32::try_from(length).unwrap_or(u32::MAX) | 1 << 31).to_be_bytes()),
    }
}

/// Splits a script's output into headers and body.
fn response(out: &[u8], errors: &[u8]) -> Response {
    let out = String::from_utf8_lossy(out);
    let (headers, body) = out.split_once("\r\n\r\n").unwrap_or((&out, ""));
    let status = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let status = || value.split_whitespace().next()?.parse().ok();
        name.eq_ignore_ascii_case("status").then(status).flatten()
    });
    Response {
        status: status.unwrap_or(200),
        body: body.to_owned(),
        errors: String::from_utf8_lossy(errors).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

    /// A server that answers one connection with these bytes, and returns the request.
    fn server(answer: Vec<u8>, stay: bool) -> (Address, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap().to_string());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut sent = Vec::new();
            let mut chunk = [0; 4096];
            while !sent.ends_with(&[1, STDIN, 0, 1, 0, 0, 0, 0]) {
                let read = stream.read(&mut chunk).unwrap();
                sent.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(&answer).unwrap();
            if stay {
                let _ = stream.read(&mut chunk);
            }
            sent
        });
        (address, served)
    }

    fn padded(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        record(&mut bytes, kind, content);
        bytes[6] = padding;
        bytes.extend(std::iter::repeat_n(0xaa, padding.into()));
        bytes
    }

    #[test]
    fn an_answer_in_several_padded_records_is_put_together() {
        let mut answer = padded(STDOUT, b"Status: 404 Not Found\r\nX: y\r\n\r\nFile no", 3);
        answer.extend(padded(STDERR, b"Primary script unknown", 0));
        answer.extend(padded(STDOUT, b"t found.", 200));
        answer.extend(padded(STDOUT, b"", 0));
        answer.extend(padded(END, &[0; 8], 0));
        let (address, served) = server(answer, false);
        let long = "x".repeat(200);
        let response = ask(&address, "/a.php", &[("LONG", &long)], ANSWER_TIMEOUT).unwrap();
        assert_eq!(response.status, 404);
        assert_eq!(response.body, "File not found.");
        assert_eq!(response.errors, "Primary script unknown");
        let sent = served.join().unwrap();
        let text = String::from_utf8_lossy(&sent);
        assert!(text.contains("SCRIPT_FILENAME/a.php"), "{text}");
        let at = sent.windows(4).position(|part| part == b"LONG").unwrap();
        assert_eq!(sent[at - 5..at], [4, 0x80, 0, 0, 200]);
    }

    #[test]
    fn an_answer_cut_short_is_an_error() {
        for answer in [vec![], padded(STDOUT, b"Status: 200\r\n\r\nhalf", 0), vec![1, STDOUT, 0]] {
            let (address, served) = server(answer, false);
            let error = ask(&address, "/a.php", &[], ANSWER_TIMEOUT).unwrap_err();
            assert!(error.contains("before the answer's end"), "{error}");
            served.join().unwrap();
        }
    }

    #[test]
    fn a_server_of_another_protocol_is_told_apart() {
        let (address, served) = server(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false);
        let error = ask(&address, "/a.php", &[], ANSWER_TIMEOUT).unwrap_err();
        assert!(error.contains("does not speak FastCGI"), "{error}");
        served.join().unwrap();
    }

    #[test]
    fn an_endless_answer_is_not_read_to_its_end() {
        let answer = padded(STDOUT, &vec![b'x'; CONTENT], 0).repeat(17);
        let (address, served) = server(answer, false);
        let error = ask(&address, "/a.php", &[], ANSWER_TIMEOUT).unwrap_err();
        assert!(error.contains("1 MiB"), "{error}");
        let _ = served.join();
    }

    #[test]
    fn a_server_that_does_not_answer_is_given_up() {
        let (address, served) = server(Vec::new(), true);
        let began = Instant::now();
        let error = ask(&address, "/a.php", &[], Duration::from_millis(200)).unwrap_err();
        assert!(error.contains("no answer within"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
        served.join().unwrap();
    }

    #[test]
    fn an_address_is_what_a_pool_listens_on() {
        let parse = |text| Address::parse(text).ok();
        assert_eq!(parse("/run/php/fpm.sock"), Some(Address::Unix("/run/php/fpm.sock".into())));
        assert_eq!(parse("unix:fpm.sock"), Some(Address::Unix("fpm.sock".into())));
        assert_eq!(parse("9000"), Some(Address::Tcp("127.0.0.1:9000".into())));
        assert_eq!(parse("[::1]:9000"), Some(Address::Tcp("[::1]:9000".into())));
        for text in ["", "localhost", "host:", ":9000", "host:99999", "0"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
