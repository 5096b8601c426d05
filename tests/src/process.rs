//! Child processes that end with the test that started them.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A child that is killed when dropped.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts it; what it writes to standard error is shown with the test's output.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("can't start {name}: {error}"));
        Self { child, name }
    }

    /// Starts it and waits for its first line of output.
    pub fn start_and_read_line(command: &mut Command, limit: Duration) -> (Self, String) {
        let mut process = Self::start(command.stdout(Stdio::piped()));
        let stdout = process.child.stdout.take().expect("the output is piped");
        let line = first_line(stdout, limit).unwrap_or_else(|| panic!("{} said nothing within {limit:?}", process.name));
        (process, line)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Asks it to end in its own good order.
    pub fn ask_to_end(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "{} can't be asked to end", self.name);
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        crate::eventually(&format!("{name} ends"), limit, || self.child.try_wait().expect("a child can be waited for"))
    }

    /// Processor time used so far, of all its threads.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("a running process has a stat file");
        // The second field is the name in brackets; user and system time are the 14th and 15th, in hundredths of a second.
        let after_name = stat.rsplit_once(") ").expect("a stat line has a name").1;
        let field = |index: usize| after_name.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok()).expect("a number");
        Duration::from_millis((field(11) + field(12)) * 10)
    }

    /// Most memory it has had resident, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process has a status file");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak is told");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("in kilobytes") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_line(output: impl Read + Send + 'static, limit: Duration) -> Option<String> {
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        // Reads on to the end, or the child would stand still once the pipe is full.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = said.send(line);
        }
    });
    heard.recv_timeout(limit).ok()
}
