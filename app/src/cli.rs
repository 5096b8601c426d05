//! The command line of `tvphone`.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the comments here are the help text of the options")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use codecs::Size;
use media::{CameraSpec, MicrophoneSpec, ScreenSpec, SpeakerSpec, VoiceProcessing, camera::Turn};
use proto::{Fingerprint, Name};
use relay_client::{ProxyLogin, ProxySettings, ProxySource, Trust};

use crate::engine::Setup;

/// A TV-phone that works wherever a web page loads. Without a command it opens the window.
#[derive(Debug, Parser)]
#[command(name = "tvphone", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub window: Window,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make or take a call without a window, for automation, monitoring and tests
    Robot(Box<Robot>),
    /// Show what it is: a relay, two accounts and two windows on this machine
    Demo(Demo),
    /// List the cameras, microphones and speakers of this machine, and what can be shared of its screen
    Devices,
    /// Look what is the matter with the way to a relay, rung by rung: name, connection, proxy, encryption, and what the way carries
    Doctor(Doctor),
}

/// Camera, microphone and speaker.
#[derive(Debug, Clone, Args)]
pub struct Devices {
    /// device[:ID], pattern[:WxH@FPS], file:PATH (Y4M or MP4 with H.264, looped) or none
    #[arg(long, value_name = "SPEC", default_value = "device")]
    pub camera: CameraSpec,
    /// Turn the camera's pictures so far clockwise: 0, 90, 180 or 270 degrees [default: 0, or as chosen in the window]
    #[arg(long, value_name = "DEGREES")]
    pub turn: Option<Turn>,
    /// device[:ID], chirp, file:PATH.wav or none
    #[arg(long, value_name = "SPEC", default_value = "device")]
    pub microphone: MicrophoneSpec,
    /// device[:ID] or silent
    #[arg(long, value_name = "SPEC")]
    pub speaker: Option<SpeakerSpec>,
    /// Take what the speaker plays out of what the microphone hears [default: on, or as chosen in the window]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub echo_cancellation: Option<bool>,
    /// Lower steady noise [default: on, or as chosen in the window]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub noise_suppression: Option<bool>,
    /// Bring the voice to a common level [default: on, or as chosen in the window]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub automatic_gain: Option<bool>,
}

impl Devices {
    /// What was said about the voice, and what it was before where nothing was said.
    pub fn voice(&self, before: VoiceProcessing) -> VoiceProcessing {
        VoiceProcessing {
            echo_cancellation: self.echo_cancellation.unwrap_or(before.echo_cancellation),
            noise_suppression: self.noise_suppression.unwrap_or(before.noise_suppression),
            automatic_gain: self.automatic_gain.unwrap_or(before.automatic_gain),
        }
    }

    fn setup(&self, speaker: SpeakerSpec) -> Setup {
        let voice = self.voice(VoiceProcessing::ALL);
        let mut setup = Setup::new(self.camera.clone(), self.microphone.clone(), self.speaker.clone().unwrap_or(speaker));
        setup.voice = voice;
        setup.turn = self.turn.unwrap_or_default();
        if let CameraSpec::Pattern { size, frames_per_second } = self.camera {
            setup.video.size = size;
            setup.video.frames_per_second = frames_per_second;
        }
        setup
    }
}

/// The way out of this network.
#[derive(Debug, Default, Clone, Args)]
pub struct Proxy {
    /// URL (http://proxy:3128), pac:URL, none, or system: what the environment and the desktop say
    #[arg(long, value_name = "URL", env = "TVPHONE_PROXY", hide_env_values = true)]
    pub proxy: Option<ProxySource>,
    /// Name at the proxy
    #[arg(long, value_name = "NAME", requires = "proxy_password_file")]
    pub proxy_user: Option<String>,
    /// File whose first line is the password at the proxy
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    pub proxy_password_file: Option<PathBuf>,
}

