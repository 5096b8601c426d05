//! What a connection may cost, with limits that don't take a test's time.

use std::net::Ipv4Addr;

use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use super::*;

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

/// A server of nothing much: `/` answers at once, `/slow` late, `/large` with more than fits into the buffers on the way.
async fn serve(limits: Limits) -> Served {
    let reached = Arc::new(Notify::new());
    let asked = reached.clone();
    let late = || async move {
        asked.notify_one();
        tokio::time::sleep(2 * SOON).await;
        "late"
    };
    let router = Router::new()
        .route("/", axum::routing::get(|| async { "here" }))
        .route("/slow", axum::routing::get(late))
        .route("/large", axum::routing::get(|| async { vec![b'x'; 64 << 20] }));
    let (handle, slots) = (Handle::new(), Slots::new(100));
    let server = Server::new(router, handle.clone(), slots.clone(), TrustedProxies::default(), PlainHttp::Everyone, limits);
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(listener.into(), None));
    Served { address, handle, slots, reached }
}

struct Served {
    address: SocketAddr,
    handle: Handle,
    slots: Slots,
    /// Told when somebody asks for `/slow`.
    reached: Arc<Notify>,
}

async fn get(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: relay\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// Reads to the end, which comes without the client's doing.
async fn to_the_end(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut text)).await;
    let _ = read.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

async fn until_so_many_are_left(count: usize, slots: &Slots) {
    let left = async {
        while slots.counts().0 > count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, left).await.expect("the others end");
}

#[tokio::test]
async fn who_says_nothing_or_only_half_of_it_is_cut() {
    let Served { address, slots, .. } = serve(Limits { head: SOON, ..Limits::default() }).await;
    let silent = TcpStream::connect(address).await.unwrap();
    let mut halfway = TcpStream::connect(address).await.unwrap();
    halfway.write_all(b"GET / HTTP/1.1\r\nHost: re").await.unwrap();
    assert_eq!(to_the_end(silent).await, "");
    to_the_end(halfway).await;
    // So is one that has been answered and asks nothing more.
    assert!(to_the_end(get(address, "/").await).await.ends_with("here"));
    until_so_many_are_left(0, &slots).await;
}

#[tokio::test]
async fn who_does_not_read_their_answer_is_cut() {
    let Served { address, slots, .. } = serve(Limits { silence: SOON, ..Limits::default() }).await;
    let unread = get(address, "/large").await;
    until_so_many_are_left(0, &slots).await;
    drop(unread);
}

#[tokio::test]
async fn who_reads_slowly_or_waits_for_an_answer_is_not() {
    let Served { address, handle, reached, .. } = serve(Limits { silence: 3 * SOON, ..Limits::default() }).await;
    let mut slow = get(address, "/large").await;
    let mut buffer = vec![0; 16 << 20];
    for _ in 0..4 {
        slow.read_exact(&mut buffer).await.unwrap();
        tokio::time::sleep(SOON).await;
    }
    let waiting = get(address, "/slow").await;
    reached.notified().await;
    handle.stop();
    assert!(to_the_end(waiting).await.ends_with("late"), "a stop lets answers out");
}

#[tokio::test]
async fn a_stop_refuses_newcomers_and_the_end_cuts_whoever_is_left() {
    let Served { address, handle, slots, .. } = serve(Limits::default()).await;
    let stuck = get(address, "/large").await;
    let mut idle = get(address, "/").await;
    idle.read_exact(&mut [0; 16]).await.unwrap();
    handle.stop();
    assert!(to_the_end(idle).await.ends_with("here"), "who asks nothing more is let go");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(LONG, refused).await.expect("nobody is let in");
    until_so_many_are_left(1, &slots).await;
    assert_eq!(slots.counts().0, 1, "who is still being answered");
    handle.end();
    until_so_many_are_left(0, &slots).await;
    drop(stuck);
}
