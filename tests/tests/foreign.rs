//! A client in another language: tests/foreign/client.py was written from PROTOCOL.md alone, and talks to a real relay.

use std::process::Command;

use tests::{people::Relay, root};

#[test]
fn a_client_written_from_the_page_alone_gets_through_a_call() {
    let relay = Relay::start();
    let output = Command::new("python3")
        .arg(root().join("tests/foreign/client.py"))
        .arg(relay.url())
        .arg(root().join("relay/proto/PROTOCOL.md"))
        .output()
        .expect("python3 runs");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.ends_with("done\n"), "{said}{complained}");
}
