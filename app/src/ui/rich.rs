//! Messages with emphasis and links: the few elements of HTML that a relay lets through, as pieces of text that look alike.
//!
//! Whatever else stands there, from a relay that lets through more, is shown as its text or not at all.

/// Text of one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    pub text: String,
    pub bold: bool,
    pub italic: bool,
    /// Where a press leads: an http or https address.
    pub link: Option<String>,
}

/// Most lists within lists that are told apart.
const DEPTH: usize = 8;

/// Reads HTML; elements that are never closed end with it.
pub fn read(html: &str) -> Vec<Piece> {
    let mut reader = Reader::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        reader.words(&rest[..at]);
        rest = &rest[at + 1..];
        // What is cut off within a tag is none of the text.
        let (tag, after) = rest.split_once('>').unwrap_or((rest, ""));
        reader.tag(tag);
        rest = after;
    }
    reader.words(rest);
    reader.finish()
}

#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    bold: u32,
    italic: u32,
    link: Option<String>,
    /// The open lists; the number of its last item for one with numbers.
    lists: Vec<Option<u32>>,
}

impl Reader {
    fn words(&mut self, escaped: &str) {
        let text = unescape(escaped);
        self.push(&text);
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let (bold, italic, link) = (self.bold > 0, self.italic > 0, self.link.clone());
        match self.pieces.last_mut() {
            Some(last) if (last.bold, last.italic, &last.link) == (bold, italic, &link) => last.text.push_str(text),
            _ => self.pieces.push(Piece { text: text.to_owned(), bold, italic, link }),
        }
    }

    fn tag(&mut self, tag: &str) {
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |rest| (true, rest));
        let name = tag.split([' ', '/', '\t', '\n']).next().unwrap_or_default().to_ascii_lowercase();
        let count = |open: u32| if closes { open.saturating_sub(1) } else { open + 1 };
        match name.as_str() {
            "b" | "strong" => self.bold = count(self.bold),
            "i" | "em" => self.italic = count(self.italic),
            "br" => self.push("\n"),
            "p" => self.lines(2),
            "ul" | "ol" => {
                self.lines(1);
                if closes {
                    self.lists.pop();
                } else {
                    self.lists.push((name == "ol").then_some(0));
                }
            }
            "li" if !closes => {
                self.lines(1);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{number}. ")
                    }
                    _ => "\u{2022} ".to_owned(),
                };
                let depth = self.lists.len().saturating_sub(1).min(DEPTH);
                self.push(&("   ".repeat(depth) + &mark));
            }
            "a" => self.link = if closes { None } else { href(tag) },
            _ => {}
        }
    }

    /// What comes next begins on a line of its own, after `lines - 1` empty ones.
    fn lines(&mut self, lines: usize) {
        let there = self.pieces.iter().rev().flat_map(|piece| piece.text.chars().rev());
        let (mut breaks, mut something) = (0, false);
        for letter in there {
            if letter != '\n' {
                something = true;
                break;
            }
            breaks += 1;
        }
        if something {
            self.push(&"\n".repeat(lines.saturating_sub(breaks)));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        while let Some(last) = self.pieces.last_mut() {
            last.text.truncate(last.text.trim_end_matches('\n').len());
            if !last.text.is_empty() {
                break;
            }
            self.pieces.pop();
        }
        self.pieces
    }
}

/// The address of a link, if it leads to the web.
fn href(tag: &str) -> Option<String> {
    let (_, rest) = tag.split_once("href=\"")?;
    let address = unescape(rest.split_once('"')?.0);
    let lower = address.to_ascii_lowercase();
    (lower.starts_with("http://") || lower.starts_with("https://")).then_some(address)
}

/// The characters that a relay writes as names.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", "\u{a0}").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Piece {
        Piece { text: text.into(), ..Piece::default() }
    }

    #[test]
    fn emphasis_and_links_are_pieces_of_their_own() {
        assert_eq!(
            read(r#"See <b>this <i>now</i></b>: <a href="https://example.org/?a=1&amp;b=2">here</a>&nbsp;&lt;3"#),
            [
                piece("See "),
                Piece { bold: true, ..piece("this ") },
                Piece { bold: true, italic: true, ..piece("now") },
                piece(": "),
                Piece { link: Some("https://example.org/?a=1&b=2".into()), ..piece("here") },
                piece("\u{a0}<3"),
            ]
        );
    }

    #[test]
    fn lists_and_paragraphs_are_lines() {
        let text = |html: &str| read(html).into_iter().map(|piece| piece.text).collect::<String>();
        assert_eq!(text("<p>one</p><p>two<br>three</p>"), "one\n\ntwo\nthree");
        assert_eq!(text("x<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>y"), "x\n\u{2022} a\n\u{2022} b\n   1. c\ny");
        assert_eq!(text("<ul></ul>"), "");
        assert_eq!(text("plain"), "plain");
    }

    #[test]
    fn whatever_a_relay_lets_through_ends_in_text() {
        let text = |html: &str| read(html).into_iter().map(|piece| piece.text).collect::<String>();
        for (html, shown) in
            [("<b>open", "open"), ("</b></i></ul></a>x", "x"), ("a <", "a "), ("<blink>y</blink>", "y"), ("&amp;lt;", "&lt;")]
        {
            assert_eq!(text(html), shown, "{html}");
        }
        for html in
            [r#"<a href="javascript:x">t</a>"#, r#"<a href="file:///etc/passwd">t</a>"#, "<a>t</a>", "<a href=\"https://x>t</a>"]
        {
            assert!(read(html).iter().all(|piece| piece.link.is_none()), "{html}");
        }
    }
}
