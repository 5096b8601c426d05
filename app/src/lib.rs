//! The desktop app and its command line.

pub mod cli;
pub mod demo;
pub mod engine;
pub mod figures;
pub mod robot;
pub mod ui;
