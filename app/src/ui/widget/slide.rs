//! A line that slides in from the right and pushes the old one out to the left, and otherwise costs nothing.

use std::time::{Duration, Instant};

use iced::{
    Element, Event, Length, Rectangle, Size, Theme, Vector,
    advanced::{
        Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, overlay, renderer,
        widget::{Operation, Tree, tree},
    },
    window,
};

/// How long the change takes: quick enough not to be waited for, slow enough to be followed.
const CHANGE: Duration = Duration::from_millis(700);

/// Between two redraws of a change. 30 a second look smooth on a line of text and cost half of what 60 do.
const STEP: Duration = Duration::from_millis(33);

/// Shows `current`; when `key` is another one than before, `previous` makes way for it.
pub struct Slide<'a, Message> {
    key: u64,
    lines: [Element<'a, Message>; 2],
}

impl<'a, Message> Slide<'a, Message> {
    pub fn new(key: u64, previous: impl Into<Element<'a, Message>>, current: impl Into<Element<'a, Message>>) -> Self {
        Self { key, lines: [current.into(), previous.into()] }
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    key: u64,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    None,
    /// Begins with the next redraw, which brings the time.
    Due,
    /// How much of the way is left, from 1 to 0.
    Running {
        since: Instant,
        left: f32,
    },
}

impl State {
    fn turn_to(&mut self, key: u64) {
        if self.key != key {
            *self = Self { key, change: Change::Due };
        }
    }

    /// Moves on and says when to come back.
    fn redraw(&mut self, now: Instant) -> Option<Instant> {
        let since = match self.change {
            Change::None => return None,
            Change::Due => now,
            Change::Running { since, .. } => since,
        };
        let passed = now.saturating_duration_since(since).as_secs_f32() / CHANGE.as_secs_f32();
        if passed >= 1.0 {
            self.change = Change::None;
            return None;
        }
        self.change = Change::Running { since, left: (1.0 - passed).powi(3) };
        Some(now + STEP)
    }

    fn left(&self) -> f32 {
        match self.change {
            Change::None => 0.0,
            Change::Due => 1.0,
            Change::Running { left, .. } => left,
        }
    }
}

impl<Message> Widget<Message, Theme, iced::Renderer> for Slide<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State { key: self.key, change: Change::None })
    }

    fn children(&self) -> Vec<Tree> {
        self.lines.iter().map(Tree::new).collect()
    }

    fn diff(&self, tree: &mut Tree) {
        tree.state.downcast_mut::<State>().turn_to(self.key);
        tree.diff_children(&self.lines);
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        let size = limits.resolve(Length::Fill, Length::Fill, Size::ZERO);
        let inner = layout::Limits::new(Size::ZERO, size);
        let lines = self.lines.iter_mut().zip(&mut tree.children);
        let nodes = lines.map(|(line, tree)| line.as_widget_mut().layout(tree, renderer, &inner)).collect();
        layout::Node::with_children(size, nodes)
    }

    fn operate(&mut self, tree: &mut Tree, layout: Layout<'_>, renderer: &iced::Renderer, operation: &mut dyn Operation) {
        if let Some(layout) = layout.children().next() {
            self.lines[0].as_widget_mut().operate(&mut tree.children[0], layout, renderer, operation);
        }
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &iced::Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        viewport: &Rectangle,
    ) {
        if let Event::Window(window::Event::RedrawRequested(now)) = event
            && let Some(again) = tree.state.downcast_mut::<State>().redraw(*now)
        {
            shell.request_redraw_at(again);
        }
        if let Some(layout) = layout.children().next() {
            let line = self.lines[0].as_widget_mut();
            line.update(&mut tree.children[0], event, layout, cursor, renderer, clipboard, shell, viewport);
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        let Some(layout) = layout.children().next() else { return mouse::Interaction::None };
        self.lines[0].as_widget().mouse_interaction(&tree.children[0], layout, cursor, viewport, renderer)
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let bounds = layout.bounds();
        let Some(clip) = bounds.intersection(viewport) else { return };
        let left = tree.state.downcast_ref::<State>().left();
        let shifts = [left * bounds.width, (left - 1.0) * bounds.width];
        let shown = if left > 0.0 { 2 } else { 1 };
        renderer.with_layer(clip, |renderer| {
            for (index, layout) in layout.children().enumerate().take(shown) {
                renderer.with_translation(Vector::new(shifts[index].round(), 0.0), |renderer| {
                    let everywhere = Rectangle { x: clip.x - bounds.width, width: bounds.width * 3.0, ..clip };
                    self.lines[index].as_widget().draw(
                        &tree.children[index],
                        renderer,
                        theme,
                        style,
                        layout,
                        cursor,
                        &everywhere,
                    );
                });
            }
        });
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &iced::Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, iced::Renderer>> {
        let layout = layout.children().next()?;
        self.lines[0].as_widget_mut().overlay(&mut tree.children[0], layout, renderer, viewport, translation)
    }
}

impl<'a, Message: 'a> From<Slide<'a, Message>> for Element<'a, Message> {
    fn from(slide: Slide<'a, Message>) -> Self {
        Self::new(slide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_runs_once_and_then_asks_for_nothing() {
        let start = Instant::now();
        let mut state = State { key: 1, change: Change::None };
        assert_eq!(state.redraw(start), None);
        state.turn_to(1);
        assert_eq!(state.redraw(start), None);

        state.turn_to(2);
        assert_eq!(state.left(), 1.0);
        assert_eq!(state.redraw(start), Some(start + STEP));
        let early = state.left();
        assert!(state.redraw(start + CHANGE / 2).is_some());
        assert!(state.left() < early && state.left() > 0.0);
        assert_eq!(state.redraw(start + CHANGE), None);
        assert_eq!(state.left(), 0.0);
        assert_eq!(state.redraw(start + CHANGE * 2), None);
    }
}
