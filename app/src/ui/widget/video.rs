//! A moving picture: whatever is newest in a slot, fitted into the space there is.
//!
//! On wgpu the frame's planes go to the GPU as they are; on tiny-skia the frame is scaled to the pixels it gets and painted as
//! an image. Which of the two it is shows in the renderer itself. Frames never pass through messages: the widget looks into
//! the slot at each redraw.

pub mod fit;
pub mod paint;
pub mod shader;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use codecs::Frame;
use iced::{
    Element, Event, Length, Rectangle, Size, Theme,
    advanced::{
        Layout, Renderer as _, Shell, Widget, image, layout, mouse, renderer,
        widget::{Operation, Tree, tree},
    },
    window,
};
use media::Slot;

use self::paint::{Painter, Picture};

/// A picture that hasn't changed for this long is no live picture any more, and showing it as one would be a lie.
const STALE: Duration = Duration::from_secs(1);

/// A slot with a number of its own, by which the GPU path knows its textures again.
#[derive(Debug, Clone)]
pub struct Feed {
    pub slot: Slot,
    pub id: u64,
}

impl Feed {
    pub fn new(slot: Slot) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { slot, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Shows a feed, or something else where there is nothing live to show.
pub struct Video<'a, Message> {
    feed: &'a Feed,
    /// What is shown instead, and if there's a second one, what lies over a picture that stands still.
    others: Vec<Element<'a, Message>>,
    shown: bool,
    /// Whether a picture that stands still counts as gone.
    live: bool,
    look: Look,
}

/// How the picture is painted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Left and right swapped, as people know themselves from mirrors.
    pub mirrored: bool,
    /// Of the corners, in logical pixels.
    pub radius: f32,
    /// Physical pixels per logical one.
    pub scale: f32,
    /// Fills the space and loses the edges, rather than leaving bars.
    pub covers: bool,
}

impl<'a, Message> Video<'a, Message> {
    pub fn new(feed: &'a Feed, scale: f32, instead: impl Into<Element<'a, Message>>) -> Self {
        let look = Look { mirrored: false, radius: 0.0, scale, covers: false };
        Self { feed, others: vec![instead.into()], shown: true, live: true, look }
    }

    /// A picture that stands still stays, with this over it.
    pub fn frozen(mut self, mark: impl Into<Element<'a, Message>>) -> Self {
        self.others.truncate(1);
        self.others.push(mark.into());
        self
    }

    pub fn mirrored(mut self) -> Self {
        self.look.mirrored = true;
        self
    }

    pub fn covering(mut self) -> Self {
        self.look.covers = true;
        self
    }

    pub fn radius(mut self, radius: f32) -> Self {
        self.look.radius = radius;
        self
    }

    /// Whether to show the picture at all: not while the camera is off, even if the slot still holds one.
    pub fn shown(mut self, shown: bool) -> Self {
        self.shown = shown;
        self
    }

    /// The picture may stand still, as a sample does.
    pub fn still(mut self, still: bool) -> Self {
        self.live = !still;
        self
    }
}

#[derive(Default)]
struct State {
    feed: u64,
    generation: u64,
    /// The newest frame and when the widget first saw it.
    frame: Option<(Arc<Frame>, Instant)>,
    /// Of the last redraw.
    now: Option<Instant>,
    painter: Painter,
}

impl State {
    /// Takes what is new in the slot and says how long what is shown stays fresh.
    fn look_into(&mut self, feed: &Feed, now: Instant) -> Option<Instant> {
        if self.feed != feed.id {
            *self = Self { feed: feed.id, ..Self::default() };
        }
        self.now = Some(now);
        let seen = feed.slot.seen();
        if seen.generation != self.generation {
            self.generation = seen.generation;
            self.frame = seen.frame.map(|frame| (frame, now));
        }
        let (_, since) = self.frame.as_ref()?;
        Some(*since + STALE)
    }
}

