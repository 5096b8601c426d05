//! Signing in, or making an account first: one form.

pub mod connection;

use iced::{
    Center, Element, Fill, Task,
    widget::{button, center, column, container, mouse_area, operation, row, scrollable, space, stack, text_input},
};
use proto::{Name, limits::PASSWORD_MIN};
use relay_client::{ProxySettings, Session};

use crate::ui::{
    icon::{self, Icon, icon},
    line,
    notice::Notice,
    settings::{Connection, Settings},
    theme::{self, spacing, text},
};

#[derive(Debug, Default)]
pub struct SignIn {
    relay: String,
    name: String,
    password: String,
    /// Make an account first.
    new: bool,
    busy: bool,
    error: Option<String>,
    /// As remembered, or as just chosen.
    connection: Connection,
    /// Said for this run; goes before what is remembered.
    proxy: Option<ProxySettings>,
    dialog: Option<connection::Dialog>,
}

#[derive(Debug, Clone)]
pub enum Message {
    ConnectionPressed,
    Connection(connection::Message),
    RelayChanged(String),
    NameChanged(String),
    PasswordChanged(String),
    LabelPressed(&'static str),
    Toggled,
    Submitted,
    Finished(Result<Session, Notice>),
}

pub enum Action {
    None,
    Run(Task<Message>),
    /// Signed in; these are to be remembered.
    SignedIn(Session),
}

const RELAY: &str = "sign-in-relay";
const NAME: &str = "sign-in-name";
const PASSWORD: &str = "sign-in-password";

impl SignIn {
    pub fn new(settings: &Settings) -> Self {
        let connection = settings.connection.clone();
        Self { relay: settings.relay.clone(), name: settings.name.clone(), connection, ..Self::default() }
    }

    /// Reaches the relay this way, if one is given, whatever is remembered.
    pub fn by(mut self, proxy: Option<ProxySettings>) -> Self {
        self.proxy = proxy;
        self
    }

    /// Why the one who was signed in is here again.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.error = Some(reason.into());
        self
    }

    /// Fills the form and sends it.
    pub fn at_once(&mut self, name: &Name, password: String) -> Task<Message> {
        self.name = name.to_string();
        self.password = password;
        self.submit()
    }

    /// Fills in the name and leaves the rest to the person.
    pub fn prefill(&mut self, name: &Name) -> Task<Message> {
        self.name = name.to_string();
        self.focus()
    }

    pub fn relay(&self) -> &str {
        &self.relay
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was said for this run.
    pub fn proxy(&self) -> Option<&ProxySettings> {
        self.proxy.as_ref()
    }

    /// The first field that needs something.
    pub fn focus(&self) -> Task<Message> {
        if self.name.is_empty() { operation::focus(NAME) } else { operation::focus(PASSWORD) }
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::ConnectionPressed => self.dialog = Some(connection::Dialog::new(&self.connection)),
            Message::Connection(message) => {
                let Some(dialog) = &mut self.dialog else { return Action::None };
                match dialog.update(message) {
                    connection::Action::None => return Action::None,
                    connection::Action::Close => {}
                    connection::Action::Use(connection, proxy) => {
                        self.connection = *connection;
                        self.proxy = Some(proxy);
                    }
                }
                self.dialog = None;
            }
            Message::RelayChanged(relay) => self.relay = relay,
            Message::NameChanged(name) => self.name = name,
            Message::PasswordChanged(password) => self.password = password,
            Message::LabelPressed(field) => return Action::Run(operation::focus(field)),
            Message::Toggled => self.new = !self.new,
            Message::Submitted if self.busy => return Action::None,
            Message::Submitted => return Action::Run(self.submit()),
            Message::Finished(Ok(session)) => {
                self.busy = false;
                self.password.clear();
                return Action::SignedIn(session);
            }
            Message::Finished(Err(notice)) => {
                self.busy = false;
                self.error = Some(notice.text);
                return Action::None;
            }
        }
        self.error = None;
        Action::None
    }

    fn submit(&mut self) -> Task<Message> {
        let checked = check(&self.relay, &self.name, &self.password, self.new);
        let proxy = self.proxy.clone().map_or_else(|| self.connection.proxy_settings(""), Ok);
        match checked.and_then(|checked| Ok((checked, proxy?))) {
            Ok(((relay, name), proxy)) => {
                self.busy = true;
                self.error = None;
                line::sign_in(relay, proxy, name, self.password.clone(), self.new).map(Message::Finished)
            }
            Err(error) => {
                self.error = Some(error);
                Task::none()
            }
        }
    }

