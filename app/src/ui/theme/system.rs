//! Whether the system is set to dark.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Whoever doesn't answer by then has no opinion: the window must not wait for long.
const PATIENCE: Duration = Duration::from_millis(150);

/// Asks the desktop's settings portal, through the tool that comes with systemd. iced would do it with a D-Bus library of its own,
/// whose hundred thousand lines take a tenth of the whole build.
pub fn is_dark() -> bool {
    let mut asked = Command::new("busctl");
    asked.args(["--user", "--timeout=1", "call"]);
    asked.args(["org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings"]);
    asked.args(["Read", "ss", "org.freedesktop.appearance", "color-scheme"]);
    asked.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let Ok(mut child) = asked.spawn() else { return false };
    let limit = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().is_ok_and(|output| prefers_dark(&String::from_utf8_lossy(&output.stdout)))
}

/// The answer is a number in two variants: 1 is dark, 2 light, 0 no preference.
fn prefers_dark(answer: &str) -> bool {
    answer.trim() == "v v u 1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wish_for_dark_is_one() {
        assert!(prefers_dark("v v u 1\n"));
        for answer in ["v v u 0\n", "v v u 2\n", "", "Call failed"] {
            assert!(!prefers_dark(answer));
        }
    }
}
