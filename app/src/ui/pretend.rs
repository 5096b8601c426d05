//! A relay of canned answers: the screens work without a network, for tests and to be looked at.

use media::{devices::Listed, screen};
use proto::{
    AttachmentId, CallId, Chat, ErrorCode, GroupId, InvitationId, MessageId, Name, PeerId, SessionId,
    api::{EditChat, History, Joined, OwnSession, PageHistory, Rung, SendChat},
    chat::{Attachment, Group},
    model::{Call, Invitation, InvitationState, Message, Peer},
};

use relay_client::doctor::{self, Figures, Report, Step, Verdict};

use super::{
    notice::Notice,
    screen::desk::{conversation::files::Source, equipment::Lists},
};
use crate::engine;

/// A message that contains this can't be sent.
pub const LOST: &str = "(lost)";

/// 2026-03-05 14:00 UTC, the day on which all samples happen.
pub const DAY_MS: u64 = 1_772_719_200_000;

#[derive(Debug, Clone)]
pub struct Pretend {
    pub me: Name,
    /// The one who is rung and who rings.
    pub other: Name,
}

impl Pretend {
    pub fn ring(&self, to: Name) -> Rung {
        let joined = Joined { call: Call { peers: self.peers()[..1].to_vec(), ..self.joined().call }, me: PeerId(1) };
        Rung { invitation: Invitation { from: self.me.clone(), to, ..self.invitation() }, joined }
    }

    /// The other rings.
    pub fn invitation(&self) -> Invitation {
        Invitation {
            id: InvitationId::new("sample-invitation"),
            call: CallId::new("sample-call"),
            from: self.other.clone(),
            to: self.me.clone(),
            state: InvitationState::Ringing,
            expires_in_ms: 45_000,
        }
    }

    pub fn joined(&self) -> Joined {
        let call = Call { id: CallId::new("sample-call"), peers: self.peers(), owner: Some(PeerId(1)), locked: false };
        Joined { call, me: PeerId(1) }
    }

    /// Of a network that cuts held requests.
    pub fn report(&self) -> Report {
        let rung = |step, verdict, found: &str, advice: &str| doctor::Rung {
            step,
            verdict,
            found: found.to_owned(),
            advice: advice.to_owned(),
        };
        let good = |step, found| rung(step, Verdict::Good, found, "");
        let rungs = vec![
            good(Step::Name, "proxy.example.org is 192.0.2.7."),
            good(Step::Connection, "The proxy at proxy.example.org, port 3128, takes connections, within 1.2 ms."),
            good(Step::Proxy, "http://proxy.example.org:3128 lets ana through."),
            good(Step::Encryption, "TLS, with a certificate that this computer trusts, signed by R11 (Let's Encrypt)."),
            good(Step::Relay, "A relay of tvphone, version 0.1.0, answers within 24 ms."),
            good(Step::Uploads, "320 KiB pass, the largest that tvphone sends."),
            rung(
                Step::Polls,
                Verdict::Weak,
                "A request that is held is cut after 5.0 s (the connection is cut). tvphone then asks more often, which costs more requests and \
                 some delay.",
                "Ask whoever runs the network's proxy to let requests be silent for 30 s.",
            ),
            good(Step::Buffering, "Uploads and answers are passed on as they come."),
            good(Step::Rates, "4100 kbit/s up, 20400 kbit/s down, at least."),
            good(Step::RoundTrip, "24 ms there and back (shortest 22, 95 % within 31); no packet seems to be lost."),
        ];
        let way = "http://proxy.example.org:3128 (as ana, password not shown)";
        Report::new("https://relay.example.org/".to_owned(), way.to_owned(), rungs, Figures::default())
    }

    /// How the sample call fares.
    pub fn figures(&self) -> engine::Figures {
        let pictures = |codec_ms, queue_ms, held_ms| engine::Pictures {
            size: Some(codecs::Size::VGA),
            per_second: 30.0,
            codec_ms: Some(codec_ms),
            way_ms: Some(24.0),
            queue_ms: Some(queue_ms),
            held_ms,
            measured_ms: None,
        };
        let coming = engine::Coming {
            pictures: pictures(0.6, 3.0, Some(19.0)),
            freezes: 0,
            sound_ms: 48.0,
            made_up_percent: 0.2,
            av_offset_ms: Some(44.0),
        };
        engine::Figures {
            round_trip_ms: Some(22.0),
            up_kbps: 1012.0,
            down_kbps: 990.0,
            sent: pictures(1.2, 1.0, None),
            received: [(PeerId(2), coming)].into(),
        }
    }

    /// Into the sample call.
    pub fn link(&self) -> String {
        "https://relay.example.org/#call=c3Tn0vYx7Kq2LmR8sWb5Ud1Ef4Gh6Jk9Pz-AaBbCcDd".to_owned()
    }

    /// What a laptop with a headset has.
    pub fn devices(&self) -> Lists {
        let listed = |name: &str| Listed { id: format!("sample:{name}"), name: name.to_owned() };
        Lists {
            cameras: vec![listed("Built-in camera")],
            microphones: vec![listed("Built-in microphone"), listed("USB headset")],
            speakers: vec![listed("Built-in speakers"), listed("USB headset")],
        }
    }

