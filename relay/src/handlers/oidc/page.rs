//! The pages a browser is shown. They stand as they are here: nothing that came with a request is in them but for the page's own handle,
//! and nothing of them can run or load anything.

use std::sync::LazyLock;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.5rem;color:#1d2a2e;background:#f7faf9}\
h1{font-size:1.5rem}.code{font:600 2rem/1 ui-monospace,monospace;letter-spacing:.12em;margin:1.5rem 0}\
button{font:inherit;font-weight:600;padding:.6rem 1.4rem;border:0;border-radius:.5rem;color:#fff;background:#1f7a8c;cursor:pointer}\
@media(prefers-color-scheme:dark){body{color:#e6efee;background:#14201f}}";

/// What the pages may do. Not `form-action`: browsers hold it against where the provider sends them on to, and nobody can put a form in here.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// Is it your app that asks?
pub(super) fn confirm(name: &str, code: &str, handle: &str, mark: &str) -> Response<Body> {
    let (name, handle) = (escaped(name), escaped(handle));
    let body = format!(
        "<p>The tvphone on your screen wants you to be signed in by {name}. It shows this code, too:</p>\
         <p class=code>{code}</p>\
         <p>Go on only if you began this yourself, just now, and the code is the same. If somebody sent you this address, close the page: \
         they would be signed in as you.</p>\
         <form method=post action=confirm><input type=hidden name=id value=\"{handle}\"><input type=hidden name=mark value=\"{mark}\">\
         <button>The code is the same: go on</button></form>"
    );
    page(StatusCode::OK, &format!("Sign in with {name}"), &body)
}

/// Signed in.
pub(super) fn done() -> Response<Body> {
    page(StatusCode::OK, "You are signed in", "<p>You can close this page and go back to tvphone.</p>")
}

pub(super) fn declined(name: &str) -> Response<Body> {
    again(StatusCode::FORBIDDEN, &format!("The sign-in at {} was broken off.", escaped(name)))
}

pub(super) fn not_allowed(name: &str) -> Response<Body> {
    let body = format!("<p>{} knows you, but this relay is not for everyone there. Ask whoever runs it.</p>", escaped(name));
    page(StatusCode::FORBIDDEN, "You are not signed in", &body)
}

pub(super) fn provider_failed(name: &str) -> Response<Body> {
    let says = format!("{} did not answer as it should. If that goes on, tell whoever runs the relay.", escaped(name));
    again(StatusCode::BAD_GATEWAY, &says)
}

pub(super) fn provider_away(name: &str) -> Response<Body> {
    again(StatusCode::BAD_GATEWAY, &format!("{} can't be reached just now.", escaped(name)))
}

/// It isn't known, or not any more.
pub(super) fn over() -> Response<Body> {
    again(StatusCode::NOT_FOUND, "This sign-in is over, or took too long.")
}

pub(super) fn elsewhere() -> Response<Body> {
    again(StatusCode::FORBIDDEN, "This sign-in was begun in another browser.")
}

pub(super) fn no_cookie() -> Response<Body> {
    again(
        StatusCode::FORBIDDEN,
        "Your browser keeps no cookies for this page, and one is needed to tell you from others: allow it.",
    )
}

pub(super) fn stopping() -> Response<Body> {
    again(StatusCode::SERVICE_UNAVAILABLE, "The relay is being started again.")
}

pub(super) fn failed() -> Response<Body> {
    again(StatusCode::INTERNAL_SERVER_ERROR, "The relay failed. If that goes on, tell whoever runs it.")
}

/// No page at all, for an answer that says all in its head.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    guard(response.headers_mut());
    response
}

fn again(status: StatusCode, says: &str) -> Response<Body> {
    page(status, "You are not signed in", &format!("<p>{says}</p><p>Go back to tvphone and begin again.</p>"))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response<Body> {
    let text = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <meta name=robots content=noindex><title>{title} - tvphone</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guard(response.headers_mut());
    response
}

fn guard(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Text, fit to stand in a page or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_html_is_escaped() {
        assert_eq!(escaped("<A & B's \"C\">"), "&lt;A &amp; B&#39;s &quot;C&quot;&gt;");
        assert!(POLICY.to_str().unwrap().contains("style-src 'sha256-"));
    }
}
