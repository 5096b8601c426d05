//! One message as the screen has it.

use proto::{Name, chat::Attachment, model};

use crate::ui::rich::{self, Piece};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: Option<u64>,
    pub client_id: String,
    pub from: Option<Name>,
    pub mine: bool,
    pub text: String,
    /// The text with its emphasis and links, if it has any.
    pub pieces: Vec<Piece>,
    pub attachments: Vec<Attachment>,
    pub at_ms: u64,
    pub edited: bool,
    pub deleted: bool,
    pub delivery: Delivery,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Sending,
    Sent,
    Failed(String),
}

impl Entry {
    /// A message as the relay has it.
    pub fn new(message: model::Message, mine: bool) -> Self {
        Self {
            id: Some(message.id.0),
            client_id: message.client_id,
            from: Some(message.from),
            mine,
            text: message.text,
            pieces: message.html.as_deref().map(rich::read).unwrap_or_default(),
            attachments: message.attachments,
            at_ms: message.sent_at_ms,
            edited: message.edited_at_ms.is_some(),
            deleted: message.deleted,
            delivery: Delivery::Sent,
        }
    }

    /// A message that the relay doesn't have yet.
    pub fn on_its_way(client_id: String, text: String, attachments: Vec<Attachment>, at_ms: u64) -> Self {
        Self {
            id: None,
            client_id,
            from: None,
            mine: true,
            text,
            pieces: Vec::new(),
            attachments,
            at_ms,
            edited: false,
            deleted: false,
            delivery: Delivery::Sending,
        }
    }
}
