//! PROTOCOL.md against the programs: every example on the page is read by the types of the wire and written again the same, and
//! the media bytes are decoded as far as they go.

use std::{fs, path::Path};

use bytes::Bytes;
use codecs::{Color, MediaTime, h264, opus};
use proto::{Chunk, ErrorBody, Event, Kind, api, chat, error::ErrorDetail, limits, model};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What stands between fences whose info string begins with `language`, with the rest of that string.
fn examples(language: &str) -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/proto/PROTOCOL.md");
    let page = fs::read_to_string(file).expect("the page is there");
    let blocks = page.split("```").skip(1).step_by(2);
    let mut found = Vec::new();
    for block in blocks {
        let (info, body) = block.split_once('\n').unwrap_or((block, ""));
        let (first, rest) = info.split_once(' ').unwrap_or((info, ""));
        if first == language {
            found.push((rest.to_owned(), body.to_owned()));
        }
    }
    found
}

/// Reads the example as a `T` and writes it again: no field is missing, misspelt or too many.
fn same<T: DeserializeOwned + Serialize>(text: &str) -> Result<(), String> {
    let shown: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let read: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let written = serde_json::to_value(read).map_err(|error| error.to_string())?;
    if written == shown { Ok(()) } else { Err(format!("it is written as {written}")) }
}

#[test]
fn every_json_example_is_what_the_programs_say() {
    let mut wrong = Vec::new();
    let mut kinds = std::collections::BTreeSet::new();
    for (name, text) in examples("json") {
        let outcome = match name.as_str() {
            "AddBuddy" => same::<api::AddBuddy>(&text),
            "AddMember" => same::<api::AddMember>(&text),
            "Attachment" => same::<chat::Attachment>(&text),
            "BeginOidc" => same::<api::BeginOidc>(&text),
            "Block" => same::<api::Block>(&text),
            "ChangePassword" => same::<api::ChangePassword>(&text),
            "DoctorTook" => same::<api::DoctorTook>(&text),
            "Done" => same::<api::Done>(&text),
            "EditChat" => same::<api::EditChat>(&text),
            "ErrorBody" => same::<ErrorBody>(&text),
            "Event" => same::<Event>(&text),
            "Events" => same::<api::Events>(&text),
            "Feedback" => same::<api::Feedback>(&text),
            "Group" => same::<chat::Group>(&text),
            "Health" => same::<api::Health>(&text),
            "History" => same::<api::History>(&text),
            "JoinByLink" => same::<api::JoinByLink>(&text),
            "Joined" => same::<api::Joined>(&text),
            "Linked" => same::<api::Linked>(&text),
            "MakeGroup" => same::<api::MakeGroup>(&text),
            "Message" => same::<model::Message>(&text),
            "MoveMarks" => same::<api::MoveMarks>(&text),
            "OidcAnswer" => same::<api::OidcAnswer>(&text),
            "OidcBegun" => same::<api::OidcBegun>(&text),
            "OnePeer" => same::<api::OnePeer>(&text),
            "OwnPresence" => same::<model::OwnPresence>(&text),
            "Reception" => same::<api::Reception>(&text),
            "RenameGroup" => same::<api::RenameGroup>(&text),
            "Report" => same::<api::Report>(&text),
            "Ring" => same::<api::Ring>(&text),
            "Rung" => same::<api::Rung>(&text),
            "SeenMissed" => same::<api::SeenMissed>(&text),
            "SendChat" => same::<api::SendChat>(&text),
            "Sessions" => same::<api::Sessions>(&text),
            "SetLock" => same::<api::SetLock>(&text),
            "SetMedia" => same::<api::SetMedia>(&text),
            "SignIn" => same::<api::SignIn>(&text),
            "SignUp" => same::<api::SignUp>(&text),
            "SignedIn" => same::<api::SignedIn>(&text),
            "State" => same::<api::State>(&text),
            "Types" => same::<api::Types>(&text),
            "WantKeyframe" => same::<api::WantKeyframe>(&text),
            _ => Err("no type of the wire has this name".to_owned()),
        };
        if let Err(reason) = outcome {
            wrong.push(format!("{name}: {reason}\n{text}"));
        }
        kinds.insert(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(kinds.len(), 42, "each type has an example: {kinds:?}");
}

#[test]
fn every_event_has_an_example_and_a_line_in_the_table() {
    let mut types = Vec::new();
    for (name, text) in examples("json") {
        if name == "Event" {
            let event: Value = serde_json::from_str(&text).unwrap();
            types.push(event["type"].as_str().unwrap().to_owned());
        }
    }
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/proto/src/event.rs")).unwrap();
    let variants = source
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"))
        .filter(|name| name.chars().next().is_some_and(char::is_uppercase) && name.chars().all(char::is_alphabetic));
    assert_eq!(variants.count(), types.len(), "an event without an example, or one too many: {types:?}");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/proto/PROTOCOL.md")).unwrap();
    for name in types {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in the table of events");
    }
}

#[test]
fn the_statuses_are_those_of_the_table() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/proto/PROTOCOL.md")).unwrap();
    let mut rows = 0;
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, code, status, ..] = cells.as_slice() else { continue };
        let (Some(code), Ok(status)) = (code.strip_prefix('`').and_then(|code| code.strip_suffix('`')), status.parse::<u16>())
        else {
            continue;
        };
        let body = format!(r#"{{"code":"{code}","message":""}}"#);
        let Ok(detail) = serde_json::from_str::<ErrorDetail>(&body) else { continue };
        // A limit's row has the same form and is no code.
        if detail.code != proto::ErrorCode::Unknown {
            assert_eq!(detail.code.status(), status, "{code}");
            rows += 1;
        }
    }
    assert!(rows >= 21, "{rows} codes in the table");
}

