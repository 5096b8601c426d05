//! Signing in by the browser, as the window shows it.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use app::ui::{
    app::Message,
    preset::Sample,
    screen::sign_in::{self, browser},
};
use proto::{Token, api::OidcBegun};
use relay_client::{BrowserSignIn, Relay};

use crate::stand::Stand;

fn tell(stand: &mut Stand, message: browser::Message) {
    drop(stand.app.update(Message::SignIn(sign_in::Message::Browser(message))));
}

/// A sign-in that was begun at a relay which says no more after that.
fn begun() -> BrowserSignIn {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let relay = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client comes");
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).expect("it asks") > 0);
        let begun = OidcBegun {
            url: "https://relay.example.org/v1/oidc/start?id=h".into(),
            code: "7KQ-F9M".into(),
            secret: Token::new("secret"),
            expires_in_ms: 600_000,
        };
        let body = serde_json::to_string(&begun).expect("it has a form");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).expect("it listens");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sign_in = runtime.block_on(async { Relay::new(&address)?.sign_in_by_browser("").await }).expect("it is begun");
    relay.join().expect("the relay has answered");
    sign_in
}

#[test]
fn a_relay_with_a_provider_has_a_button_for_it() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "relay.example.org");
    stand.expect_not("Sign in with Example University");
    let offer = |relay: &str| browser::Message::Offered(relay.into(), Some("Example University".into()));
    // What another address offers, that was asked about before, is nothing here.
    tell(&mut stand, offer("relay.example"));
    stand.expect_not("Sign in with Example University");
    tell(&mut stand, offer("relay.example.org"));
    stand.expect("Sign in with Example University");
    // Another address may offer something else.
    stand.type_into("sign-in-relay", "x");
    stand.expect_not("Sign in with Example University");
}

#[test]
fn the_code_is_shown_until_it_is_done_or_cancelled() {
    let mut stand = Stand::new(Sample::SignedOut);
    tell(&mut stand, browser::Message::Offered(String::new(), Some("Example University".into())));
    // One that nobody asked for is not taken.
    let sign_in = begun();
    tell(&mut stand, browser::Message::Begun(Ok(sign_in.clone())));
    stand.expect_not("7KQ-F9M");
    stand.click("Sign in with Example University");
    stand.expect("One moment\u{2026}");
    tell(&mut stand, browser::Message::Begun(Ok(sign_in.clone())));
    stand.expect("7KQ-F9M");
    stand.expect("Your browser shows a page with this code. Go on there only if it is the same.");
    stand.expect_not("Password");
    stand.click("Cancel");
    stand.expect_not("7KQ-F9M");
    stand.expect("Sign in with Example University");
    // What goes wrong is told on the form.
    stand.click("Sign in with Example University");
    tell(&mut stand, browser::Message::Begun(Ok(sign_in)));
    tell(&mut stand, browser::Message::NotOpened);
    stand.expect("The browser could not be started, which is needed for this.");
    stand.expect("Password");
}
