//! What iced doesn't bring: pictures, avatars, the sliding line, hints and toasts.

pub mod avatar;
pub mod hint;
pub mod slide;
pub mod toast;
pub mod video;
