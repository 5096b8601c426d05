//! A display of the test's own, and what is to be seen on it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use image::GrayImage;

use crate::process::Process;

/// An X server without a screen, for one test.
pub struct Display {
    _server: Process,
    name: String,
}

impl Display {
    /// Starts Xvfb on a display number nobody uses.
    pub fn start(width: u32, height: u32) -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", &format!("{width}x{height}x24"), "-nolisten", "tcp"]);
        let (server, number) = Process::start_and_read_line(command.stderr(Stdio::null()), Duration::from_secs(10));
        Self { _server: server, name: format!(":{number}") }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is on the display now, in shades of gray.
    pub fn picture(&self) -> GrayImage {
        let output = Command::new("import").args(["-window", "root", "png:-"]).env("DISPLAY", &self.name).output();
        let output = output.expect("import runs (Debian package imagemagick)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        image::load_from_memory(&output.stdout).expect("import writes PNG").into_luma8()
    }

    /// Saves what is on the display, for a person to look at.
    pub fn save(&self, file: &std::path::Path) {
        let status = Command::new("import").args(["-window", "root"]).arg(file).env("DISPLAY", &self.name).status();
        assert!(status.expect("import runs").success());
    }

    /// Clicks with the left button.
    pub fn click(&self, x: u32, y: u32) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    /// Types text as a keyboard would.
    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "20", text]);
    }

    /// Presses a key, such as "Return".
    pub fn press(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    pub fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool").args(arguments).env("DISPLAY", &self.name).output();
        let output = output.expect("xdotool runs (Debian package xdotool)");
        assert!(output.status.success(), "xdotool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
