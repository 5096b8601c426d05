//! HTML of strangers, made harmless: a few elements by an allow-list, and the plain text of what is left.
//!
//! Messages and the ticker's items go through here, so that a client need know no more than these elements.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};
use html5ever::{
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

/// The elements a client knows how to show; everything else is taken out, its text stays.
const ELEMENTS: [&str; 9] = ["b", "strong", "i", "em", "ul", "ol", "li", "br", "p"];

/// Tags in one piece of HTML. Elements left open are opened anew in each paragraph after them, so what a parser builds grows with the square of
/// the tags: with so many it is some ten thousand elements, a few milliseconds' work. The longest list in a message has about as many.
pub(crate) const TAGS_MAX: usize = 300;

/// Rounds until HTML is read as it was written; one has been enough for all that was tried.
const ROUNDS: usize = 3;

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(ELEMENTS.into_iter().chain(["a"]).collect())
        .clean_content_tags(HashSet::from(["script", "style"]))
        // `title` and `lang` are on every element otherwise.
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .url_schemes(HashSet::from(["http", "https"]))
        .url_relative(UrlRelative::Deny)
        .attribute_filter(|_, _, address| is_plain(address).then_some(address.into()))
        .link_rel(None);
    builder
});

/// Whether an address is what it looks like. Browsers forgive one slash instead of two, tabs and line ends, and not all readers do.
fn is_plain(address: &str) -> bool {
    let begins = |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (begins("http://") || begins("https://")) && !address.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// What is left of `html`: the elements above without attributes, and `a` with an http or https `href` or none. `None` where there are more tags
/// in it than anyone has words for: parsing it would keep the relay busy.
pub(crate) fn sanitize(html: &str) -> Option<String> {
    (html.matches('<').count() <= TAGS_MAX).then(|| clean(html))
}

fn clean(html: &str) -> String {
    let mut clean = SANITIZER.clean(html).to_string();
    // What is taken out from between two paragraphs may leave one within the other, which is read as something else the next time.
    for _ in 0..ROUNDS {
        let again = SANITIZER.clean(&clean).to_string();
        if again == clean {
            break;
        }
        clean = again;
    }
    clean
}

/// The text of HTML that was sanitised: lines where it breaks, marks before the items of lists, addresses behind the links that
/// don't show theirs.
pub(crate) fn to_text(sanitized: &str) -> String {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(sanitized));
    let tokenizer = Tokenizer::new(Words::default(), TokenizerOpts::default());
    // A sink that runs no scripts is never waited for.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.text()
}

/// Collects the text of the elements as they come by.
#[derive(Default)]
struct Words(RefCell<State>);

#[derive(Default)]
struct State {
    text: String,
    /// The lists that are open, the outermost first: for a numbered one the number of its last item.
    lists: Vec<Option<u32>>,
    /// The link that is open: where it leads, and where its words begin.
    link: Option<(String, usize)>,
}

impl Words {
    fn text(self) -> String {
        let text = self.0.into_inner().text;
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
    }
}

impl TokenSink for Words {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(words) => state.text.push_str(&words),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => state.open(&tag),
            Token::TagToken(tag) => state.close(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn open(&mut self, tag: &Tag) {
        match &*tag.name {
            "br" => self.text.push('\n'),
            "p" => self.blocks(2),
            "ul" => {
                self.blocks(1);
                self.lists.push(None);
            }
            "ol" => {
                self.blocks(1);
                self.lists.push(Some(0));
            }
            "li" => {
                self.blocks(1);
                let depth = self.lists.len().saturating_sub(1);
                // Deeper than anyone writes by hand, the words would only drift out of sight.
                self.text.push_str(&"  ".repeat(depth.min(8)));
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        self.text.push_str(&format!("{number}. "));
                    }
                    _ => self.text.push_str("\u{2022} "),
                }
            }
            "a" => {
                let href = tag.attrs.iter().find(|attribute| &*attribute.name.local == "href");
                self.link = href.map(|href| (href.value.to_string(), self.text.len()));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => self.blocks(2),
            "ul" | "ol" => {
                self.lists.pop();
                self.blocks(1);
            }
            "a" => {
                let Some((href, start)) = self.link.take() else { return };
                let words = self.text.get(start..).unwrap_or_default().trim();
                if words.is_empty() {
                    self.text.push_str(&href);
                } else if words != href && words != href.trim_end_matches('/') {
                    self.text.push_str(&format!(" ({href})"));
                }
            }
            _ => {}
        }
    }

