//! The desktop app and its command line.

pub mod cli;
pub mod demo;
pub mod engine;
pub mod figures;
pub mod robot;
mod signal;
pub mod ui;
