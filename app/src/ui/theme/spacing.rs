//! The one scale of distances, in logical pixels, and what is measured in it.

pub const HAIR: f32 = 1.0;
/// A frame that is to be seen.
pub const EDGE: f32 = 2.0;
pub const XS: f32 = 4.0;
pub const S: f32 = 8.0;
pub const M: f32 = 12.0;
pub const L: f32 = 16.0;
pub const XL: f32 = 24.0;
pub const XXL: f32 = 40.0;

/// Corner radii.
pub const RADIUS_S: f32 = 8.0;
pub const RADIUS_M: f32 = 12.0;
pub const RADIUS_L: f32 = 18.0;
/// Round at the ends, whatever the height.
pub const PILL: f32 = 100.0;

/// Beside and below a list that may have a scroll bar.
pub const RUNG: iced::Padding = iced::Padding { top: 0.0, right: L, bottom: S, left: 0.0 };

/// Widths of columns: the buddy list, the chat beside a call, a form, a dialog.
pub const SIDEBAR: f32 = 288.0;
pub const CHAT: f32 = 288.0;
pub const FORM: f32 = 380.0;
pub const DIALOG: f32 = 360.0;
pub const CHECKUP: f32 = 560.0;
/// The list of groups is no higher, however many there are.
pub const GROUPS: f32 = 160.0;
/// A picture in a bubble is no higher, and no wider than the bubble.
pub const PICTURE: f32 = 260.0;
/// What says how much of a voice message was heard.
pub const VOICE: f32 = 140.0;
/// No bubble is wider, however wide the window: in the narrowest, a time still stands beside it. The second is for the chat
/// beside a call.
pub const BUBBLE: f32 = 400.0;
pub const BUBBLE_ASIDE: f32 = 176.0;

/// The ticker's height.
pub const TAPE: f32 = 38.0;
/// A round button of the call's controls, and of what shows something beside them.
pub const CONTROL: f32 = 48.0;
pub const TOGGLE: f32 = 36.0;
/// Height of a meter.
pub const METER: f32 = 4.0;
/// A tile of the filmstrip and the own preview, which is a tile among several.
pub const TILE: (f32, f32) = (144.0, 108.0);
pub const PREVIEW: (f32, f32) = (184.0, 138.0);

/// Columns of a call's figures: what they are of, and a figure. The longest fit, so that nothing moves when they change.
pub const FIGURE_OF: f32 = 112.0;
pub const FIGURE: f32 = 82.0;

/// Diameters of avatars.
pub const AVATAR_XS: f32 = 24.0;
pub const AVATAR_S: f32 = 36.0;
pub const AVATAR_M: f32 = 44.0;
pub const AVATAR_L: f32 = 104.0;
