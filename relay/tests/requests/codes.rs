//! Signing up by invitation code.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use proto::ErrorCode;
use relay::{Admission, Error, Rate, admin::Admin};
use serde_json::{Value, json};

use crate::bench::{Bench, PASSWORD, Reply};

/// A code that could be one, and is none.
const NONE: &str = "0000-0000-0000-0000";

async fn by_code() -> (Bench, Admin) {
    let bench = Bench::with(|config| config.sign_up = Admission::Code).await;
    let admin = bench.admin().await;
    (bench, admin)
}

async fn sign_up(bench: &Bench, name: &str, code: impl Into<Value>) -> Reply {
    bench.post("/v1/accounts", None, json!({"name": name, "password": PASSWORD, "code": code.into()})).await
}

#[tokio::test]
async fn who_has_a_code_makes_an_account_and_nobody_else() {
    let (bench, admin) = by_code().await;
    let code = admin.add_code(1, 1).await.unwrap();
    for none in [Value::Null, "".into(), "please".into(), NONE.into(), "x".repeat(5000).into()] {
        assert_eq!(sign_up(&bench, "Ana", none).await.code(), ErrorCode::WrongCode);
    }
    assert_eq!(bench.post("/v1/accounts", None, json!({"name": "Ana", "password": PASSWORD})).await.code(), ErrorCode::WrongCode);
    assert_eq!(sign_up(&bench, "Ana", 5).await.code(), ErrorCode::BadRequest);
    let typed = code.to_lowercase().replace('-', " ");
    sign_up(&bench, "Ana", typed).await.read::<Value>();
    bench.sign_in("Ana").await;
    assert_eq!(sign_up(&bench, "Ben", code).await.code(), ErrorCode::WrongCode, "it is used up");
    assert_eq!(admin.codes().await.unwrap(), []);
}

#[tokio::test]
async fn a_code_is_good_for_so_many_and_a_taken_name_costs_none_of_them() {
    let (bench, admin) = by_code().await;
    let code = admin.add_code(2, 1).await.unwrap();
    sign_up(&bench, "Ana", code.as_str()).await.read::<Value>();
    assert_eq!(sign_up(&bench, "ana", code.as_str()).await.code(), ErrorCode::NameTaken);
    assert_eq!(sign_up(&bench, "ana", NONE).await.code(), ErrorCode::WrongCode, "who has none isn't told who is here");
    let left = admin.codes().await.unwrap();
    assert_eq!((left.len(), left[0].uses), (1, 1));
    assert!((86_000..=86_400).contains(&left[0].time.as_secs()), "{left:?}");
    let names = ["Ben", "Eva", "Ida", "Udo"];
    let tries = names.map(|name| sign_up(&bench, name, code.as_str()));
    let [a, b, c, d] = tries;
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    let made = [&a, &b, &c, &d].into_iter().filter(|reply| reply.status.is_success()).count();
    assert_eq!(made, 1, "{a:?} {b:?} {c:?} {d:?}");
}

#[tokio::test]
async fn a_code_that_was_taken_back_counts_no_more() {
    let (bench, admin) = by_code().await;
    let code = admin.add_code(5, 1).await.unwrap();
    let id = admin.codes().await.unwrap()[0].id;
    admin.remove_code(id).await.unwrap();
    assert!(matches!(admin.remove_code(id).await, Err(Error::NoSuchCode(_))));
    assert_eq!(sign_up(&bench, "Ana", code).await.code(), ErrorCode::WrongCode);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_everyone_may_a_code_is_not_looked_at_and_where_nobody_may_it_does_not_help() {
    let open = Bench::new().await;
    sign_up(&open, "Ana", NONE).await.read::<Value>();
    let closed = Bench::with(|config| config.sign_up = Admission::Closed).await;
    let code = closed.admin().await.add_code(1, 1).await.unwrap();
    assert_eq!(sign_up(&closed, "Ana", code).await.code(), ErrorCode::SignUpClosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_is_slow() {
    let bench = Bench::with(|config| {
        config.sign_up = Admission::Code;
        config.rates.wrong_password = Rate { burst: 2.0, per_second: 0.1 };
    })
    .await;
    let code = bench.admin().await.add_code(9, 1).await.unwrap();
    let from = async |name: &str, code: &str, from: &str| {
        let address = from.parse::<SocketAddr>().unwrap();
        let body = json!({"name": name, "password": PASSWORD, "code": code}).to_string();
        let request = Request::builder().method(Method::POST).uri("/v1/accounts").extension(ConnectInfo(address));
        bench.raw(request.body(Body::from(body)).unwrap()).await
    };
    from("Ana", code.as_str(), "192.0.2.1:1").await.read::<Value>();
    for _ in 0..2 {
        assert_eq!(from("Ben", NONE, "192.0.2.1:1").await.code(), ErrorCode::WrongCode);
    }
    let limited = from("Ben", code.as_str(), "192.0.2.1:1").await;
    assert_eq!(limited.code(), ErrorCode::RateLimited);
    assert!((9_000..=10_000).contains(&limited.retry_after_ms().unwrap()));
    assert_eq!(from("Ben", "please", "192.0.2.1:1").await.code(), ErrorCode::WrongCode, "that is no guess");
    from("Ben", code.as_str(), "192.0.2.2:1").await.read::<Value>();
}
