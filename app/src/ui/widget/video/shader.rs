//! The GPU's way: the frame's three planes as textures, turned into RGB while they are drawn.

mod pipeline;

use std::sync::Arc;

use codecs::{Color, Frame, Matrix, Range};
use iced::{
    Rectangle, Shrink, Theme,
    advanced::{Layout, Widget, layout, mouse, renderer, widget::Tree},
    wgpu,
    widget::shader::{self, Shader, Viewport},
};

use super::Look;
pub use pipeline::Pipeline;

/// One picture at one redraw.
#[derive(Debug, Clone)]
pub struct Primitive {
    id: u64,
    frame: Arc<Frame>,
    generation: u64,
    crop: Rectangle,
    look: Look,
}

impl Primitive {
    /// `id` and `generation` say whether the textures of an earlier redraw can be used again.
    pub fn new(id: u64, frame: Arc<Frame>, generation: u64, crop: Rectangle, look: Look) -> Self {
        Self { id, frame, generation, crop, look }
    }

    /// Draws it by way of iced's own shader widget: the renderer's method behind that isn't open to others.
    pub fn draw_in(self, renderer: &mut iced::Renderer, bounds: Rectangle) {
        let widget: Shader<(), Self> = Shader::new(self).width(Shrink).height(Shrink);
        let widget: &dyn Widget<(), Theme, iced::Renderer> = &widget;
        let tree = Tree { tag: widget.tag(), state: widget.state(), children: Vec::new() };
        let node = layout::Node::new(bounds.size()).move_to(bounds.position());
        let style = renderer::Style::default();
        widget.draw(&tree, renderer, &Theme::Light, &style, Layout::new(&node), mouse::Cursor::Unavailable, &bounds);
    }
}

impl<Message> shader::Program<Message> for Primitive {
    type State = ();
    type Primitive = Self;

    fn draw(&self, _: &(), _: mouse::Cursor, _: Rectangle) -> Self {
        self.clone()
    }
}

impl shader::Primitive for Primitive {
    type Pipeline = Pipeline;

    fn prepare(
        &self,
        pipeline: &mut Pipeline,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        bounds: &Rectangle,
        viewport: &Viewport,
    ) {
        let scale = viewport.scale_factor();
        let uniforms = Uniforms {
            conversion: conversion(self.frame.color()),
            crop: self.crop,
            size: [bounds.width * scale, bounds.height * scale],
            radius: self.look.radius * scale,
            mirrored: self.look.mirrored,
            linear: pipeline.is_srgb(),
        };
        pipeline.upload(device, queue, self, &uniforms.bytes());
    }

    fn draw(&self, pipeline: &Pipeline, pass: &mut wgpu::RenderPass<'_>) -> bool {
        pipeline.draw(self.id, pass)
    }
}

/// What the shader must know beside the planes; the same order as in `video.wgsl`.
struct Uniforms {
    conversion: [[f32; 4]; 3],
    crop: Rectangle,
    size: [f32; 2],
    radius: f32,
    mirrored: bool,
    /// The target turns what it is given into sRGB itself.
    linear: bool,
}

impl Uniforms {
    fn bytes(&self) -> [u8; UNIFORMS] {
        let [r, g, b] = self.conversion;
        let crop = [self.crop.x, self.crop.y, self.crop.width, self.crop.height];
        let flag = |on: bool| if on { 1.0 } else { 0.0 };
        let rest = [self.size[0], self.size[1], self.radius, flag(self.mirrored), flag(self.linear), 0.0, 0.0, 0.0];
        let mut bytes = [0; UNIFORMS];
        let values = r.into_iter().chain(g).chain(b).chain(crop).chain(rest);
        for (place, value) in bytes.chunks_exact_mut(4).zip(values) {
            place.copy_from_slice(&value.to_ne_bytes());
        }
        bytes
    }
}

const UNIFORMS: usize = 24 * 4;

/// Rows for red, green and blue; columns for Y, U, V (each from 0 to 1) and a constant. From ITU-R BT.601 and BT.709.
fn conversion(color: Color) -> [[f32; 4]; 3] {
    let (kr, kb) = match color.matrix {
        Matrix::Bt601 => (0.299_f32, 0.114_f32),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let kg = 1.0 - kr - kb;
    let (luma, black, chroma) = match color.range {
        Range::Limited => (255.0 / 219.0, 16.0 / 255.0, 255.0 / 224.0),
        Range::Full => (1.0, 0.0, 1.0),
    };
    let red = 2.0 * (1.0 - kr) * chroma;
    let blue = 2.0 * (1.0 - kb) * chroma;
    let (green_u, green_v) = (-blue * kb / kg, -red * kr / kg);
    // 128 of 255 is no colour.
    let row = |u: f32, v: f32| [luma, u, v, -luma * black - (u + v) * (128.0 / 255.0)];
    [row(0.0, red), row(green_u, green_v), row(blue, 0.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(color: Color, yuv: [u8; 3]) -> [u8; 3] {
        let [y, u, v] = yuv.map(|value| f32::from(value) / 255.0);
        conversion(color).map(|row| ((row[0] * y + row[1] * u + row[2] * v + row[3]).clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    #[test]
    fn white_black_and_red_come_out_as_such() {
        let limited = Color::default();
        assert_eq!(convert(limited, [235, 128, 128]), [255, 255, 255]);
        assert_eq!(convert(limited, [16, 128, 128]), [0, 0, 0]);
        assert_eq!(convert(limited, [81, 90, 240]), [254, 0, 0]);
        assert_eq!(convert(Color::JPEG, [255, 128, 128]), [255, 255, 255]);
        assert_eq!(convert(Color::JPEG, [76, 85, 255]), [254, 0, 0]);
        let hd = Color { range: Range::Limited, matrix: Matrix::Bt709 };
        assert_eq!(convert(hd, [63, 102, 240]), [255, 1, 0]);
    }
}
