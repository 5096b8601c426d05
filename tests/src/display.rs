//! A display of the test's own, and what is to be seen on it.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    process::{Command, Stdio},
    time::Duration,
};

use image::RgbImage;
use tempfile::TempDir;

use crate::process::Process;

/// An X server without a screen, for one test.
pub struct Display {
    _server: Process,
    name: String,
    /// Where Xvfb maps what is on the display.
    memory: TempDir,
}

impl Display {
    /// Starts Xvfb on a display number nobody uses.
    pub fn start(width: u32, height: u32) -> Self {
        let memory = TempDir::new().expect("a folder of its own");
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", &format!("{width}x{height}x24"), "-nolisten", "tcp", "-br"]);
        command.arg("-fbdir").arg(memory.path());
        let (server, number) = Process::start_and_read_line(command.stderr(Stdio::null()), Duration::from_secs(10));
        Self { _server: server, name: format!(":{number}"), memory }
    }

    /// Whether anything but black is on the display. Costs next to nothing, so it can be asked every millisecond.
    pub fn is_painted(&self) -> bool {
        // The file is a picture in the format of xwd: big-endian words, the first of which is the length of the header, and
        // the 20th how many colours of 12 bytes follow it.
        let file = File::open(self.memory.path().join("Xvfb_screen0")).expect("Xvfb maps its display");
        let word = |index: u64| {
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, index * 4).expect("the header is there");
            u64::from(u32::from_be_bytes(bytes))
        };
        let (start, width, height) = (word(0) + word(19) * 12, word(4), word(5));
        let mut row = vec![0; usize::try_from(width * 4).expect("a row fits")];
        (0..height).step_by(16).any(|line| {
            let read = file.read_at(&mut row, start + line * width * 4).unwrap_or(0);
            row[..read].iter().any(|byte| *byte != 0)
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is on the display now.
    pub fn picture(&self) -> RgbImage {
        let output = Command::new("import").args(["-window", "root", "png:-"]).env("DISPLAY", &self.name).output();
        let output = output.expect("import runs (Debian package imagemagick)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        image::load_from_memory(&output.stdout).expect("import writes PNG").into_rgb8()
    }

    /// Saves what is on the display, for a person to look at.
    pub fn save(&self, file: &std::path::Path) {
        let status = Command::new("import").args(["-window", "root"]).arg(file).env("DISPLAY", &self.name).status();
        assert!(status.expect("import runs").success());
    }

    /// Clicks with the left button. The keyboard then goes to the window that was clicked, as a window manager would have it.
    pub fn click(&self, x: u32, y: u32) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
        let place = self.xdotool(&["getmouselocation", "--shell"]);
        if let Some(window) = place.lines().find_map(|line| line.strip_prefix("WINDOW=")) {
            self.xdotool(&["windowfocus", window]);
        }
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
