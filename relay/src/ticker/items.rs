//! What a provider said, made harmless.

use ammonia::Url;
use proto::{
    limits::{TICKER_BODY_MAX, TICKER_ITEMS_MAX, TICKER_LINK_MAX, TICKER_TITLE_MAX},
    model::TickerItem,
};
use serde::Deserialize;

use super::cgi::{Failure, Response};
use crate::{html, text::straight};

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    List(Vec<SaidItem>),
    Object { items: Vec<SaidItem> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SaidItem {
    Title(String),
    Full {
        title: String,
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        link: Option<String>,
    },
}

/// Reads the items of a response.
pub(crate) fn read(response: &Response) -> Result<Vec<TickerItem>, Failure> {
    let items = match response.content_type.as_str() {
        "text/plain" => String::from_utf8_lossy(&response.body)
            .lines()
            .filter_map(|line| item(line, None, None))
            .take(TICKER_ITEMS_MAX)
            .collect(),
        "application/json" => {
            let said = serde_json::from_slice(&response.body).map_err(|error| Failure::Items(error.to_string()))?;
            let (Said::List(items) | Said::Object { items }) = said;
            let items = items.into_iter().filter_map(|said| match said {
                SaidItem::Title(title) => item(&title, None, None),
                SaidItem::Full { title, body, link } => item(&title, body, link),
            });
            items.take(TICKER_ITEMS_MAX).collect()
        }
        other => return Err(Failure::Items(format!("{other} is neither text/plain nor application/json"))),
    };
    Ok(items)
}

/// `None` when nothing is left of the title.
fn item(title: &str, body: Option<String>, link: Option<String>) -> Option<TickerItem> {
    let title = plain(title);
    if title.is_empty() {
        return None;
    }
    let body =
        body.and_then(|body| html::sanitize(&body)).filter(|body| !body.trim().is_empty() && body.len() <= TICKER_BODY_MAX);
    Some(TickerItem { title, body, link: link.and_then(|link| web_address(&link)) })
}

/// One line without control characters and without marks that turn the reading direction of what stands beside it.
fn plain(text: &str) -> String {
    let visible = straight(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    visible.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TICKER_TITLE_MAX).collect()
}

fn web_address(link: &str) -> Option<String> {
    let url = Url::parse(link.trim()).ok()?;
    let address = (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| String::from(url))?;
    (address.len() <= TICKER_LINK_MAX).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Vec<TickerItem>, Failure> {
        read(&Response { content_type: "application/json".to_owned(), body: body.as_bytes().to_vec() })
    }

    fn text(body: &[u8]) -> Vec<String> {
        let items = read(&Response { content_type: "text/plain".to_owned(), body: body.to_vec() }).unwrap();
        items.into_iter().map(|item| item.title).collect()
    }

    #[test]
    fn each_line_of_text_is_an_item() {
        assert_eq!(text(b"one\r\n\n  two\twords \n<b>three</b>"), ["one", "two words", "<b>three</b>"]);
        assert_eq!(text("a\u{202e}b\u{7}c\n\u{200e}".as_bytes()), ["ab c"]);
        assert_eq!(text("x\n".repeat(100).as_bytes()).len(), TICKER_ITEMS_MAX);
        assert_eq!(text("é".repeat(1000).as_bytes())[0].chars().count(), TICKER_TITLE_MAX);
        assert_eq!(text(b"\xff\n").len(), 1);
    }

    #[test]
    fn json_comes_as_a_list_or_an_object_of_strings_or_items() {
        let items = json(r#"["one", {"title": "two", "more": 1}, {"title": " "}]"#).unwrap();
        assert_eq!(items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(
            json(r#"{"items": [{"title": "x", "body": "<p>y</p>", "link": "https://example.org/"}]}"#).unwrap(),
            [TickerItem {
                title: "x".to_owned(),
                body: Some("<p>y</p>".to_owned()),
                link: Some("https://example.org/".to_owned())
            }]
        );
        for bad in ["", "{}", "[1]", r#"{"items": 1}"#, r#"[{"body": "no title"}]"#] {
            assert!(matches!(json(bad), Err(Failure::Items(_))), "{bad}");
        }
    }

    #[test]
    fn nothing_but_the_harmless_subset_is_left_of_a_body() {
        for (said, left) in [
            ("<b>b</b><i>i</i><ul><li>x</li></ul>a<br>b", Some("<b>b</b><i>i</i><ul><li>x</li></ul>a<br>b")),
            ("<script>alert(1)</script>x", Some("x")),
            ("<img src=x onerror=alert(1)>", None),
            ("<b onclick='x' style='y' class='z'>b</b>", Some("<b>b</b>")),
            (r#"<a href="javascript:alert(1)">x</a>"#, Some("<a>x</a>")),
            (r#"<a href="/relative">x</a>"#, Some("<a>x</a>")),
            (
                r#"<a href="https://example.org/?a=1&amp;b=2" target="_top">x</a>"#,
                Some(r#"<a href="https://example.org/?a=1&amp;b=2">x</a>"#),
            ),
            ("<iframe src='https://example.org'></iframe><h1>x</h1>", Some("x")),
            ("1 < 2 <!-- c -->", Some("1 &lt; 2 ")),
        ] {
            let items = json(&serde_json::json!([{"title": "t", "body": said}]).to_string()).unwrap();
            assert_eq!(items[0].body.as_deref(), left, "{said}");
        }
        for overdone in ["x".repeat(TICKER_BODY_MAX + 1), format!("x{}", "<!-- -->".repeat(html::TAGS_MAX + 1))] {
            let said = serde_json::json!([{"title": "t", "body": overdone}]).to_string();
            assert_eq!(json(&said).unwrap()[0].body, None);
        }
    }

    #[test]
    fn links_lead_to_the_web_or_nowhere() {
        for (said, left) in [
            ("https://example.org/a b", Some("https://example.org/a%20b")),
            ("HTTP://EXAMPLE.org", Some("http://example.org/")),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("//example.org", None),
            ("https://", None),
            ("mailto:a@example.org", None),
        ] {
            let items = json(&serde_json::json!([{"title": "t", "link": said}]).to_string()).unwrap();
            assert_eq!(items[0].link.as_deref(), left, "{said}");
        }
    }
}
