//! What fills the window: someone signs in, or has signed in; and what lies over both.

pub mod checkup;
pub mod desk;
pub mod sign_in;
