//! The app's screens: clicked and typed at without a window, run by script, compared with pictures, and the two ways a
//! moving picture gets onto the screen.

mod browser;
mod chat;
mod equipment;
mod people;
mod picture;
mod screens;
mod scripts;
mod shader;
mod snapshots;
mod stand;