    /// One monitor and some windows, one with a long title.
    pub fn screens(&self) -> Vec<screen::Source> {
        let source = |id: &str, name: &str, monitor| screen::Source {
            id: id.to_owned(),
            name: name.to_owned(),
            monitor,
            size: (1920, 1080),
        };
        vec![
            source("eDP-1", "eDP-1", true),
            source("0x3a00007", "Holiday plans \u{2013} Spreadsheet", false),
            source(
                "0x4000001",
                "How to get from the station to the old harbour, with all the stops on the way and where to eat \u{2013} Browser",
                false,
            ),
        ]
    }

    /// This device and another one.
    pub fn sessions(&self) -> Vec<OwnSession> {
        let session = |id: &str, device: &str, minutes: u64, current| OwnSession {
            id: SessionId::new(id),
            device: device.to_owned(),
            signed_in_at_ms: Some(DAY_MS - 3 * 1440 * 60_000),
            seen_at_ms: DAY_MS - minutes * 60_000,
            current,
        };
        vec![session("here", "tvphone on desktop", 0, true), session("there", "kitchen", 1500, false)]
    }

    pub fn send(&self, SendChat { to, group, text, client_id, .. }: SendChat) -> Result<Message, Notice> {
        if text.contains(LOST) {
            let text = "The relay can't be reached. Check the network.".to_owned();
            return Err(Notice { text, code: Some(ErrorCode::Internal) });
        }
        let (id, sent_at_ms) = (MessageId(1000 + text.len() as u64), DAY_MS + 9 * 60_000);
        Ok(Message { to, group, client_id, ..self.message(id, text, sent_at_ms) })
    }

    pub fn edit(&self, id: MessageId, now: EditChat) -> Result<Message, Notice> {
        let sent_at_ms = DAY_MS + 9 * 60_000;
        let message = self.message(id, now.text, sent_at_ms);
        Ok(Message { to: Some(self.other.clone()), edited_at_ms: Some(sent_at_ms), ..message })
    }

    pub fn delete(&self, id: MessageId) -> Result<Message, Notice> {
        let message = self.message(id, String::new(), DAY_MS);
        Ok(Message { to: Some(self.other.clone()), deleted: true, ..message })
    }

    /// A group of this person's.
    pub fn make_group(&self, title: String, mut members: Vec<Name>) -> Group {
        members.insert(0, self.me.clone());
        Group { id: GroupId::new("sample-group"), title, owner: self.me.clone(), members }
    }

    pub fn upload(&self, source: &Source) -> Attachment {
        let name = match source {
            Source::File(file) => file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Source::Voice(_) => "Voice message.ogg".to_owned(),
        };
        let kind = "application/octet-stream".to_owned();
        Attachment { id: AttachmentId::new(name.clone()), name, kind, size: 12_300, sha256: None }
    }

    /// What this person says, to nobody yet.
    fn message(&self, id: MessageId, text: String, sent_at_ms: u64) -> Message {
        Message {
            id,
            from: self.me.clone(),
            to: None,
            group: None,
            text,
            html: None,
            attachments: Vec::new(),
            sent_at_ms,
            edited_at_ms: None,
            deleted: false,
            client_id: String::new(),
        }
    }

    /// Two pages: the newest messages, and one before them.
    pub fn history(&self, page: &PageHistory) -> History {
        if page.chat == Chat::With(self.other.clone()) && page.after.is_none() {
            let before = page.before.unwrap_or(u64::MAX);
            let messages = self.messages().into_iter().filter(|message| message.id.0 < before);
            let messages: Vec<_> = messages.collect();
            let start = messages.len().saturating_sub(6);
            return History { messages: messages[start..].to_vec(), more: start > 0 };
        }
        History { messages: Vec::new(), more: false }
    }

    fn peers(&self) -> Vec<Peer> {
        let peer = |number, name: &Name| Peer {
            peer: PeerId(number),
            name: name.clone(),
            audio: true,
            video: true,
            screen: false,
            muted: false,
        };
        vec![peer(1, &self.me), peer(2, &self.other)]
    }

    fn messages(&self) -> Vec<Message> {
        const LINES: [(bool, u64, &str); 8] = [
            (true, 10, "Did the parcel arrive?"),
            (false, 11, "Yes, this morning. Thank you so much!"),
            (false, 1440, "Are you back at the hotel?"),
            (true, 1441, "Just now. The network here lets nothing but web pages through."),
            (false, 1442, "Good that we need nothing else, then."),
            (true, 1443, "Shall I call you at three?"),
            (false, 1444, "Yes! I want to show you what the little one has built."),
            (true, 1446, "I can hardly wait \u{2013} see you then."),
        ];
        let line = |(index, (mine, minute, text)): (usize, &(bool, u64, &str))| {
            let (from, to) = if *mine { (&self.me, &self.other) } else { (&self.other, &self.me) };
            let sent_at_ms = DAY_MS - 1440 * 60_000 + minute * 60_000;
            let message = self.message(MessageId(index as u64 + 1), (*text).to_owned(), sent_at_ms);
            Message { from: from.clone(), to: Some(to.clone()), ..message }
        };
        LINES.iter().enumerate().map(line).collect()
    }
}