    pub fn view(&self) -> Element<'_, Message> {
        let heading = column![
            row![icon(Icon::Tv, icon::LARGE).style(text::primary), text::display("tvphone")].spacing(spacing::M).align_y(Center),
            text::body("Face to face, wherever a web page loads.").style(text::muted),
        ]
        .spacing(spacing::S)
        .align_x(Center);
        let submit = if self.new { "Create account" } else { "Sign in" };
        let submit = container(text::strong(if self.busy { "One moment\u{2026}" } else { submit })).center_x(Fill);
        let submit = button(submit).width(Fill).padding([spacing::M, spacing::L]).style(theme::button::primary);
        let toggle = if self.new { "I have an account already" } else { "I'm new here: create an account" };
        let secret = if self.new { "At least 8 characters" } else { "Your password" };
        let form = column![
            labelled(RELAY, "Relay", self.field("relay.example.org", &self.relay, Message::RelayChanged)),
            labelled(NAME, "Name", self.field("What your buddies call you", &self.name, Message::NameChanged)),
            labelled(PASSWORD, "Password", self.field(secret, &self.password, Message::PasswordChanged).secure(true)),
        ]
        .spacing(spacing::M);
        let form = column![form]
            .push(self.error.as_deref().map(problem))
            .push(submit.on_press_maybe((!self.busy).then_some(Message::Submitted)))
            .push(link(toggle, Message::Toggled))
            .push(link("Connection and proxy", Message::ConnectionPressed))
            .spacing(spacing::L);
        let card = container(form).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        let page = column![heading, card].spacing(spacing::XL).align_x(Center).padding(spacing::XL);
        let page = center(scrollable(page).style(theme::input::scroll)).style(theme::container::background);
        stack![page].push(self.dialog.as_ref().map(|dialog| dialog.view().map(Message::Connection))).into()
    }

    fn field<'a>(
        &self,
        placeholder: &'a str,
        value: &'a str,
        on_input: fn(String) -> Message,
    ) -> text_input::TextInput<'a, Message> {
        let field = text_input(placeholder, value).padding(spacing::M).size(text::BODY).style(theme::input::field);
        if self.busy { field } else { field.on_input(on_input).on_submit(Message::Submitted) }
    }
}

fn link(label: &str, message: Message) -> Element<'_, Message> {
    container(button(text::body(label)).style(theme::button::link).on_press(message)).center_x(Fill).into()
}

fn labelled<'a>(id: &'static str, label: &'a str, field: text_input::TextInput<'a, Message>) -> Element<'a, Message> {
    let label = mouse_area(text::caption(label)).on_press(Message::LabelPressed(id));
    column![label, field.id(id)].spacing(spacing::XS).into()
}

fn problem(error: &str) -> Element<'_, Message> {
    let line = row![icon(Icon::TriangleAlert, icon::SMALL).style(text::danger), text::body(error).width(Fill), space().width(0),];
    container(line.spacing(spacing::S).align_y(Center)).padding(spacing::M).style(theme::container::danger).into()
}

/// What can be said without asking the relay.
fn check(relay: &str, name: &str, password: &str, new: bool) -> Result<(String, Name), String> {
    let relay = relay.trim();
    if relay.is_empty() {
        return Err("Which relay? Ask whoever runs it for its address.".into());
    }
    // People type addresses without the scheme; the safe one is meant.
    let relay = if relay.contains("://") { relay.to_owned() } else { format!("https://{relay}") };
    let name = name.trim().parse::<Name>().map_err(|error| format!("That can't be a name: {error}."))?;
    if password.is_empty() {
        return Err("The password is missing.".into());
    }
    if new && password.chars().count() < PASSWORD_MIN {
        return Err(format!("A password needs at least {PASSWORD_MIN} characters."));
    }
    Ok((relay, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_checked_before_it_is_sent() {
        let relay = "relay.example.org";
        assert_eq!(check(relay, " Ana ", "x", false).unwrap().0, "https://relay.example.org");
        assert_eq!(check("http://127.0.0.1:1", "Ana", "x", false).unwrap().0, "http://127.0.0.1:1");
        for (relay, name, password, new) in [
            ("", "Ana", "secret word", false),
            (relay, "a b", "secret word", false),
            (relay, "Ana", "", false),
            (relay, "Ana", "short", true),
        ] {
            assert!(check(relay, name, password, new).is_err());
        }
    }
}
