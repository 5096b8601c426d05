//! A forward proxy that does what bad ones do: takes a whole request before it passes any of it on, and a whole answer before it
//! gives any of it back; some also cut requests, count connections, or speak as in 1996.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    runtime::Runtime,
    sync::Semaphore,
};

/// Largest body it holds, in bytes: far more than any of tvphone's.
const BODY_MAX: usize = 32 << 20;

/// Longest line of a head, in bytes, and most lines.
const LINE_MAX: u64 = 16 << 10;
const LINES_MAX: usize = 200;

/// What is bad about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// More connections than these are not served.
    pub connections: Option<usize>,
    /// What becomes of those more.
    pub excess: Excess,
    /// A request that the server hasn't answered by then is cut.
    pub cut_after: Option<Duration>,
    /// How that is done.
    pub cut: Cut,
    /// It speaks HTTP/1.0 to the client: an answer a connection.
    pub http_1_0: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Excess {
    /// They are closed.
    #[default]
    Closed,
    /// They wait until one of the others ends.
    Waits,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// The connection is closed.
    #[default]
    Closed,
    /// "504 Gateway Timeout", with a page for people.
    Status504,
}

/// One that runs, until it is dropped.
pub struct Nasty {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Nasty {
    pub fn start(habits: Habits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        runtime.spawn(listen(listener, habits));
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Nasty {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Message {
    first: String,
    lines: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn listen(listener: TcpListener, habits: Habits) {
    let slots = Arc::new(Semaphore::new(habits.connections.unwrap_or(Semaphore::MAX_PERMITS)));
    while let Ok((stream, _)) = listener.accept().await {
        let slots = slots.clone();
        tokio::spawn(async move {
            let slot = match habits.excess {
                Excess::Closed => slots.try_acquire_owned().ok(),
                Excess::Waits => slots.acquire_owned().await.ok(),
            };
            if slot.is_some() {
                // A client that goes away is no news.
                let _ = serve(stream, habits).await;
            }
        });
    }
}

async fn serve(stream: TcpStream, habits: Habits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = read(&mut reader, false).await? {
        let limit = habits.cut_after.unwrap_or(Duration::MAX);
        let answer = tokio::select! {
            answer = tokio::time::timeout(limit, forward(&request)) => answer,
            () = gone(&mut reader) => return Ok(()),
        };
        let answer = match (answer, habits.cut) {
            (Ok(answer), _) => answer.unwrap_or_else(|_| page("502 Bad Gateway")),
            (Err(_), Cut::Status504) => page("504 Gateway Timeout"),
            (Err(_), Cut::Closed) => return Ok(()),
        };
        let (version, connection) = if habits.http_1_0 { ("HTTP/1.0", "close") } else { ("HTTP/1.1", "keep-alive") };
        let status = answer.first.split_once(' ').map_or("502 Bad Gateway", |(_, status)| status);
        let mut bytes = head(&format!("{version} {status}"), &answer.lines);
        bytes += &format!("Content-Length: {}\r\nConnection: {connection}\r\n\r\n", answer.body.len());
        writer.write_all(&[bytes.as_bytes(), &answer.body].concat()).await?;
        if habits.http_1_0 {
            return writer.shutdown().await;
        }
    }
    Ok(())
}

/// Resolves when the client has hung up.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    match reader.fill_buf().await {
        Ok([]) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

async fn forward(request: &Message) -> io::Result<Message> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no request to a proxy");
    let (method, rest) = request.first.split_once(' ').ok_or_else(bad)?;
    let (url, _) = rest.split_once(' ').ok_or_else(bad)?;
    let url = url.strip_prefix("http://").ok_or_else(bad)?;
    let (host, path) = url.split_at(url.find('/').ok_or_else(bad)?);
    let mut server = TcpStream::connect(host).await?;
    server.set_nodelay(true)?;
    let mut bytes = head(&format!("{method} {path} HTTP/1.1"), &request.lines);
    bytes += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", request.body.len());
    server.write_all(&[bytes.as_bytes(), &request.body].concat()).await?;
    read(&mut BufReader::new(server), true).await?.ok_or_else(bad)
}

fn head(first: &str, lines: &[(String, String)]) -> String {
    let own = ["connection", "content-length", "keep-alive", "proxy-authorization", "proxy-connection", "transfer-encoding"];
    let kept = lines.iter().filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()));
    std::iter::once(format!("{first}\r\n")).chain(kept.map(|(name, value)| format!("{name}: {value}\r\n"))).collect()
}

/// A whole message; `None` at the end of the connection. An answer without a length goes to its end.
async fn read(reader: &mut (impl AsyncBufReadExt + Unpin), answer: bool) -> io::Result<Option<Message>> {
    let Some(first) = line(reader).await? else { return Ok(None) };
    let mut lines = Vec::new();
    while let Some(text) = line(reader).await?.filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        lines.push((name.trim().to_owned(), value.trim().to_owned()));
        if lines.len() > LINES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too many lines"));
        }
    }
    let length = lines.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok());
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body = vec![0; length.min(BODY_MAX)];
            reader.read_exact(&mut body).await?;
        }
        None if answer => {
            reader.take(BODY_MAX as u64).read_to_end(&mut body).await?;
        }
        None => {}
    }
    Ok(Some(Message { first, lines, body }))
}

async fn line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = reader.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
}

fn page(status: &str) -> Message {
    let lines = vec![("Content-Type".to_owned(), "text/html".to_owned())];
    Message { first: format!("HTTP/1.1 {status}"), lines, body: format!("<html>{status}</html>").into_bytes() }
}
