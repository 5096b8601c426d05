//! The ticker along the foot: what the providers say, one item after the other.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use iced::{
    Center, Element, Fill, Subscription,
    widget::{button, container, mouse_area, row, tooltip::Position},
};
use proto::model::Ticker;

use crate::ui::{
    icon::{self, Icon, icon},
    rich,
    theme::{self, spacing, text},
    widget::{hint::hint, slide::Slide},
};

/// Long enough to read a line twice.
const SHOWN: Duration = Duration::from_secs(8);

#[derive(Debug, Default)]
pub struct Tape {
    tickers: Vec<Ticker>,
    items: Vec<Item>,
    current: usize,
    previous: usize,
    hovered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    provider: String,
    title: String,
    body: Option<String>,
    link: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Turned,
    Hovered(bool),
    Opened(String),
}

impl Tape {
    /// All that is said now.
    pub fn know(&mut self, tickers: Vec<Ticker>) {
        self.tickers = tickers;
        self.collect();
    }

    /// What one provider says now.
    pub fn hear(&mut self, ticker: Ticker) {
        match self.tickers.iter_mut().find(|known| known.provider == ticker.provider) {
            Some(known) => *known = ticker,
            None => self.tickers.push(ticker),
        }
        self.collect();
    }

    pub fn update(&mut self, message: Message) {
        match message {
            Message::Turned => {
                self.previous = self.current;
                self.current = (self.current + 1) % self.items.len().max(1);
            }
            Message::Hovered(hovered) => self.hovered = hovered,
            Message::Opened(link) => open_link(&link),
        }
    }

    pub fn subscription(&self) -> Subscription<Message> {
        // Under the pointer it stands still to be read.
        if self.items.len() < 2 || self.hovered {
            return Subscription::none();
        }
        iced::time::every(SHOWN).map(|_| Message::Turned)
    }

    fn collect(&mut self) {
        let shown = self.items.get(self.current).cloned();
        let place = |items: &[Item], is: &dyn Fn(&Item, &Item) -> bool| {
            shown.as_ref().and_then(|shown| items.iter().position(|item| is(item, shown)))
        };
        let items = |ticker: &Ticker| {
            let provider = ticker.provider.clone();
            ticker.items.clone().into_iter().map(move |item| Item {
                provider: provider.clone(),
                title: item.title,
                body: item.body.map(|html| plain(&html)).filter(|text| !text.is_empty()),
                link: item.link.filter(|link| is_web(link)),
            })
        };
        self.items = self.tickers.iter().flat_map(items).collect();
        // News of one provider must not take away what is being read: the same item, its renewal, or another of the same source.
        self.current = place(&self.items, &|item, shown| item == shown)
            .or_else(|| place(&self.items, &|item, shown| item.provider == shown.provider && item.title == shown.title))
            .or_else(|| place(&self.items, &|item, shown| item.provider == shown.provider))
            .unwrap_or(0);
        self.previous = self.current;
        if self.items.is_empty() {
            // What is gone can't be left by the pointer.
            self.hovered = false;
        }
    }

    /// `None` while nobody says anything.
    pub fn view(&self) -> Option<Element<'_, Message>> {
        let current = self.items.get(self.current)?;
        let previous = self.items.get(self.previous).unwrap_or(current);
        let mut hasher = DefaultHasher::new();
        // News of the same item change it in its place.
        (&current.provider, &current.title).hash(&mut hasher);
        let slide = Slide::new(hasher.finish(), line(previous), line(current));
        let tape = container(slide).height(spacing::TAPE).width(Fill).style(theme::container::panel);
        let tape = mouse_area(tape).on_enter(Message::Hovered(true)).on_exit(Message::Hovered(false));
        Some(tape.into())
    }
}

fn line(item: &Item) -> Element<'_, Message> {
    let sign = if item.link.is_some() { Icon::ExternalLink } else { Icon::Newspaper };
    let words = row![
        icon(sign, icon::SMALL).style(text::primary),
        text::caption(&item.provider).style(text::faint),
        text::caption(&item.title).style(text::normal).size(text::BODY).wrapping(iced::widget::text::Wrapping::None),
    ]
    .spacing(spacing::S)
    .align_y(Center)
    .height(Fill);
    let words = button(words).height(Fill).padding([0.0, spacing::L]).style(theme::button::quiet);
    let words: Element<'_, Message> = words.on_press_maybe(item.link.clone().map(Message::Opened)).into();
    let more = match (&item.body, &item.link) {
        (Some(body), Some(link)) => format!("{body}\n{link}"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => return words,
    };
    hint(words, more, Position::Top)
}

pub(super) fn open_link(link: &str) {
    if !is_web(link) {
        tracing::warn!("a link that is no web address was not opened");
    } else if let Err(error) = open::that_detached(link) {
        tracing::warn!(%error, "the browser could not be started");
    }
}

/// Only what a browser shows as a page: the relay checks it too, but a link is handed to the system here.
fn is_web(link: &str) -> bool {
    let Some((scheme, rest)) = link.split_once("://") else { return false };
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !rest.is_empty()
        && !rest.starts_with(['/', '-', '?', '#'])
        && link.chars().all(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | '`' | '\\'))
}

/// The text of a ticker's HTML, as a hint shows it.
fn plain(html: &str) -> String {
    let text: String = rich::read(html).into_iter().map(|piece| piece.text).collect();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proto::model::TickerItem;

    use super::*;

    fn ticker(provider: &str, titles: &[&str]) -> Ticker {
        let item = |title: &&str| TickerItem { title: (*title).into(), body: None, link: None };
        Ticker { provider: provider.into(), items: titles.iter().map(item).collect() }
    }

    #[test]
    fn only_web_addresses_are_opened() {
        for good in ["https://example.org", "HTTP://example.org/a?b=c#d", "http://[::1]:8080/"] {
            assert!(is_web(good), "{good}");
        }
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "http:///x",
            "ssh://host",
            "http://a b",
            "-https://x",
            "https://-x",
            "https://x\n",
            "vbscript://x",
            "example.org",
            "https://x\\y",
        ] {
            assert!(!is_web(bad), "{bad}");
        }
    }

    #[test]
    fn html_reads_as_text() {
        assert_eq!(
            plain("<p>Fish &amp; <b>chips</b></p><ul><li>one</li><li>two</li></ul>"),
            "Fish & chips\n\u{2022} one\n\u{2022} two"
        );
        assert_eq!(plain("a &lt;b&gt; c"), "a <b> c");
        assert_eq!(plain("&amp;lt;"), "&lt;");
        assert_eq!(plain("cut <of"), "cut");
    }

    #[test]
    fn it_turns_from_item_to_item_and_keeps_its_place() {
        let mut tape = Tape::default();
        assert!(tape.view().is_none());
        tape.know(vec![ticker("fortune", &["one", "two"])]);
        tape.update(Message::Turned);
        assert_eq!(tape.items[tape.current].title, "two");
        tape.hear(ticker("status", &["fine"]));
        assert_eq!(tape.items[tape.current].title, "two");
        tape.update(Message::Turned);
        assert_eq!(tape.items[tape.current].title, "fine");
        tape.update(Message::Turned);
        assert_eq!(tape.items[tape.current].title, "one");
        tape.hear(ticker("fortune", &[]));
        tape.hear(ticker("status", &[]));
        assert!(tape.view().is_none());
    }
}
