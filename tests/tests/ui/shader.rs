//! A moving picture on the GPU's way: the same planes, drawn by the shader into a texture and read back.

use std::sync::Arc;

use app::ui::widget::video::{
    Look,
    shader::{Pipeline, Primitive},
};
use codecs::{Color, Frame, Matrix, Range};
use iced::{
    Rectangle, Size, wgpu,
    widget::shader::{Pipeline as _, Primitive as _, Viewport},
};

use crate::picture::{expected, fields, near};

const WIDTH: u32 = 512;
const HEIGHT: u32 = 384;
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Gpu {
    /// Any adapter will do, one that computes on the CPU too, such as `.ci/setup test` installs. `None` only if the environment
    /// says that the machine has none.
    fn find() -> Option<Self> {
        if std::env::var_os("TVPHONE_NO_GPU").is_some() {
            eprintln!("NOT TESTED: the shader, as TVPHONE_NO_GPU is set");
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let instance = wgpu::Instance::new(&wgpu::InstanceDescriptor::default());
            let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.unwrap_or_else(|error| {
                panic!(
                    "this machine has no graphics adapter at all ({error}): `.ci/setup test` installs one that needs no card; \
                     with TVPHONE_NO_GPU=1 the shader is left untested"
                )
            });
            let descriptor = wgpu::DeviceDescriptor { required_limits: wgpu::Limits::downlevel_defaults(), ..Default::default() };
            let (device, queue) = adapter.request_device(&descriptor).await.expect("the adapter gives a device");
            Some(Self { device, queue })
        })
    }

    fn draw(&self, pipeline: &mut Pipeline, primitive: &Primitive) -> Vec<u8> {
        let size = wgpu::Extent3d { width: WIDTH, height: HEIGHT, depth_or_array_layers: 1 };
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let bounds = Rectangle { x: 0.0, y: 0.0, width: WIDTH as f32, height: HEIGHT as f32 };
        let viewport = Viewport::with_physical_size(Size::new(WIDTH, HEIGHT), 1.0);
        primitive.prepare(pipeline, &self.device, &self.queue, &bounds, &viewport);
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        assert!(primitive.draw(pipeline, &mut pass));
        drop(pass);
        pipeline.trim();
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(WIDTH * HEIGHT * 4),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        // 512 pixels of four bytes are a whole number of 256-byte lines, as the copy wants.
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(WIDTH * 4), rows_per_image: None };
        encoder.copy_texture_to_buffer(target.as_image_copy(), wgpu::TexelCopyBufferInfo { buffer: &buffer, layout }, size);
        self.queue.submit([encoder.finish()]);
        let slice = buffer.slice(..);
        slice.map_async(wgpu::MapMode::Read, |result| result.expect("the buffer can be read"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the work is done");
        slice.get_mapped_range().to_vec()
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new(&self.device, &self.queue, FORMAT)
    }
}

const WHOLE: Rectangle = Rectangle { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
const PLAIN: Look = Look { mirrored: false, radius: 0.0, scale: 1.0, covers: false };

fn primitive(frame: Frame, generation: u64, look: Look) -> Primitive {
    Primitive::new(7, Arc::new(frame), generation, WHOLE, look)
}

fn at(pixels: &[u8], x: u32, y: u32) -> [u8; 4] {
    let start = ((y * WIDTH + x) * 4) as usize;
    [pixels[start], pixels[start + 1], pixels[start + 2], pixels[start + 3]]
}

/// The middles of the four fields.
fn fields_of(pixels: &[u8]) -> [[u8; 3]; 4] {
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
        let [r, g, b, a] = at(pixels, WIDTH * x / 4, HEIGHT * y / 4);
        assert_eq!(a, 255);
        [r, g, b]
    })
}

#[test]
fn colours_are_those_of_the_other_way() {
    let Some(gpu) = Gpu::find() else { return };
    let mut pipeline = gpu.pipeline();
    let mut generation = 0;
    for range in [Range::Limited, Range::Full] {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let frame = fields(codecs::Size::VGA, Color { range, matrix });
            let expected = expected(&frame);
            generation += 1;
            let found = fields_of(&gpu.draw(&mut pipeline, &primitive(frame, generation, PLAIN)));
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(near(found, expected, 3), "{range:?} {matrix:?}: {found:?}, not {expected:?}");
            }
        }
    }
    assert_eq!(pipeline.streams(), 1, "one stream keeps its textures");
}

#[test]
fn a_plane_whose_lines_are_no_multiple_of_anything_arrives_whole() {
    let Some(gpu) = Gpu::find() else { return };
    let frame = fields(codecs::Size::new(358, 202).unwrap(), Color::default());
    let expected = expected(&frame);
    let found = fields_of(&gpu.draw(&mut gpu.pipeline(), &primitive(frame, 1, PLAIN)));
    for (found, expected) in found.into_iter().zip(expected) {
        assert!(near(found, expected, 3), "{found:?}, not {expected:?}");
    }
}

#[test]
fn it_can_be_mirrored_and_cut_round() {
    let Some(gpu) = Gpu::find() else { return };
    let frame = fields(codecs::Size::VGA, Color::default());
    let [left, right, ..] = expected(&frame);
    let look = Look { mirrored: true, radius: 40.0, ..PLAIN };
    let pixels = gpu.draw(&mut gpu.pipeline(), &primitive(frame, 1, look));
    let [found_left, found_right, ..] = fields_of(&pixels);
    assert!(near(found_left, right, 3) && near(found_right, left, 3));
    for (x, y) in [(1, 1), (WIDTH - 2, 1), (1, HEIGHT - 2), (WIDTH - 2, HEIGHT - 2)] {
        assert_eq!(at(&pixels, x, y), [0; 4], "corner {x},{y}");
    }
    assert_eq!(at(&pixels, WIDTH / 2, 1)[3], 255);
}

#[test]
fn planes_are_sent_once_for_each_generation() {
    let Some(gpu) = Gpu::find() else { return };
    let mut pipeline = gpu.pipeline();
    let bright = fields(codecs::Size::VGA, Color::default());
    let dark = Frame::new(codecs::Size::VGA, Color::default(), codecs::MediaTime::ZERO);
    let first = gpu.draw(&mut pipeline, &primitive(bright, 1, PLAIN));
    assert_eq!(gpu.draw(&mut pipeline, &primitive(dark.clone(), 1, PLAIN)), first, "nothing new by the count");
    let second = gpu.draw(&mut pipeline, &primitive(dark, 2, PLAIN));
    assert!(near(fields_of(&second)[3], [0, 0, 0], 2));
}

#[test]
fn a_stream_nobody_draws_gives_its_textures_back() {
    let Some(gpu) = Gpu::find() else { return };
    let mut pipeline = gpu.pipeline();
    gpu.draw(&mut pipeline, &primitive(fields(codecs::Size::VGA, Color::default()), 1, PLAIN));
    assert_eq!(pipeline.streams(), 1);
    for _ in 0..200 {
        pipeline.trim();
    }
    assert_eq!(pipeline.streams(), 0);
}
