//! On which devices this program's streams really are: PulseAudio moves them without a word to cpal, when a device goes and when another one becomes the
//! default, even those that were opened on a certain device.

use crate::Part;

/// The ids of the devices that this program's streams are on; empty where the sound system doesn't tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    microphones: Vec<String>,
    speakers: Vec<String>,
}

impl Streams {
    pub(crate) fn of(&self, part: Part) -> Vec<String> {
        if part == Part::Microphone { self.microphones.clone() } else { self.speakers.clone() }
    }
}

/// Asks the sound system, again and again.
#[derive(Default)]
pub(crate) struct Whereabouts {
    #[cfg(target_os = "linux")]
    server: Option<pulse::Server>,
}

impl Whereabouts {
    /// Whether one of this program's streams is on this device now.
    pub(crate) fn is_on(part: Part, id: &str) -> bool {
        let system = id.split(':').next().unwrap_or_default();
        Self::default().ask(system).of(part).iter().any(|on| on == id)
    }

    /// Where the streams are now. `system` is what ids begin with.
    #[cfg(target_os = "linux")]
    pub(crate) fn ask(&mut self, system: &str) -> Streams {
        if system != pulse::SYSTEM {
            self.server = None;
            return Streams::default();
        }
        let mut asked = || {
            let mut server = match self.server.take() {
                Some(server) => server,
                None => pulse::Server::connect()?,
            };
            let streams = server.streams()?;
            self.server = Some(server);
            Ok(streams)
        };
        asked().unwrap_or_else(|error: pulse::Error| {
            tracing::debug!(%error, "PulseAudio doesn't say where streams are");
            Streams::default()
        })
    }

    /// Where the streams are now: no system but Linux's moves them.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn ask(&mut self, _system: &str) -> Streams {
        Streams::default()
    }
}

/// A connection of our own, since neither cpal nor what it asks PulseAudio through has these questions.
#[cfg(target_os = "linux")]
mod pulse {
    use std::{
        ffi::CString,
        io::{self, BufReader},
        os::unix::net::UnixStream,
        time::Duration,
    };

    use pulseaudio::protocol::{
        AuthParams, AuthReply, ClientInfoList, Command, CommandReply, MAX_VERSION, Prop, Props, ProtocolError,
        SetClientNameReply, SinkInfoList, SinkInputInfoList, SourceInfoList, SourceOutputInfoList, read_reply_message,
        write_command_message,
    };

    use super::Streams;

    pub(super) type Error = ProtocolError;

    /// What cpal's ids begin with.
    pub(super) const SYSTEM: &str = "pulseaudio";
    /// A server that takes longer for an answer hangs.
    const ANSWER: Duration = Duration::from_secs(2);

    pub(super) struct Server {
        socket: BufReader<UnixStream>,
        version: u16,
        asked: u32,
    }

    impl Server {
        pub(super) fn connect() -> Result<Self, Error> {
            let path = pulseaudio::socket_path_from_env().ok_or(io::Error::from(io::ErrorKind::NotFound))?;
            let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            let socket = UnixStream::connect(path)?;
            socket.set_read_timeout(Some(ANSWER))?;
            socket.set_write_timeout(Some(ANSWER))?;
            let mut server = Self { socket: BufReader::new(socket), version: MAX_VERSION, asked: 0 };
            let auth = AuthParams { version: MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
            let reply: AuthReply = server.ask(&Command::Auth(auth))?;
            server.version = reply.version.min(MAX_VERSION);
            let mut props = Props::new();
            props.set(Prop::ApplicationName, c"tvphone lookout");
            let _: SetClientNameReply = server.ask(&Command::SetClientName(props))?;
            Ok(server)
        }

        pub(super) fn streams(&mut self) -> Result<Streams, Error> {
            let clients: ClientInfoList = self.ask(&Command::GetClientInfoList)?;
            let name = cpals_name();
            let ours: Vec<_> = clients.iter().filter(|client| client.name == name).map(|client| Some(client.index)).collect();
            let inputs: SinkInputInfoList = self.ask(&Command::GetSinkInputInfoList)?;
            let sinks: SinkInfoList = self.ask(&Command::GetSinkInfoList)?;
            let outputs: SourceOutputInfoList = self.ask(&Command::GetSourceOutputInfoList)?;
            let sources: SourceInfoList = self.ask(&Command::GetSourceInfoList)?;
            let sink = |index: u32| sinks.iter().find(|sink| sink.index == index).map(|sink| id(&sink.name));
            let source = |index: u32| sources.iter().find(|source| source.index == index).map(|source| id(&source.name));
            let inputs = inputs.iter().filter(|input| ours.contains(&input.client_index));
            let outputs = outputs.iter().filter(|output| ours.contains(&output.client_index));
            Ok(Streams {
                speakers: inputs.filter_map(|input| sink(input.sink_index)).collect(),
                microphones: outputs.filter_map(|output| source(output.source_index)).collect(),
            })
        }

        fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, Error> {
            self.asked = self.asked.wrapping_add(1);
            write_command_message(self.socket.get_mut(), self.asked, command, self.version)?;
            let (answered, reply) = read_reply_message(&mut self.socket, self.version)?;
            if answered == self.asked { Ok(reply) } else { Err(Error::Invalid("an answer to another question".to_owned())) }
        }
    }

    fn id(name: &CString) -> String {
        format!("{SYSTEM}:{}", name.to_string_lossy())
    }

    /// By which the server knows the connection that cpal has made.
    fn cpals_name() -> CString {
        CString::new(format!("cpal-pulseaudio-{}", std::process::id())).unwrap_or_default()
    }
}
