//! Signing in by the browser at a real OpenID provider: Debian's glewlwyd, started by the test on a folder and a port of its own.

mod browser;
mod glewlwyd;

use std::{io::Write, time::Duration};

use proto::ErrorCode;
use tests::people::Relay;

use self::{
    browser::Browser,
    glewlwyd::{CLIENT_ID, Glewlwyd, Key},
};

/// Far longer than anything here takes: only there so that a test that hangs fails.
const LONG: Duration = Duration::from_secs(60);

/// A relay whose people are known to the provider.
fn relay_at(provider: &Glewlwyd, more: &str) -> Relay {
    Relay::configured("http", |url| {
        let (issuer, secret) = (provider.issuer(), provider.secret_file());
        let secret = secret.display();
        format!(
            "[oidc]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = \"{secret}\"\npublic_url = \"{url}\"\n\
             name = \"Example University\"\n{more}"
        )
    })
}

/// The provider with Ana, and a relay she may sign in at; nothing where there is no such provider.
async fn provider_and_relay(key: Key, more: &str) -> Option<(Glewlwyd, Relay)> {
    let provider = match Glewlwyd::start(key) {
        Ok(provider) => provider,
        Err(missing) => {
            // Not by a macro: what those say of a test that passes is shown to nobody.
            let _ = writeln!(std::io::stderr(), "skipped, there is no {missing}: .ci/setup test installs it");
            return None;
        }
    };
    provider.set_up().await;
    let relay = relay_at(&provider, more);
    provider.admit(&format!("{}/v1/oidc/callback", relay.url())).await;
    Some((provider, relay))
}

async fn signed_in_at_a_real_provider(key: Key) {
    let Some((provider, relay)) = provider_and_relay(key, "").await else { return };
    let client = relay_client::Relay::new(&relay.url()).expect("an address");
    let offer = client.health().await.expect("the relay answers").oidc.expect("it offers a provider");
    assert_eq!(offer.name, "Example University");
    // There is an Ana already, who signs in by password.
    relay.add_user("ana");
    let mut browser = Browser::new();
    provider.log_in(&mut browser, "ana").await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let sign_in = client.sign_in_by_browser("kitchen").await.expect("the provider is there");
        let page = browser.get(sign_in.url()).await;
        assert!(page.text.contains(sign_in.code()), "{}", page.text);
        let there = browser.submit(&page, sign_in.url()).await.location.expect("it goes on to the provider");
        assert!(there.starts_with(&provider.issuer()), "{there}");
        let back = provider.go_on(&mut browser, &there).await;
        let (session, end) = tokio::join!(sign_in.wait(), browser.get(&back));
        assert!(end.status == 200 && end.text.contains("go back to tvphone"), "{}", end.text);
        let session = session.expect("she is signed in");
        assert_eq!(session.sessions().await.expect("the session counts")[0].device, "kitchen");
        names.push(session.name().to_string());
    }
    assert_eq!(names, ["ana-2", "ana-2"]);
}

async fn soon(future: impl Future<Output = ()>) {
    // Built first: that may take longer than all the rest.
    tests::program("tvphone-relay");
    tokio::time::timeout(LONG, future).await.expect("it hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_at_a_real_provider_that_signs_by_elliptic_curves() {
    soon(signed_in_at_a_real_provider(Key::Ecdsa)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_at_a_real_provider_that_signs_by_rsa() {
    soon(signed_in_at_a_real_provider(Key::Rsa)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_without_the_wanted_claim_lets_nobody_in() {
    soon(async {
        let more = "allow_claim = \"name\"\nallow_values = [\"Ben\"]\n";
        let Some((provider, relay)) = provider_and_relay(Key::Ecdsa, more).await else { return };
        let client = relay_client::Relay::new(&relay.url()).expect("an address");
        let mut browser = Browser::new();
        provider.log_in(&mut browser, "ana").await;
        let sign_in = client.sign_in_by_browser("").await.expect("the provider is there");
        let page = browser.get(sign_in.url()).await;
        let there = browser.submit(&page, sign_in.url()).await.location.expect("it goes on to the provider");
        let back = provider.go_on(&mut browser, &there).await;
        assert_eq!(browser.get(&back).await.status, 403);
        assert_eq!(sign_in.wait().await.expect_err("it isn't for her").code(), Some(ErrorCode::Forbidden));
    })
    .await;
}