#[test]
fn the_values_of_the_limits_are_those_of_the_table() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/proto/PROTOCOL.md")).unwrap();
    let seconds = |limit: std::time::Duration| format!("{} s", limit.as_secs());
    let bytes = |limit: usize| format!("{limit} bytes");
    let characters = |limit: usize| format!("{limit} characters");
    for (name, value) in [
        ("WAIT_MAX", seconds(limits::WAIT_MAX)),
        ("PAYLOAD_MAX", bytes(limits::PAYLOAD_MAX)),
        ("UPLOAD_MAX", bytes(limits::UPLOAD_MAX)),
        ("POLL_SOFT_MAX", bytes(limits::POLL_SOFT_MAX)),
        ("CONTROL_MAX", bytes(limits::CONTROL_MAX)),
        ("DOCTOR_MAX", bytes(limits::DOCTOR_MAX)),
        ("DOCTOR_SPREAD_MAX", seconds(limits::DOCTOR_SPREAD_MAX)),
        ("PARKED_MAX", limits::PARKED_MAX.to_string()),
        ("READERS_MAX", limits::READERS_MAX.to_string()),
        ("REPLAY_MAX", limits::REPLAY_MAX.to_string()),
        ("NAME_MAX", characters(limits::NAME_MAX)),
        ("PASSWORD_MIN", characters(limits::PASSWORD_MIN)),
        ("PASSWORD_MAX", bytes(limits::PASSWORD_MAX)),
        ("TEXT_MAX", characters(limits::TEXT_MAX)),
        ("CLIENT_ID_MAX", characters(limits::CLIENT_ID_MAX)),
        ("HTML_MAX", bytes(limits::HTML_MAX)),
        ("ATTACHMENTS_MAX", limits::ATTACHMENTS_MAX.to_string()),
        ("FILE_NAME_MAX", characters(limits::FILE_NAME_MAX)),
        ("EDIT_WINDOW", seconds(limits::EDIT_WINDOW)),
        ("TYPING", seconds(limits::TYPING)),
        ("GROUP_MEMBERS_MAX", limits::GROUP_MEMBERS_MAX.to_string()),
        ("GROUPS_MAX", limits::GROUPS_MAX.to_string()),
        ("GROUP_TITLE_MAX", characters(limits::GROUP_TITLE_MAX)),
        ("CONVERSATIONS_MAX", limits::CONVERSATIONS_MAX.to_string()),
        ("UNREAD_MAX", limits::UNREAD_MAX.to_string()),
        ("PREVIEW_MAX", characters(limits::PREVIEW_MAX)),
        ("HISTORY_MAX", limits::HISTORY_MAX.to_string()),
        ("BUDDIES_MAX", limits::BUDDIES_MAX.to_string()),
        ("PEERS_MAX", limits::PEERS_MAX.to_string()),
        ("RING", seconds(limits::RING)),
        ("VANISHED", seconds(limits::VANISHED)),
        ("AWAY", seconds(limits::AWAY)),
        ("LINE_MAX", characters(limits::LINE_MAX)),
        ("BLOCKED_MAX", limits::BLOCKED_MAX.to_string()),
        ("MISSED_MAX", limits::MISSED_MAX.to_string()),
        ("MISSED_KEPT", seconds(limits::MISSED_KEPT)),
        ("REPORT_MAX", characters(limits::REPORT_MAX)),
        ("REPORTS_OPEN_MAX", limits::REPORTS_OPEN_MAX.to_string()),
        ("LINKS_MAX", limits::LINKS_MAX.to_string()),
        ("TICKER_ITEMS_MAX", limits::TICKER_ITEMS_MAX.to_string()),
        ("TICKER_TITLE_MAX", characters(limits::TICKER_TITLE_MAX)),
        ("TICKER_BODY_MAX", bytes(limits::TICKER_BODY_MAX)),
        ("TICKER_LINK_MAX", bytes(limits::TICKER_LINK_MAX)),
    ] {
        assert!(page.contains(&format!("| `{name}` | {value} |")), "{name} is {value}, which the page does not say");
    }
}

#[test]
fn the_media_bytes_are_chunks_that_can_be_played() {
    let mut kinds = Vec::new();
    for (_, text) in examples("hex") {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let body: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("pairs of hexadecimal digits"))
            .collect();
        for chunk in Chunk::decode_all(Bytes::from(body)).expect("the bytes are chunks") {
            assert!(chunk.header.keyframe, "the examples are ones to begin with");
            let time = MediaTime(chunk.header.media_time_us);
            match chunk.header.track.kind {
                Kind::Audio => {
                    let mut sound = [1.0; opus::FRAME];
                    opus::Decoder::new().unwrap().decode(&chunk.payload[1..], &mut sound).expect("the packet is Opus");
                    assert!(sound.iter().all(|sample| sample.abs() < 0.01), "silence, the page says");
                }
                Kind::Video | Kind::Screen => {
                    let mut decoder = h264::Decoder::new().unwrap();
                    let frame =
                        decoder.decode(&chunk.payload[1..], Color::default(), time).expect("it is H.264").expect("a picture");
                    assert_eq!((frame.size().width, frame.size().height), (16, 16));
                }
            }
            kinds.push(chunk.header.track.kind);
        }
    }
    assert_eq!(kinds, [Kind::Audio, Kind::Video]);
}
