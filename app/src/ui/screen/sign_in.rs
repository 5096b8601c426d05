//! Signing in, or making an account first: one form.

pub mod browser;

use iced::{
    Center, Element, Fill, Task,
    widget::{button, center, column, container, mouse_area, operation, row, scrollable, space, text_input},
};
use proto::{Name, limits::PASSWORD_MIN};
use relay_client::Session;

use self::browser::Browser;

use crate::ui::{
    icon::{self, Icon, icon},
    line,
    notice::Notice,
    settings::Settings,
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
    browser: Box<Browser>,
}

#[derive(Debug, Clone)]
pub enum Message {
    RelayChanged(String),
    NameChanged(String),
    PasswordChanged(String),
    LabelPressed(&'static str),
    Toggled,
    Submitted,
    Finished(Result<Session, Notice>),
    Browser(browser::Message),
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
        Self { relay: settings.relay.clone(), name: settings.name.clone(), ..Self::default() }
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

    /// Asks the relay who else may say who someone is.
    pub fn look(&mut self) -> Task<Message> {
        self.browser.look(&self.relay).map(Message::Browser)
    }

    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// The first field that needs something.
    pub fn focus(&self) -> Task<Message> {
        if self.name.is_empty() { operation::focus(NAME) } else { operation::focus(PASSWORD) }
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::RelayChanged(relay) => {
                self.relay = relay;
                self.error = None;
                return Action::Run(self.browser.relay_changed(&self.relay).map(Message::Browser));
            }
            Message::NameChanged(name) => self.name = name,
            Message::PasswordChanged(password) => self.password = password,
            Message::LabelPressed(field) => return Action::Run(operation::focus(field)),
            Message::Toggled => self.new = !self.new,
            Message::Browser(message) => return self.browser(message),
            Message::Submitted if self.busy || self.browser.is_busy() => return Action::None,
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

    fn browser(&mut self, message: browser::Message) -> Action {
        if matches!(message, browser::Message::Pressed) {
            self.error = None;
        }
        match self.browser.update(message) {
            browser::Action::None => Action::None,
            browser::Action::Run(task) => Action::Run(task.map(Message::Browser)),
            browser::Action::SignedIn(session) => {
                self.password.clear();
                Action::SignedIn(session)
            }
            browser::Action::Failed(error) => {
                self.error = Some(error);
                Action::None
            }
        }
    }

    fn submit(&mut self) -> Task<Message> {
        let checked = check(&self.relay, &self.name, &self.password, self.new);
        match checked {
            Ok((relay, name)) => {
                self.busy = true;
                self.error = None;
                line::sign_in(relay, name, self.password.clone(), self.new).map(Message::Finished)
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
            .push(submit.on_press_maybe((!self.busy && !self.browser.is_busy()).then_some(Message::Submitted)))
            .push(self.browser.button().map(|button| button.map(Message::Browser)))
            .push(container(button(text::body(toggle)).style(theme::button::link).on_press(Message::Toggled)).center_x(Fill))
            .spacing(spacing::L);
        let form = self.browser.view().map_or_else(|| form.into(), |code| code.map(Message::Browser));
        let card = container(form).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        let page = column![heading, card].spacing(spacing::XL).align_x(Center).padding(spacing::XL);
        center(scrollable(page).style(theme::input::scroll)).style(theme::container::background).into()
    }

    fn field<'a>(
        &self,
        placeholder: &'a str,
        value: &'a str,
        on_input: fn(String) -> Message,
    ) -> text_input::TextInput<'a, Message> {
        let field = text_input(placeholder, value).padding(spacing::M).size(text::BODY).style(theme::input::field);
        if self.busy || self.browser.is_busy() { field } else { field.on_input(on_input).on_submit(Message::Submitted) }
    }
}

fn labelled<'a>(id: &'static str, label: &'a str, field: text_input::TextInput<'a, Message>) -> Element<'a, Message> {
    let label = mouse_area(text::caption(label)).on_press(Message::LabelPressed(id));
    column![label, field.id(id)].spacing(spacing::XS).into()
}

fn problem(error: &str) -> Element<'_, Message> {
    let line = row![icon(Icon::TriangleAlert, icon::SMALL).style(text::danger), text::body(error).width(Fill), space().width(0),];
    container(line.spacing(spacing::S).align_y(Center)).padding(spacing::M).style(theme::container::danger).into()
}

/// People type addresses without the scheme; the safe one is meant.
pub fn address(relay: &str) -> String {
    let relay = relay.trim();
    if relay.contains("://") { relay.to_owned() } else { format!("https://{relay}") }
}

/// What can be said without asking the relay.
fn check(relay: &str, name: &str, password: &str, new: bool) -> Result<(String, Name), String> {
    let relay = relay.trim();
    if relay.is_empty() {
        return Err("Which relay? Ask whoever runs it for its address.".into());
    }
    let relay = address(relay);
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
