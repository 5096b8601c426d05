//! HTML from outside, as it goes to clients. The check knows nothing of the sanitiser: it reads what came out letter by letter.

use super::{BRIEFLY, Damage, damaged};
use crate::ticker::{cgi::Response, items};

/// Elements a client shows, by PROTOCOL.md.
const ELEMENTS: [&str; 10] = ["b", "strong", "i", "em", "ul", "ol", "li", "br", "p", "a"];

/// What has been tried on other sanitisers.
const TRIES: [&str; 12] = [
    "<p>plain <b>bold</b> <a href=\"https://example.org/?a=1&amp;b=2\">link</a><br></p>",
    "<script>alert(1)</script><style>@import 'x'</style>",
    "<img src=x onerror=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a><a href=\" &#1;javascript:x\">y</a>",
    "<svg><p><style><img src=\"</style><img src=x onerror=alert(1)>\">",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<b onclick=x style='a:b' class=\"c\">x</b><base href=//x><meta http-equiv=refresh>",
    "<form><input name=x><button>y</button></form><iframe srcdoc=\"<b>\"></iframe>",
    "<a href=\"//example.org\">x</a><a href=\"data:text/html,x\">y</a><a href=\"/v1/state\">z</a>",
    "<ul><li>one<li>two</ul></b></i><p><p><!-- c --><![CDATA[ x ]]><?php x ?>",
    "&lt;script&gt;&amp;lt;&#60;b&#62;\u{0}<b\u{0}>",
];

/// What the relay makes of it.
fn sanitised(html: &str) -> Option<String> {
    let body = serde_json::to_vec(&serde_json::json!([{"title": "x", "body": html}])).expect("text is JSON");
    let response = Response { content_type: "application/json".to_owned(), body };
    items::read(&response).expect("it is well-formed").remove(0).body
}

/// Panics where there is anything but text and the elements of [`ELEMENTS`].
fn harmless(html: &str) {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = rest[start..].find('>').unwrap_or_else(|| panic!("a tag without end in {html:?}"));
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if let Some(address) = tag.strip_prefix("a href=\"").and_then(|tag| tag.strip_suffix('"')) {
            let scheme = address.to_ascii_lowercase();
            assert!(scheme.starts_with("http://") || scheme.starts_with("https://"), "{address:?} in {html:?}");
            assert!(!address.contains(['"', '<']), "{address:?} in {html:?}");
            continue;
        }
        let name = tag.strip_prefix('/').unwrap_or(tag);
        assert!(ELEMENTS.contains(&name), "{tag:?} in {html:?}");
    }
}

#[test]
fn no_markup_but_the_allowed_comes_through() {
    TRIES.iter().filter_map(|html| sanitised(html)).for_each(|clean| harmless(&clean));
    bolero::check!().with_test_time(BRIEFLY).with_type::<(u8, u8, Vec<Damage>)>().for_each(|(one, other, damages)| {
        let both = [one, other].map(|at| TRIES[usize::from(*at) % TRIES.len()]).concat();
        let html = String::from_utf8_lossy(&damaged(both.as_bytes(), damages)).into_owned();
        let Some(clean) = sanitised(&html) else { return };
        harmless(&clean);
        // What is clean stays as it is: a second reader would else see something else than the first.
        if let Some(again) = sanitised(&clean) {
            assert_eq!(again, clean, "from {html:?}");
        }
    });
}
