//! The colours, light and dark.

use iced::{Color, Theme};

/// What each colour is for.
#[derive(Debug)]
pub struct Palette {
    /// Behind everything.
    pub background: Color,
    /// Cards and panels.
    pub surface: Color,
    /// Inputs, hovered rows, the other's bubbles.
    pub sunken: Color,
    /// A pressed or chosen row.
    pub chosen: Color,
    /// Hairlines.
    pub line: Color,
    pub text: Color,
    /// Text of second rank.
    pub muted: Color,
    /// Placeholders, text that is not needed to understand the rest.
    pub faint: Color,
    pub primary: Color,
    pub primary_hover: Color,
    pub primary_soft: Color,
    pub on_primary: Color,
    /// Available, accept, all is well.
    pub good: Color,
    pub good_hover: Color,
    pub warning: Color,
    pub warning_soft: Color,
    /// Hang up, decline, failed.
    pub danger: Color,
    pub danger_hover: Color,
    pub danger_soft: Color,
    /// Around pictures; dark in both schemes so that the picture shines.
    pub stage: Color,
    pub stage_raised: Color,
    pub on_stage: Color,
    pub on_stage_muted: Color,
    /// Dims what lies under a dialog.
    pub veil: Color,
}

/// The palette that goes with the theme in use.
pub fn of(theme: &Theme) -> &'static Palette {
    if theme.extended_palette().is_dark { &DARK } else { &LIGHT }
}

/// The colour of a person's avatar: the same for one name everywhere, readable under white letters.
pub fn avatar(key: &str) -> Color {
    // FNV-1a: a name must keep its colour from version to version, which the standard hasher does not promise.
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    AVATARS[hash as usize % AVATARS.len()]
}

const AVATARS: [Color; 8] = [
    rgb(0x5b_5f_c7),
    rgb(0x0f_82_8c),
    rgb(0xb8_4a_7d),
    rgb(0xb2_5e_1c),
    rgb(0x3d_7f_4c),
    rgb(0x8a_4f_bf),
    rgb(0x2e_74_b8),
    rgb(0xa8_45_4a),
];

static LIGHT: Palette = Palette {
    background: rgb(0xf6_f5_f1),
    surface: rgb(0xff_ff_ff),
    sunken: rgb(0xf0_ee_e9),
    chosen: rgb(0xe6_e7_fa),
    line: rgb(0xe4_e1_da),
    text: rgb(0x1f_1d_26),
    muted: rgb(0x67_64_70),
    faint: rgb(0x8d_8a_95),
    primary: rgb(0x4a_55_d2),
    primary_hover: rgb(0x3c_46_ba),
    primary_soft: rgb(0xe6_e7_fa),
    on_primary: rgb(0xff_ff_ff),
    good: rgb(0x18_8a_54),
    good_hover: rgb(0x12_73_45),
    warning: rgb(0x9a_66_0c),
    warning_soft: rgb(0xfb_f0_d8),
    danger: rgb(0xcf_36_40),
    danger_hover: rgb(0xb5_29_33),
    danger_soft: rgb(0xfb_e5_e5),
    stage: rgb(0x14_14_1a),
    stage_raised: rgb(0x2b_2b_36),
    on_stage: rgb(0xf3_f2_f7),
    on_stage_muted: rgb(0xa9_a7_b5),
    veil: translucent(0x14_14_1a, 0.55),
};

static DARK: Palette = Palette {
    background: rgb(0x13_13_18),
    surface: rgb(0x1c_1c_23),
    sunken: rgb(0x27_27_31),
    chosen: rgb(0x2b_2f_52),
    line: rgb(0x2f_2f_3a),
    text: rgb(0xec_eb_f1),
    muted: rgb(0xa3_a1_af),
    faint: rgb(0x7d_7b_89),
    primary: rgb(0x65_70_e8),
    primary_hover: rgb(0x78_82_f2),
    primary_soft: rgb(0x2b_2f_52),
    on_primary: rgb(0xff_ff_ff),
    good: rgb(0x23_9d_63),
    good_hover: rgb(0x2b_b2_72),
    warning: rgb(0xe3_ae_52),
    warning_soft: rgb(0x39_2f_1b),
    danger: rgb(0xda_45_4f),
    danger_hover: rgb(0xe8_59_62),
    danger_soft: rgb(0x41_22_27),
    stage: rgb(0x0b_0b_0f),
    stage_raised: rgb(0x2a_2a_35),
    on_stage: rgb(0xf3_f2_f7),
    on_stage_muted: rgb(0xa3_a1_af),
    veil: translucent(0x05_05_08, 0.62),
};

const fn rgb(hex: u32) -> Color {
    translucent(hex, 1.0)
}

const fn translucent(hex: u32, alpha: f32) -> Color {
    Color { r: (hex >> 16 & 0xff) as f32 / 255.0, g: (hex >> 8 & 0xff) as f32 / 255.0, b: (hex & 0xff) as f32 / 255.0, a: alpha }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.1 contrast of two opaque colours.
    fn contrast(one: Color, other: Color) -> f32 {
        let (one, other) = (one.relative_luminance(), other.relative_luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_what_it_stands_on() {
        for palette in [&LIGHT, &DARK] {
            for ground in [palette.background, palette.surface, palette.sunken, palette.chosen] {
                assert!(contrast(palette.text, ground) > 7.0);
                assert!(contrast(palette.muted, ground) > 4.5);
            }
            for (text, ground) in [
                (palette.on_primary, palette.primary),
                (palette.danger, palette.danger_soft),
                (palette.warning, palette.warning_soft),
                (palette.on_stage, palette.stage_raised),
                (palette.on_stage_muted, palette.stage),
            ] {
                assert!(contrast(text, ground) > 3.0, "{text:?} on {ground:?}");
            }
        }
        for colour in AVATARS {
            assert!(contrast(Color::WHITE, colour) > 4.0, "{colour:?}");
        }
    }

    #[test]
    fn one_name_has_one_colour() {
        assert_eq!(avatar("ana"), avatar("ana"));
        assert_ne!(avatar("ana"), avatar("ben"));
    }
}
