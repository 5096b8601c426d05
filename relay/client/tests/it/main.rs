//! The client against a fake relay on a real socket.

#![expect(clippy::unwrap_used, reason = "clippy allows it in test functions, and what they share is no different")]

mod browser;
mod control;
mod doctor;
mod events;
mod fake;
mod files;
mod lanes;
mod people;
mod proxies;
mod strangers;
mod trust;

use std::{future::Future, time::Duration};

use proto::{Name, Token, api::SignedIn};
use relay_client::{Relay, Session};

/// Far longer than anything here takes: only there so that a test that hangs fails.
const LONG: Duration = Duration::from_secs(30);

/// What `future` gives, unless it hangs.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it hangs")
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Ana's session at this address.
fn session(url: &str) -> Session {
    let signed_in = SignedIn { token: Token::new("secret"), name: name("Ana"), version: 1 };
    Relay::new(url).unwrap().resume(signed_in).unwrap()
}
