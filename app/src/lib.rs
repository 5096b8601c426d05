//! The desktop app and its command line.

pub mod cli;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod figures;
mod random;
pub mod robot;
pub mod sending;
mod signal;
pub mod trace;
pub mod ui;
