// Draws three planes of YUV as RGB into the viewport, with rounded corners.

struct Uniforms {
    // Rows of the conversion: factors of Y, U, V and a constant.
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // The part of the picture to show: x, y, width, height, each from 0 to 1.
    crop: vec4<f32>,
    // Of the drawn picture, in pixels.
    size: vec2<f32>,
    radius: f32,
    mirrored: f32,
    linear: f32,
    // Three more floats of padding follow in the buffer.
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var linear_sampler: sampler;
@group(0) @binding(2) var luma: texture_2d<f32>;
@group(0) @binding(3) var chroma_u: texture_2d<f32>;
@group(0) @binding(4) var chroma_v: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    // Across the picture as drawn, from 0 to 1.
    @location(0) place: vec2<f32>,
}

// One triangle that covers the whole viewport.
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let place = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    var corner: Corner;
    corner.place = place;
    corner.position = vec4<f32>(place.x * 2.0 - 1.0, 1.0 - place.y * 2.0, 0.0, 1.0);
    return corner;
}

fn to_linear(value: vec3<f32>) -> vec3<f32> {
    let low = value / 12.92;
    let high = pow((value + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, value <= vec3<f32>(0.04045));
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4<f32> {
    var place = corner.place;
    if (uniforms.mirrored > 0.5) {
        place.x = 1.0 - place.x;
    }
    let at = uniforms.crop.xy + place * uniforms.crop.zw;
    let yuv1 = vec4<f32>(
        textureSampleLevel(luma, linear_sampler, at, 0.0).r,
        textureSampleLevel(chroma_u, linear_sampler, at, 0.0).r,
        textureSampleLevel(chroma_v, linear_sampler, at, 0.0).r,
        1.0,
    );
    var rgb = vec3<f32>(dot(uniforms.red, yuv1), dot(uniforms.green, yuv1), dot(uniforms.blue, yuv1));
    rgb = clamp(rgb, vec3<f32>(0.0), vec3<f32>(1.0));
    if (uniforms.linear > 0.5) {
        rgb = to_linear(rgb);
    }
    // Distance to a rounded rectangle: below zero inside.
    let half = uniforms.size * 0.5;
    let from_middle = abs(corner.place * uniforms.size - half) - half + uniforms.radius;
    let distance = length(max(from_middle, vec2<f32>(0.0))) + min(max(from_middle.x, from_middle.y), 0.0) - uniforms.radius;
    let cover = clamp(0.5 - distance, 0.0, 1.0);
    return vec4<f32>(rgb * cover, cover);
}
