//! What fills the window: someone signs in, or has signed in.

pub mod desk;
pub mod sign_in;
