//! A browser by hand: it keeps cookies for each origin and follows nothing by itself.

use std::collections::BTreeMap;

use reqwest::{Client, Method, Url, header, redirect::Policy};

pub(crate) struct Browser {
    client: Client,
    /// By origin, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        relay_client::crypto::install();
        let client = Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only([]).build().expect("a client");
        Self { client, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.ask(Method::GET, url, None).await
    }

    pub(crate) async fn json(&mut self, method: Method, url: &str, body: &serde_json::Value) -> Page {
        self.ask(method, url, Some(("application/json", body.to_string()))).await
    }

    /// Sends the form of a page that was opened at this address, with what its hidden fields hold.
    pub(crate) async fn submit(&mut self, page: &Page, at: &str) -> Page {
        let action = between(&page.text, "action=", ">").expect("a form");
        let mut fields = Vec::new();
        for input in page.text.split("<input type=hidden ").skip(1) {
            let (name, value) =
                (between(input, "name=", " ").expect("a name"), between(input, "value=\"", "\"").expect("a value"));
            fields.push(format!("{name}={value}"));
        }
        let url = Url::parse(at).and_then(|at| at.join(action)).expect("an address");
        let form = ("application/x-www-form-urlencoded", fields.join("&"));
        self.ask(Method::POST, url.as_str(), Some(form)).await
    }

    async fn ask(&mut self, method: Method, url: &str, body: Option<(&str, String)>) -> Page {
        let url = Url::parse(url).expect("an address");
        let jar = self.cookies.entry(url.origin().ascii_serialization()).or_default();
        let mut request = self.client.request(method, url);
        if !jar.is_empty() {
            let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some((kind, body)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(body);
        }
        let response = request.send().await.expect("it is there");
        for line in response.headers().get_all(header::SET_COOKIE) {
            let pair = line.to_str().expect("a text").split(';').next().expect("a cookie");
            let (name, value) = pair.split_once('=').expect("a name and a value");
            jar.insert(name.to_owned(), value.to_owned());
        }
        let location = response.headers().get(header::LOCATION).map(|to| to.to_str().expect("a text").to_owned());
        Page { status: response.status().as_u16(), location, text: response.text().await.expect("a text") }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
