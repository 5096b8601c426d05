//! Every JSON body of the wire, in both directions.

use proto::{ErrorBody, Event, api, chat, model};
use serde::{Serialize, de::DeserializeOwned};

use super::{BRIEFLY, Damage, damaged, examples};

/// Whatever is read is written as something that is read as the same.
fn stable<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again = serde_json::from_slice::<T>(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("so it can again"), written);
}

/// By the name of its example on the page.
fn read(name: &str, bytes: &[u8]) {
    match name {
        "AddBuddy" => stable::<api::AddBuddy>(bytes),
        "AddMember" => stable::<api::AddMember>(bytes),
        "Attachment" => stable::<chat::Attachment>(bytes),
        "BeginOidc" => stable::<api::BeginOidc>(bytes),
        "Block" => stable::<api::Block>(bytes),
        "ChangePassword" => stable::<api::ChangePassword>(bytes),
        "DoctorTook" => stable::<api::DoctorTook>(bytes),
        "Done" => stable::<api::Done>(bytes),
        "EditChat" => stable::<api::EditChat>(bytes),
        "ErrorBody" => stable::<ErrorBody>(bytes),
        "Event" => stable::<Event>(bytes),
        "Events" => stable::<api::Events>(bytes),
        "Feedback" => stable::<api::Feedback>(bytes),
        "Group" => stable::<chat::Group>(bytes),
        "Health" => stable::<api::Health>(bytes),
        "History" => stable::<api::History>(bytes),
        "JoinByLink" => stable::<api::JoinByLink>(bytes),
        "Joined" => stable::<api::Joined>(bytes),
        "Linked" => stable::<api::Linked>(bytes),
        "MakeGroup" => stable::<api::MakeGroup>(bytes),
        "Message" => stable::<model::Message>(bytes),
        "MoveMarks" => stable::<api::MoveMarks>(bytes),
        "OidcAnswer" => stable::<api::OidcAnswer>(bytes),
        "OidcBegun" => stable::<api::OidcBegun>(bytes),
        "OnePeer" => stable::<api::OnePeer>(bytes),
        "OwnPresence" => stable::<model::OwnPresence>(bytes),
        "Reception" => stable::<api::Reception>(bytes),
        "RenameGroup" => stable::<api::RenameGroup>(bytes),
        "Report" => stable::<api::Report>(bytes),
        "Ring" => stable::<api::Ring>(bytes),
        "Rung" => stable::<api::Rung>(bytes),
        "SeenMissed" => stable::<api::SeenMissed>(bytes),
        "SendChat" => stable::<api::SendChat>(bytes),
        "Sessions" => stable::<api::Sessions>(bytes),
        "SetLock" => stable::<api::SetLock>(bytes),
        "SetMedia" => stable::<api::SetMedia>(bytes),
        "SignIn" => stable::<api::SignIn>(bytes),
        "SignUp" => stable::<api::SignUp>(bytes),
        "SignedIn" => stable::<api::SignedIn>(bytes),
        "State" => stable::<api::State>(bytes),
        "Types" => stable::<api::Types>(bytes),
        "WantKeyframe" => stable::<api::WantKeyframe>(bytes),
        _ => panic!("PROTOCOL.md has an example of {name}, which this target doesn't read yet: add a line above"),
    }
}

#[test]
fn no_json_makes_a_reader_panic_or_say_something_else_than_it_read() {
    let examples = examples();
    for (name, text) in &examples {
        read(name, text.as_bytes());
    }
    bolero::check!().with_test_time(BRIEFLY).with_type::<(u8, Vec<Damage>)>().for_each(move |(which, damages)| {
        let (name, text) = examples[usize::from(*which) % examples.len()];
        read(name, &damaged(text.as_bytes(), damages));
    });
}