impl Proxy {
    /// Nothing where nothing was said.
    pub fn settings(&self) -> anyhow::Result<Option<ProxySettings>> {
        let login = match (&self.proxy_user, &self.proxy_password_file) {
            (Some(user), Some(file)) => Some(ProxyLogin::new(user, &read_password(file)?)),
            _ => None,
        };
        if self.proxy.is_none() && login.is_none() {
            return Ok(None);
        }
        Ok(Some(ProxySettings { source: self.proxy.clone().unwrap_or_default(), login }))
    }
}

/// Which certificates of the relay are good besides those the system trusts.
#[derive(Debug, Clone, Default, Args)]
pub struct Certificates {
    /// The relay's certificate has this fingerprint (SHA-256), and no other one is good
    #[arg(long, value_name = "FINGERPRINT", requires = "relay")]
    pub trust: Option<Fingerprint>,
    /// File with certificates (PEM) of authorities that are good besides those of the system
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl Certificates {
    /// The authorities, with nothing pinned.
    pub fn authorities(&self) -> anyhow::Result<Trust> {
        let system = Trust::system();
        Ok(match &self.ca {
            Some(file) => system.with_ca_file(file)?,
            None => system,
        })
    }

    /// All of it, for one relay.
    pub fn trust(&self) -> anyhow::Result<Trust> {
        let authorities = self.authorities()?;
        Ok(match self.trust {
            Some(fingerprint) => authorities.pin(fingerprint),
            None => authorities,
        })
    }
}

#[derive(Debug, Args)]
pub struct Window {
    /// Address of the relay, such as https://relay.example.org
    #[arg(long, value_name = "URL", env = "TVPHONE_RELAY")]
    pub relay: Option<String>,
    /// Sign in as this person
    #[arg(long, value_name = "NAME")]
    pub user: Option<Name>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub proxy: Proxy,
    #[command(flatten)]
    pub certificates: Certificates,
    #[command(flatten)]
    pub devices: Devices,
    /// Ring this buddy as soon as they are there
    #[arg(long, value_name = "NAME")]
    pub call: Option<Name>,
    /// Accept the first call that comes
    #[arg(long)]
    pub answer: bool,
    /// Where to open the window, in pixels from the upper left corner
    #[arg(long, value_name = "X,Y", value_parser = pair)]
    pub window: Option<(i32, i32)>,
    /// Keep a report of the call in this file (JSON, renewed every second)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Open at a sample screen without a relay, to look at it
    #[arg(long, value_name = "NAME", hide = true)]
    pub preset: Option<String>,
}

impl Window {
    pub fn password(&self) -> anyhow::Result<Option<String>> {
        self.password_file.as_deref().map(read_password).transpose()
    }

    pub fn setup(&self) -> Setup {
        Setup { report: self.report.clone(), stand_ins: true, ..self.devices.setup(SpeakerSpec::Device(None)) }
    }
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("role").required(true).args(["call", "answer"])))]
pub struct Robot {
    /// Address of the relay
    #[arg(long, value_name = "URL", env = "TVPHONE_RELAY")]
    pub relay: String,
    /// Sign in as this person
    #[arg(long, value_name = "NAME")]
    pub user: Name,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE")]
    pub password_file: PathBuf,
    #[command(flatten)]
    pub certificates: Certificates,
    /// Ring this buddy, waiting for them to be there
    #[arg(long, value_name = "NAME")]
    pub call: Option<Name>,
    /// Wait to be rung, and accept
    #[arg(long)]
    pub answer: bool,
    #[command(flatten)]
    pub proxy: Proxy,
    #[command(flatten)]
    pub devices: Devices,
    /// Share a screen as well: x11[:ID] (a monitor's name or a window's number, see tvphone devices), pattern[:WxH@FPS] or none
    #[arg(long, value_name = "SPEC", default_value = "none")]
    pub screen: ScreenSpec,
    /// Use the system's default device while one that is named isn't there, as a window does
    #[arg(long)]
    pub stand_ins: bool,
    /// Write what is received, decoded, into this folder as Y4M and WAV
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Most that pictures may cost, in kbit/s; less where the path takes less
    #[arg(long, value_name = "KBIT", value_parser = clap::value_parser!(u32).range(20..=50_000))]
    pub bitrate: Option<u32>,
    /// Largest pictures to send [default: what the camera pattern says, or 640x480]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Hang up after so many seconds of call [default: when the other hangs up]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// How many seconds to wait for the call to come about
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub patience: Duration,
    /// Write this to the other person once the call is on (may be given several times)
    #[arg(long, value_name = "TEXT")]
    pub say: Vec<String>,
    /// Write the report here [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write a line of JSON here for each test picture decoded, each packet of sound received and each device used, and the report's figures each second
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

impl Robot {
    pub fn password(&self) -> anyhow::Result<String> {
        read_password(&self.password_file)
    }

