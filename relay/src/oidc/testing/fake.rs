//! An OpenID provider that says so, on a loopback port.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, Uri, header},
    response::IntoResponse,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::Signer;

/// What the provider calls the relay, with what has a meaning in a form.
pub(crate) const CLIENT_ID: &str = "tv phone";

/// By what the relay proves to be that.
pub(crate) const SECRET: &str = "s3cret: & more";

/// The provider; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) issuer: String,
    book: Arc<Mutex<Book>>,
}

/// What it knows and says.
pub(crate) struct Book {
    /// Publishes these keys, and signs by the first.
    pub(crate) signers: Vec<Signer>,
    /// Signs by this one without publishing it.
    pub(crate) secretly: Option<Signer>,
    /// Says this in its tokens over the usual.
    pub(crate) claims: Value,
    /// Says this of the person when asked.
    pub(crate) userinfo: Value,
    /// Says this of itself over the usual.
    pub(crate) metadata: Value,
    /// Answers nothing but this status.
    pub(crate) broken: Option<StatusCode>,
    /// What it was asked for.
    pub(crate) asked: Vec<String>,
    grants: HashMap<String, Grant>,
}

struct Grant {
    challenge: String,
    nonce: String,
    redirect_uri: String,
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let book = Book {
            signers: vec![Signer::es256("first")],
            secretly: None,
            claims: json!({"preferred_username": "ana"}),
            userinfo: json!({}),
            metadata: json!({}),
            broken: None,
            asked: Vec::new(),
            grants: HashMap::new(),
        };
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let fake = Self { issuer, book: Arc::new(Mutex::new(book)) };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// How often it was asked for this.
    pub(crate) fn asked_for(&self, what: &str) -> usize {
        self.book().asked.iter().filter(|asked| *asked == what).count()
    }

    /// The person signs in at the address the relay has sent them to, which says what it must: where they are sent back to.
    pub(crate) fn sign_in(&self, address: &str) -> String {
        let url = Url::parse(address).unwrap();
        let query = url.query_pairs().into_owned().collect::<HashMap<_, _>>();
        assert_eq!(format!("{}/auth", self.issuer), address.split_once('?').unwrap().0);
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", CLIENT_ID));
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        let code = format!("code {}&", self.book().grants.len());
        let grant = Grant {
            challenge: query["code_challenge"].clone(),
            nonce: query["nonce"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
        };
        let mut back = Url::parse(&grant.redirect_uri).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &query["state"]);
        self.book().grants.insert(code, grant);
        back.into()
    }

    fn token(&self, headers: &HeaderMap, form: &[u8]) -> Option<Value> {
        let form = form_urlencoded::parse(form).into_owned().collect::<HashMap<_, _>>();
        let mut book = self.book();
        let methods = book.metadata["token_endpoint_auth_methods_supported"].as_array();
        let by_post = methods.is_some_and(|methods| methods.contains(&json!("client_secret_post")));
        let proved = if by_post {
            form.get("client_id")? == CLIENT_ID && form.get("client_secret")? == SECRET
        } else {
            let basic = headers.get(header::AUTHORIZATION)?.to_str().unwrap().strip_prefix("Basic ")?;
            STANDARD.decode(basic).unwrap() == b"tv+phone:s3cret%3A+%26+more"
        };
        // Each code counts once.
        let grant = book.grants.remove(form.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?.as_bytes()));
        let same = challenge == grant.challenge && *form.get("redirect_uri")? == grant.redirect_uri;
        if !proved || !same || form.get("grant_type")? != "authorization_code" {
            return None;
        }
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "subject", "nonce": grant.nonce, "iat": now_s(), "exp": now_s() + 300
        });
        merge(&mut claims, &book.claims);
        let token = book.secretly.as_ref().unwrap_or(&book.signers[0]).sign(&claims.to_string());
        Some(json!({"token_type": "Bearer", "access_token": "access", "id_token": token}))
    }
}

async fn answer(State(fake): State<Fake>, uri: Uri, headers: HeaderMap, request: Request<Body>) -> Response<Body> {
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 16).await.unwrap();
    let what = uri.path().strip_prefix("/realm/").unwrap_or_default().to_owned();
    fake.book().asked.push(what.clone());
    if let Some(status) = fake.book().broken {
        return status.into_response();
    }
    let said = match what.as_str() {
        ".well-known/openid-configuration" => {
            let at = |path: &str| format!("{}/{path}", fake.issuer);
            let mut metadata = json!({
                "issuer": fake.issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"),
                "jwks_uri": at("keys"), "userinfo_endpoint": at("userinfo")
            });
            merge(&mut metadata, &fake.book().metadata);
            Some(metadata)
        }
        "keys" => Some(json!({"keys": fake.book().signers.iter().map(Signer::public).collect::<Vec<_>>()})),
        "token" => fake.token(&headers, &body),
        "userinfo" if headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer access") => {
            Some(fake.book().userinfo.clone())
        }
        _ => None,
    };
    match said {
        Some(said) => ([(header::CONTENT_TYPE, "application/json")], said.to_string()).into_response(),
        None => (StatusCode::BAD_REQUEST, r#"{"error": "invalid_grant"}"#).into_response(),
    }
}

/// Puts `more` over what is said; `null` takes away.
fn merge(said: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            said.as_object_mut().unwrap().remove(name);
        } else {
            said[name] = value.clone();
        }
    }
}
