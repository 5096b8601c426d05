//! Paths that look for what isn't theirs.

use super::beside_a_call;
use crate::sockets::Wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_leads_anywhere_but_along_the_routes() {
    beside_a_call(|address, token| {
        for target in [
            "/v1/../v1/state",
            "/v1/./state",
            "//v1/state",
            "/v1//state",
            "/v1/state/",
            "/V1/state",
            "/v1/%73tate/x",
            "/v1/..%2fstate",
            "/v1/state%00",
            "/v1/state;x",
            "/../relay.db",
            "/..%2f..%2frelay.db",
            "/relay.db",
            "/providers/",
            "/v1/calls/..%2f..%2fstate/audio?reader=1&poll=1",
            "/v1/calls/%00/audio?reader=1&poll=1",
            "/v1/calls/%ff/audio?reader=1&poll=1",
            "/v1/calls/%zz/audio?reader=1&poll=1",
            "/v1/calls/%252e%252e/audio?reader=1&poll=1",
            "/v1/calls/x/audio?reader=1&poll=1&reader=2",
            "/v1/calls/x%2faudio/audio?reader=1&poll=1",
            "/v1/chat?with=..%2f",
            "/v1/chat?with=%00",
            "/v1/chat?with=%ff",
            "/v1/chat?with=Walter&limit=-1",
            "/v1/chat?with=Walter&limit=4294967296",
            "/v1/events?after=%00%0d%0aX:%20y",
            "/v1/events?after=&wait_ms=99999999999999999999999",
            "/v1/sessions/..%2f1",
            "/healthz/../v1/state",
            "*",
        ] {
            let mut wire = Wire::open(address);
            wire.get(target, token);
            let (head, body) = wire.answer();
            let status = head.split(' ').nth(1).unwrap();
            assert!(status.starts_with('4') && !head.contains("\r\nx: y"), "{target}: {head}");
            // Bytes that can't be read as HTTP get no body; whatever is a request gets a code.
            assert!(status == "400" || body.contains("\"code\":\""), "{target}: {head}{body}");
            assert!(body.is_empty() || body.starts_with("{\"error\":"), "{target}: {body}");
        }
        for line in ["CONNECT relay:80 HTTP/1.1", "OPTIONS * HTTP/1.1", "GET v1/state HTTP/1.1", "TRACE /v1/state HTTP/1.1"] {
            let mut wire = Wire::open(address);
            wire.say(&format!("{line}\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n\r\n"));
            let (head, body) = wire.answer();
            assert!(head.starts_with("http/1.1 4") && !body.contains(token), "{line}: {head}{body}");
        }
        // As a client says it to a proxy: the path counts, and no other machine is asked.
        let mut wire = Wire::open(address);
        wire.get("http://elsewhere.invalid/v1/health", token);
        assert!(wire.answer().0.starts_with("http/1.1 200"));
    })
    .await;
}