    pub fn setup(&self) -> Setup {
        let mut setup =
            Setup { record: self.record.clone(), trace: self.trace.clone(), ..self.devices.setup(SpeakerSpec::Silent) };
        setup.stand_ins = self.stand_ins;
        setup.screen = self.screen.clone();
        setup.video.size = self.size.unwrap_or(setup.video.size);
        setup.video.bits_per_second = self.bitrate.map_or(setup.video.bits_per_second, |kbit| kbit * 1000);
        setup
    }
}

/// Ends with 0 where all is well, with 1 where a rung is weak or fails, with 2 where the command line makes no sense.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Address of the relay, such as https://relay.example.org
    #[arg(value_name = "URL", env = "TVPHONE_RELAY")]
    pub relay: String,
    /// Take some ten seconds in place of half a minute and more: what is cut after more than 5 s isn't seen
    #[arg(long)]
    pub quick: bool,
    /// Write the report as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub proxy: Proxy,
    #[command(flatten)]
    pub certificates: Certificates,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where the demo keeps its relay's store [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to save the picture and the reports when there is no display
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    pub out: PathBuf,
    /// How many seconds of call to measure when there is no display
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub duration: Duration,
}

/// The first line of the file.
fn read_password(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read the password file {}", file.display()))?;
    match text.lines().next().map(str::trim_end) {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => bail!("the password file {} is empty: its first line should be the password", file.display()),
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, such as 10 or 2.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "a number of seconds from 0 on".to_owned())
}

