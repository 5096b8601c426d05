//! Providers that speak through a whole relay.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use proto::{
    Event,
    model::{Ticker, TickerItem},
};

use crate::bench::{Bench, Client};

fn provide(folder: &Path, name: &str, script: &str) {
    let providers = folder.join("providers");
    std::fs::create_dir_all(&providers).unwrap();
    let file = providers.join(format!(".{name}"));
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&file, providers.join(name)).unwrap();
}

async fn next_ticker(client: &mut Client<'_>) -> Ticker {
    loop {
        for event in client.next().await {
            if let Event::Ticker { ticker } = event {
                return ticker;
            }
        }
    }
}

#[tokio::test]
async fn what_providers_say_reaches_clients_changes_and_falls_silent() {
    let bench = Bench::with(|config| config.ticker_interval = Duration::from_millis(100)).await;
    let mut ana = bench.person("Ana").await;
    let folder = bench.folder.path();
    std::fs::write(folder.join("said"), "hello").unwrap();
    provide(folder, "echo.sh", "echo 'Content-Type: text/plain'; echo; cat ../said; [ ! -e ../broken ]");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = bench.relay.clone();
    let serving = tokio::spawn(async move { relay.serve(vec![listener]).await });
    let item = |title: &str| TickerItem { title: title.to_owned(), body: None, link: None };
    let hello = Ticker { provider: "echo".to_owned(), items: vec![item("hello")] };
    assert_eq!(next_ticker(&mut ana).await, hello);
    assert_eq!(ana.state().await.tickers, std::slice::from_ref(&hello));

    std::fs::write(folder.join("broken"), "").unwrap();
    std::fs::write(folder.join("said"), "good bye").unwrap();
    provide(folder, "new.sh", r#"printf 'Content-Type: application/json\n\n{"items":["%s users"]}' "$RELAY_USERS_ONLINE""#);
    assert_eq!(next_ticker(&mut ana).await, Ticker { provider: "new".to_owned(), items: vec![item("1 users")] });
    assert_eq!(ana.state().await.tickers[0], hello, "a provider that fails keeps what it said");

    std::fs::remove_file(folder.join("broken")).unwrap();
    assert_eq!(next_ticker(&mut ana).await.items, [item("good bye")]);
    std::fs::remove_file(folder.join("providers/echo.sh")).unwrap();
    assert_eq!(next_ticker(&mut ana).await, Ticker { provider: "echo".to_owned(), items: vec![] });
    assert_eq!(ana.state().await.tickers.len(), 1);
    bench.relay.stop().await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_was_taken_away_while_running_is_not_heard_any_more() {
    let bench = Bench::with(|config| config.ticker_interval = Duration::from_millis(100)).await;
    let mut ana = bench.person("Ana").await;
    let folder = bench.folder.path();
    let script = "touch ../running; while [ ! -e ../go ]; do sleep 0.01; done; printf 'Content-Type: text/plain\\n\\nback\\n'";
    provide(folder, "slow.sh", script);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = bench.relay.clone();
    let serving = tokio::spawn(async move { relay.serve(vec![listener]).await });
    while !folder.join("running").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    std::fs::remove_file(folder.join("providers/slow.sh")).unwrap();
    assert_eq!(next_ticker(&mut ana).await, Ticker { provider: "slow".to_owned(), items: vec![] });
    std::fs::write(folder.join("go"), "").unwrap();
    assert_eq!(ana.poll(500).await, [], "it was ended before its silence was told");
    assert_eq!(ana.state().await.tickers, []);
    bench.relay.stop().await;
    serving.await.unwrap().unwrap();
}
