//! Requests, as short as they may be.

use std::io::Write;

/// Appends a GET.
pub fn get(out: &mut Vec<u8>, path: &str, token: Option<&str>) {
    head(out, "GET", path, token);
    out.extend_from_slice(b"\r\n");
}

/// Appends a POST of any bytes.
pub fn post(out: &mut Vec<u8>, path: &str, token: Option<&str>, body: &[u8]) {
    head(out, "POST", path, token);
    put(out, format_args!("Content-Length: {}\r\n\r\n", body.len()));
    out.extend_from_slice(body);
}

/// A GET by itself.
#[must_use]
pub fn getting(path: &str, token: &str) -> Vec<u8> {
    let mut out = Vec::new();
    get(&mut out, path, Some(token));
    out
}

/// A POST of JSON by itself.
#[must_use]
pub fn posting(path: &str, token: Option<&str>, body: &serde_json::Value) -> Vec<u8> {
    let mut out = Vec::new();
    post(&mut out, path, token, body.to_string().as_bytes());
    out
}

fn head(out: &mut Vec<u8>, method: &str, path: &str, token: Option<&str>) {
    put(out, format_args!("{method} {path} HTTP/1.1\r\nHost: bench\r\n"));
    if let Some(token) = token {
        put(out, format_args!("Authorization: Bearer {token}\r\n"));
    }
}

/// Appends text. A vector takes everything.
pub(crate) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