fn pair(text: &str) -> Result<(i32, i32), String> {
    let (x, y) = text.split_once(',').ok_or("two numbers with a comma between, such as 40,40")?;
    let number = |part: &str| part.trim().parse::<i32>().map_err(|_| format!("{part} is not a whole number"));
    Ok((number(x)?, number(y)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_robot_must_either_call_or_answer() {
        let robot_line = "tvphone robot --relay http://127.0.0.1:1 --user Ana --password-file p";
        let robot = robot_line;
        assert!(parse(robot).is_err());
        assert!(parse(&format!("{robot} --call Ben --answer")).is_err());
        let cli = parse(&format!("{robot} --call Ben --camera pattern:320x240@15 --microphone chirp --duration 2.5")).unwrap();
        let Some(Command::Robot(robot)) = cli.command else { panic!("not a robot") };
        assert_eq!(robot.duration, Some(Duration::from_millis(2500)));
        assert_eq!(robot.setup().video.size.to_string(), "320x240");
        assert_eq!(robot.setup().speaker, SpeakerSpec::Silent);
        let cli = parse(&format!("{robot_line} --call Ben --bitrate 3000 --size 480x360")).unwrap();
        let Some(Command::Robot(robot)) = cli.command else { panic!("not a robot") };
        let video = robot.setup().video;
        assert_eq!((video.bits_per_second, video.size.to_string().as_str()), (3_000_000, "480x360"));
    }

    #[test]
    fn what_is_done_to_a_voice_is_said_or_stays() {
        let said = parse("tvphone --noise-suppression off --automatic-gain on").unwrap().window.devices;
        let voice = said.voice(VoiceProcessing { echo_cancellation: false, ..VoiceProcessing::NONE });
        assert_eq!(voice, VoiceProcessing { automatic_gain: true, ..VoiceProcessing::NONE });
        assert!(!said.setup(SpeakerSpec::Silent).voice.noise_suppression);
        assert!(parse("tvphone --noise-suppression maybe").is_err());
    }

    #[test]
    fn a_doctor_needs_an_address_and_takes_what_says_how_to_get_there() {
        assert_eq!(parse("tvphone doctor").unwrap_err().exit_code(), 2);
        let line = "tvphone doctor relay.example.org --quick --json --proxy proxy:3128 --trust";
        let cli = parse(&format!("{line} {}", Fingerprint::new([0xab; 32]))).unwrap();
        let Some(Command::Doctor(doctor)) = cli.command else { panic!("not a doctor") };
        assert_eq!((doctor.relay.as_str(), doctor.quick, doctor.json), ("relay.example.org", true, true));
        assert!(doctor.proxy.settings().unwrap().is_some() && doctor.certificates.trust().unwrap().pinned().is_some());
    }

    #[test]
    fn a_window_needs_nothing() {
        let cli = parse("tvphone").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.window.setup().camera, CameraSpec::Device(None));
        assert!(parse("tvphone --window 10;20").is_err());
        assert_eq!(parse("tvphone --window 10,-20").unwrap().window.window, Some((10, -20)));
    }

    #[test]
    fn a_proxy_is_said_in_one_word_and_its_password_comes_from_a_file() {
        let proxy = |line: &str| parse(line).unwrap().window.proxy;
        assert_eq!(proxy("tvphone").settings().unwrap(), None);
        assert_eq!(proxy("tvphone --proxy none").settings().unwrap(), Some(ProxySettings::direct()));
        let settings = proxy("tvphone --proxy pac:http://wpad/wpad.dat").settings().unwrap().unwrap();
        assert_eq!(settings.source.to_string(), "pac:http://wpad/wpad.dat");
        assert!(parse("tvphone --proxy socks5://proxy:1080").unwrap_err().to_string().contains("neither SOCKS"));
        assert!(parse("tvphone --proxy system --proxy-user ana").is_err());
        let file = std::env::temp_dir().join(format!("tvphone-proxy-password-{}", std::process::id()));
        std::fs::write(&file, "secret\n").unwrap();
        let line = format!("tvphone --proxy proxy:3128 --proxy-user ana --proxy-password-file {}", file.display());
        assert_eq!(proxy(&line).settings().unwrap().unwrap().login, Some(ProxyLogin::new("ana", "secret")));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn help_shows_no_password_that_stands_in_the_environment() {
        let command = Proxy::augment_args(clap::Command::new("tvphone"));
        let shown: Vec<_> = command.get_arguments().filter(|arg| arg.get_env().is_some()).collect();
        assert!(!shown.is_empty() && shown.into_iter().all(clap::Arg::is_hide_env_values_set));
    }

    #[test]
    fn a_fingerprint_is_of_some_relay_and_is_pinned() {
        let fingerprint = Fingerprint::new([0xab; 32]);
        assert!(parse(&format!("tvphone --trust {fingerprint}")).is_err());
        assert!(parse("tvphone --relay https://relay.example.org --trust AB:CD").is_err());
        let cli = parse(&format!("tvphone --relay https://relay.example.org --trust {fingerprint}")).unwrap();
        let certificates = cli.window.certificates;
        assert_eq!(certificates.trust().unwrap().pinned(), Some(fingerprint));
        assert_eq!(certificates.authorities().unwrap().pinned(), None);
        let certificates = Certificates { ca: Some("no-such-file.pem".into()), ..Certificates::default() };
        assert!(certificates.trust().unwrap_err().to_string().contains("no-such-file.pem"));
    }

    #[test]
    fn a_password_file_gives_its_first_line() {
        let file = std::env::temp_dir().join(format!("tvphone-password-{}", std::process::id()));
        std::fs::write(&file, "secret word \nother\n").unwrap();
        assert_eq!(read_password(&file).unwrap(), "secret word");
        std::fs::write(&file, "\n").unwrap();
        assert!(read_password(&file).unwrap_err().to_string().contains("is empty"));
        std::fs::remove_file(&file).unwrap();
        assert!(read_password(&file).unwrap_err().to_string().contains("can't read"));
    }
}
