//! What people write to each other: messages, how far they were read, groups.

use bytes::Bytes;
use proto::{
    Chat, GroupId, MessageId, Name,
    api::{AddMember, EditChat, History, MakeGroup, MoveMarks, PageHistory, RenameGroup, SendChat, Types},
    chat::Group,
    model::Message,
};
use reqwest::Method;

use super::{Session, json};
use crate::{backoff::random, error::Error, http::Ask};

impl Session {
    /// Writes plain text to someone. `client_id` must be new for each message: one id makes one message, however often it is sent.
    ///
    /// # Errors
    /// See [`Session::send`].
    pub async fn send_chat(&self, to: &Name, text: &str, client_id: &str) -> Result<Message, Error> {
        self.send(&SendChat::new(Chat::With(to.clone()), text, client_id)).await
    }

    /// Writes to someone or to a group. Its `client_id` must be new for each message: one id makes one message, however often it is sent.
    ///
    /// # Errors
    /// Refused with `forbidden` (no mutual buddy), `not_found` (no such person, group or attachment) or `bad_request` (too long).
    pub async fn send(&self, message: &SendChat) -> Result<Message, Error> {
        self.request(Method::POST, &["chat"], Some(json(message))).await
    }

    /// Changes what an own message says.
    ///
    /// # Errors
    /// Refused with `not_found`, `forbidden` (it was sent too long ago) or `bad_request`.
    pub async fn edit_chat(&self, message: MessageId, now: &EditChat) -> Result<Message, Error> {
        self.request(Method::POST, &["chat", &message.0.to_string()], Some(json(now))).await
    }

    /// Deletes an own message: only its place is left.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn delete_chat(&self, message: MessageId) -> Result<Message, Error> {
        self.request(Method::DELETE, &["chat", &message.0.to_string()], None).await
    }

    /// A page of the messages with one person or in a group.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn history(&self, page: PageHistory) -> Result<History, Error> {
        let mut url = self.url(&["chat"]);
        {
            let mut query = url.query_pairs_mut();
            match &page.chat {
                Chat::With(name) => query.append_pair("with", name.as_str()),
                Chat::Group(group) => query.append_pair("group", group.as_str()),
            };
            let numbers = [("before", page.before), ("after", page.after), ("limit", page.limit.map(u64::from))];
            for (name, number) in numbers {
                if let Some(number) = number {
                    query.append_pair(name, &number.to_string());
                }
            }
        }
        self.parse(self.repeat(Ask::new(Method::GET, url)).await?)
    }

    /// Says how far this client, and the person at it, have come in a conversation. What is behind what was said before changes nothing.
    ///
    /// # Errors
    /// Refused with `not_found`.
    pub async fn move_marks(&self, marks: &MoveMarks) -> Result<(), Error> {
        self.done(Method::POST, &["chat", "marks"], Some(json(marks))).await
    }

    /// Says that the person is writing there. Once every few seconds is enough.
    ///
    /// # Errors
    /// Refused with `not_found`, `forbidden` or `rate_limited`. It is not repeated: by then it may not be true any more.
    pub async fn types(&self, chat: &Chat) -> Result<(), Error> {
        let ask = Ask::new(Method::POST, self.url(&["chat", "typing"])).json(json(&Types { chat: chat.clone() }));
        self.parse(self.once(ask).await?).map(|proto::api::Done {}| ())
    }

    /// Makes a group with some mutual buddies.
    ///
    /// # Errors
    /// Refused with `forbidden` (not a mutual buddy, or too many of something), `not_found` or `bad_request` (the title).
    pub async fn make_group(&self, title: &str, members: &[Name]) -> Result<Group, Error> {
        // One id however often it is sent: it makes one group.
        let client_id = format!("{:016x}{:016x}", random(), random());
        let wish = MakeGroup { title: title.to_owned(), members: members.to_vec(), client_id };
        self.request(Method::POST, &["groups"], Some(json(&wish))).await
    }

    /// Gives a group of one's own another title.
    ///
    /// # Errors
    /// Refused with `not_found`, `forbidden` (not the owner) or `bad_request`.
    pub async fn rename_group(&self, group: &GroupId, title: &str) -> Result<Group, Error> {
        self.request(Method::POST, &["groups", group.as_str()], Some(json(&RenameGroup { title: title.to_owned() }))).await
    }

    /// Brings a mutual buddy into a group.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden` (no mutual buddy, or too many).
    pub async fn add_member(&self, group: &GroupId, name: &Name) -> Result<Group, Error> {
        self.request(Method::POST, &["groups", group.as_str(), "members"], Some(json(&AddMember { name: name.clone() }))).await
    }

    /// Takes someone out of a group of one's own, or oneself out of any.
    ///
    /// # Errors
    /// Refused with `not_found` or `forbidden` (not the owner).
    pub async fn remove_member(&self, group: &GroupId, name: &Name) -> Result<(), Error> {
        match self.done(Method::DELETE, &["groups", group.as_str(), "members", name.as_str()], None).await {
            // Gone is gone: most likely the answer to an earlier attempt was lost.
            Err(Error::Refused { code: proto::ErrorCode::NotFound, .. }) if name.is(self.name()) => Ok(()),
            outcome => outcome,
        }
    }

    /// Sends a file, and says meanwhile how many of its bytes are on their way. `kind` is its media type, if it is known.
    ///
    /// # Errors
    /// Refused with `too_large`, `quota_exceeded` or `rate_limited`.
    pub async fn upload(
        &self,
        name: &str,
        kind: Option<&str>,
        bytes: Bytes,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<proto::chat::Attachment, Error> {
        let mut url = self.url(&["attachments"]);
        url.query_pairs_mut().append_pair("name", name).extend_pairs(kind.map(|kind| ("type", kind)));
        crate::files::upload(self.http(), self.bearer(), url, bytes, std::sync::Arc::new(progress)).await
    }

    /// Fetches a file, and says meanwhile how many of its bytes are here. What broke off is gone on with where it was.
    ///
    /// # Errors
    /// Refused with `not_found` where it is past its days.
    pub async fn download(
        &self,
        attachment: &proto::chat::Attachment,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Bytes, Error> {
        let url = self.url(&["attachments", attachment.id.as_str()]);
        crate::files::download(self.http(), self.bearer(), url, attachment, &progress).await
    }
}