impl<Message> Video<'_, Message> {
    /// The frame to show now, and which of the others.
    fn current<'s>(&self, state: &'s State) -> (Option<&'s Arc<Frame>>, Option<usize>) {
        let Some((frame, since)) = state.frame.as_ref().filter(|_| self.shown && state.feed == self.feed.id) else {
            return (None, Some(0));
        };
        let age = state.now.map_or(Duration::ZERO, |now| now.saturating_duration_since(*since));
        match (!self.live || age < STALE, self.others.len() > 1) {
            (true, _) => (Some(frame), None),
            (false, true) => (Some(frame), Some(1)),
            (false, false) => (None, Some(0)),
        }
    }

    fn draw_frame(&self, renderer: &mut iced::Renderer, state: &State, frame: &Arc<Frame>, bounds: Rectangle, clip: Rectangle) {
        match renderer {
            iced::Renderer::Primary(_) => {
                let placed = fit::place(frame.size(), bounds, self.look.covers);
                let primitive = shader::Primitive::new(self.feed.id, Arc::clone(frame), state.generation, placed.crop, self.look);
                renderer.with_layer(clip, |renderer| primitive.draw_in(renderer, placed.bounds));
            }
            iced::Renderer::Secondary(_) => {
                if let Some(Picture { handle, bounds }) = state.painter.picture() {
                    use image::Renderer as _;
                    // Painted in the very pixels it gets, so nothing is to be smoothed.
                    let image = image::Image::new(handle.clone()).filter_method(image::FilterMethod::Nearest).snap(true);
                    renderer.draw_image(image, *bounds, clip);
                }
            }
        }
    }
}

impl<Message> Widget<Message, Theme, iced::Renderer> for Video<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn children(&self) -> Vec<Tree> {
        self.others.iter().map(Tree::new).collect()
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(&self.others);
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        let size = limits.resolve(Length::Fill, Length::Fill, Size::ZERO);
        let inner = layout::Limits::new(size, size);
        let others = self.others.iter_mut().zip(&mut tree.children);
        let others = others.map(|(other, tree)| other.as_widget_mut().layout(tree, renderer, &inner)).collect();
        layout::Node::with_children(size, others)
    }

    fn operate(&mut self, tree: &mut Tree, layout: Layout<'_>, renderer: &iced::Renderer, operation: &mut dyn Operation) {
        let (_, other) = self.current(tree.state.downcast_ref::<State>());
        let Some(which) = other else { return };
        let others = self.others.iter_mut().zip(&mut tree.children).zip(layout.children());
        for ((other, tree), layout) in others.skip(which).take(1) {
            other.as_widget_mut().operate(tree, layout, renderer, operation);
        }
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        _cursor: mouse::Cursor,
        renderer: &iced::Renderer,
        _clipboard: &mut dyn iced::advanced::Clipboard,
        shell: &mut Shell<'_, Message>,
        _viewport: &Rectangle,
    ) {
        let Event::Window(window::Event::RedrawRequested(now)) = event else { return };
        let state = tree.state.downcast_mut::<State>();
        let fresh_until = state.look_into(self.feed, *now);
        let (frame, other) = self.current(state);
        let (Some(frame), stands) = (frame.cloned(), other.is_some()) else {
            state.painter.forget();
            return;
        };
        if let Some(fresh_until) = fresh_until.filter(|_| self.live && !stands) {
            // The moment at which the picture, if no other comes, has to give way.
            shell.request_redraw_at(fresh_until);
        }
        if matches!(renderer, iced::Renderer::Secondary(_)) {
            let generation = state.generation;
            state.painter.paint(&frame, generation, layout.bounds(), self.look);
        }
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
        let state = tree.state.downcast_ref::<State>();
        let (frame, other) = self.current(state);
        if let Some(frame) = frame {
            self.draw_frame(renderer, state, frame, bounds, clip);
        }
        let Some(which) = other else { return };
        let others = self.others.iter().zip(&tree.children).zip(layout.children());
        for ((other, tree), layout) in others.skip(which).take(1) {
            // Over the picture, whatever way that was drawn.
            renderer.with_layer(clip, |renderer| other.as_widget().draw(tree, renderer, theme, style, layout, cursor, viewport));
        }
    }
}

impl<'a, Message: 'a> From<Video<'a, Message>> for Element<'a, Message> {
    fn from(video: Video<'a, Message>) -> Self {
        Self::new(video)
    }
}