    /// What comes next begins on a line of its own, after `lines - 1` empty ones.
    fn blocks(&mut self, lines: usize) {
        if self.text.trim().is_empty() {
            return;
        }
        let there = self.text.bytes().rev().take_while(|byte| *byte == b'\n').count();
        for _ in there..lines {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every tag there is in `html`, with its attributes.
    #[derive(Default)]
    struct Tags(RefCell<Vec<Tag>>);

    impl TokenSink for Tags {
        type Handle = ();

        fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
            match token {
                Token::TagToken(tag) => self.0.borrow_mut().push(tag),
                Token::CommentToken(_) | Token::DoctypeToken(_) => panic!("it is no text and no element: {token:?}"),
                _ => {}
            }
            TokenSinkResult::Continue
        }
    }

    fn tags(html: &str) -> Vec<Tag> {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }

    fn assert_harmless(html: &str) {
        for tag in tags(html) {
            let name = &*tag.name;
            assert!(ELEMENTS.contains(&name) || name == "a", "{name} in {html:?}");
            for attribute in &tag.attrs {
                assert_eq!((name, &*attribute.name.local), ("a", "href"), "{html:?}");
                let leads_to = attribute.value.to_ascii_lowercase();
                assert!(leads_to.starts_with("http://") || leads_to.starts_with("https://"), "{leads_to}");
            }
        }
    }

    #[test]
    fn the_text_says_what_the_html_shows() {
        for (html, text) in [
            ("plain", "plain"),
            ("1 &lt; 2 &amp;&nbsp;3", "1 < 2 &\u{a0}3"),
            ("<b>bold</b> and <i>leaning</i>", "bold and leaning"),
            ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
            ("<p>one</p><p>two</p>three", "one\n\ntwo\n\nthree"),
            (
                "To buy:<ul><li>milk</li><li>bread<ol><li>dark</li><li>light</li></ol></li></ul>soon",
                "To buy:\n\u{2022} milk\n\u{2022} bread\n  1. dark\n  2. light\nsoon",
            ),
            (r#"see <a href="https://example.org/a">this</a>"#, "see this (https://example.org/a)"),
            (r#"<a href="https://example.org/">https://example.org</a>"#, "https://example.org"),
            (r#"<a href="https://example.org/"></a>"#, "https://example.org/"),
            ("<a>nowhere</a>", "nowhere"),
            ("<p></p><ul></ul>", ""),
        ] {
            assert_eq!(to_text(&clean(html)), text, "{html}");
        }
    }

    #[test]
    fn what_is_nested_beyond_reason_neither_breaks_nor_grows_without_end() {
        for element in ["<b>", "<ul><li>", "<div>", "<a href=http://x/>", "<table>", "<p><i>", "<svg>", "<math><mtext>"] {
            let deep = element.repeat(16 * 1024 / element.len());
            let left = clean(&deep);
            assert_harmless(&left);
            assert!(left.len() <= deep.len() * 20, "{element}: {} bytes", left.len());
            to_text(&left);
        }
    }

    #[test]
    fn attributes_go_wherever_they_are() {
        for html in [r#"<b title="x" lang="de">bold</b>"#, r#"<a href="https://example.org/" title="x" onclick="x">this</a>"#] {
            assert_harmless(&clean(html));
        }
    }

    #[test]
    fn an_address_that_readers_understand_differently_is_taken_out() {
        assert_eq!(
            clean(r#"<a href="HTTPS://example.org/?a=1&amp;b=2">x</a>"#),
            r#"<a href="HTTPS://example.org/?a=1&amp;b=2">x</a>"#
        );
        for address in
            ["https:/example.org", "https:example.org", "http\t://example.org", "https://exam\nple.org", " https://example.org"]
        {
            assert_eq!(clean(&format!(r#"<a href="{address}">x</a>"#)), "<a>x</a>", "{address:?}");
        }
    }

    #[test]
    fn what_is_clean_is_read_as_it_was_written() {
        let left = clean("<p><form><p>x<button>y</button></p></form><p>z");
        assert_eq!(clean(&left), left);
    }

    #[test]
    fn more_tags_than_words_are_overdone() {
        assert!(sanitize(&"<li>milk</li>".repeat(TAGS_MAX / 2)).is_some());
        assert_eq!(sanitize(&"<p>".repeat(TAGS_MAX + 1)), None);
        // The worst that is let through: elements that differ, left open before many paragraphs.
        let open = (0..TAGS_MAX / 2).map(|number| format!("<b a{number}>")).collect::<String>();
        let worst = format!("{open}{}", "<p>x".repeat(TAGS_MAX / 2));
        assert_harmless(&sanitize(&worst).unwrap());
    }

    /// Pieces that HTML is made of, and that tricks with it are made of.
    fn piece() -> impl Strategy<Value = String> {
        let pieces = [
            "<b>",
            "<b title=\"x\" lang=\"de\">",
            "</b>",
            "<i>",
            "<p>",
            "</p>",
            "<ul>",
            "<li>",
            "</ul>",
            "<br>",
            "<a href=\"",
            "<a href='http://e.org/'>",
            "</a>",
            "\">",
            "'",
            "\"",
            "<script>",
            "</script>",
            "<style>",
            "</style>",
            "<svg>",
            "<math>",
            "<mtext>",
            "<title>",
            "<template>",
            "<noscript>",
            "<textarea>",
            "</textarea>",
            "<img src=x onerror=alert(1)>",
            "javascript:",
            "data:text/html,",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<table>",
            "<form>",
            "<select>",
            "<plaintext>",
            "<iframe>",
            "&lt;",
            "&#x3c;",
            "&",
            "<",
            ">",
            "/",
            "\0",
            "\u{202e}",
            " onclick=alert(1) ",
            " href=//x ",
            "<?xml",
            "<annotation-xml encoding=text/html>",
        ];
        prop_oneof![prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), any::<String>()]
    }

    proptest! {
        #[test]
        fn whatever_goes_in_only_allowed_elements_come_out(pieces in prop::collection::vec(piece(), 0..24)) {
            let left = clean(&pieces.concat());
            assert_harmless(&left);
            // Nor do they turn into others for whoever parses them again.
            assert_harmless(&clean(&left));
            let text = to_text(&left);
            prop_assert!(text.trim() == text);
        }
    }
}
