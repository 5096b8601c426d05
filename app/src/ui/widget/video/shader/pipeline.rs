//! Textures that live as long as their stream, and the pipeline that draws them.

use std::collections::HashMap;

use iced::{
    wgpu::{self, util::DeviceExt as _},
    widget::shader,
};

use super::{Primitive, UNIFORMS};

/// Redraws after which the textures of a stream nobody draws any more are given back.
const IDLE: u32 = 120;

#[derive(Debug)]
pub struct Pipeline {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    srgb: bool,
    streams: HashMap<u64, Stream>,
}

#[derive(Debug)]
struct Stream {
    planes: [wgpu::Texture; 3],
    uniforms: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    size: codecs::Size,
    /// What the planes hold; `None` before the first upload.
    generation: Option<u64>,
    idle: u32,
}

impl shader::Pipeline for Pipeline {
    fn new(device: &wgpu::Device, _queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("video.wgsl"));
        let layout = bind_group_layout(device);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("video"),
            bind_group_layouts: &[&layout],
            push_constant_ranges: &[],
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("video"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vertex"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fragment"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview: None,
            cache: None,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("video"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        Self { pipeline, layout, sampler, srgb: format.is_srgb(), streams: HashMap::new() }
    }

    fn trim(&mut self) {
        self.streams.retain(|_, stream| {
            stream.idle += 1;
            stream.idle < IDLE
        });
    }
}

impl Pipeline {
    /// Whether the target encodes to sRGB what it is given.
    pub fn is_srgb(&self) -> bool {
        self.srgb
    }

    /// How many streams have textures now.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, picture: &Primitive, uniforms: &[u8; UNIFORMS]) {
        let frame = &picture.frame;
        if self.streams.get(&picture.id).is_none_or(|stream| stream.size != frame.size()) {
            let stream = self.stream(device, frame.size());
            self.streams.insert(picture.id, stream);
        }
        let Some(stream) = self.streams.get_mut(&picture.id) else { return };
        stream.idle = 0;
        queue.write_buffer(&stream.uniforms, 0, uniforms);
        if stream.generation.replace(picture.generation) != Some(picture.generation) {
            let (y, u, v) = frame.strides();
            for ((texture, plane), stride) in stream.planes.iter().zip([frame.y(), frame.u(), frame.v()]).zip([y, u, v]) {
                write(queue, texture, plane, stride);
            }
        }
    }

    pub(super) fn draw(&self, id: u64, pass: &mut wgpu::RenderPass<'_>) -> bool {
        if let Some(stream) = self.streams.get(&id) {
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &stream.bindings, &[]);
            pass.draw(0..3, 0..1);
        }
        true
    }

    fn stream(&self, device: &wgpu::Device, size: codecs::Size) -> Stream {
        let plane = |width: u32, height: u32| {
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some("video plane"),
                size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            })
        };
        let half = (size.width / 2, size.height / 2);
        let planes = [plane(size.width, size.height), plane(half.0, half.1), plane(half.0, half.1)];
        let uniforms = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("video uniforms"),
            contents: &[0; UNIFORMS],
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        });
        let views = planes.each_ref().map(|plane| plane.create_view(&wgpu::TextureViewDescriptor::default()));
        let texture = |binding: u32| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(&views[binding as usize - 2]),
        };
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("video"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(&self.sampler) },
                texture(2),
                texture(3),
                texture(4),
            ],
        });
        Stream { planes, uniforms, bindings, size, generation: None, idle: 0 }
    }
}

fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
    let texture = wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    let uniforms =
        wgpu::BindingType::Buffer { ty: wgpu::BufferBindingType::Uniform, has_dynamic_offset: false, min_binding_size: None };
    let sampler = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("video"),
        entries: &[entry(0, uniforms), entry(1, sampler), entry(2, texture), entry(3, texture), entry(4, texture)],
    })
}

fn write(queue: &wgpu::Queue, texture: &wgpu::Texture, plane: &[u8], stride: usize) {
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: u32::try_from(stride).ok(), rows_per_image: None };
    queue.write_texture(texture.as_image_copy(), plane, layout, texture.size());
}
