//! Signing in, or making an account first: one form.

pub mod question;

use std::collections::BTreeMap;

use iced::{
    Center, Element, Fill, Task,
    widget::{button, center, column, container, mouse_area, operation, row, scrollable, space, text_input},
};
use proto::{ErrorCode, Fingerprint, Name, limits::PASSWORD_MIN};
use relay_client::{Session, Trust};

use self::question::Question;

use crate::ui::{
    icon::{self, Icon, icon},
    line::{self, Account, Failure},
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
    /// The invitation code, once the relay has said that it wants one.
    code: Option<String>,
    busy: bool,
    error: Option<String>,
    /// The authorities that are good besides those of the system.
    trust: Trust,
    /// The certificates that are pinned, by their relays.
    pinned: BTreeMap<String, Fingerprint>,
    /// A certificate that the person must look at first.
    question: Option<Box<Question>>,
}

#[derive(Debug, Clone)]
pub enum Message {
    RelayChanged(String),
    NameChanged(String),
    PasswordChanged(String),
    CodeChanged(String),
    LabelPressed(&'static str),
    Toggled,
    Submitted,
    Finished(Result<Session, Failure>),
    /// The certificate is the right one.
    Trusted,
    Distrusted,
}

pub enum Action {
    None,
    Run(Task<Message>),
    /// Signed in; these are to be remembered.
    SignedIn(Session),
    /// A certificate is to be remembered.
    Pin(Question, Task<Message>),
}

const RELAY: &str = "sign-in-relay";
const NAME: &str = "sign-in-name";
const PASSWORD: &str = "sign-in-password";
const CODE: &str = "sign-in-code";

/// Said where there is no encryption on the way.
pub const IN_THE_CLEAR: &str = "Without encryption: whoever runs the network can read along, your password too, and watch your calls. \
                                https:// is safe, if the relay has it.";

impl SignIn {
    pub fn new(settings: &Settings) -> Self {
        let pinned = settings.trusted.clone();
        Self { relay: settings.relay.clone(), name: settings.name.clone(), pinned, ..Self::default() }
    }

    /// What else is good besides the system's authorities.
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
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

    /// The first field that needs something.
    pub fn focus(&self) -> Task<Message> {
        if self.name.is_empty() { operation::focus(NAME) } else { operation::focus(PASSWORD) }
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::RelayChanged(relay) => self.relay = relay,
            Message::NameChanged(name) => self.name = name,
            Message::PasswordChanged(password) => self.password = password,
            Message::CodeChanged(code) => self.code = Some(code),
            Message::LabelPressed(field) => return Action::Run(operation::focus(field)),
            Message::Toggled => self.new = !self.new,
            Message::Submitted if self.busy => return Action::None,
            Message::Submitted => return Action::Run(self.submit()),
            Message::Finished(Ok(session)) => {
                self.busy = false;
                self.password.clear();
                return Action::SignedIn(session);
            }
            Message::Finished(Err(Failure::Unknown(question))) => {
                self.busy = false;
                self.question = Some(Box::new(question));
            }
            Message::Finished(Err(Failure::Told(notice))) => {
                self.busy = false;
                if notice.code == Some(ErrorCode::WrongCode) && self.code.is_none() {
                    // It can't be known before: most relays want none.
                    self.code = Some(String::new());
                    self.error = Some("This relay wants an invitation code: ask whoever runs it for one.".into());
                    return Action::Run(operation::focus(CODE));
                }
                self.error = Some(notice.text);
                return Action::None;
            }
            Message::Trusted => {
                let Some(question) = self.question.take() else { return Action::None };
                self.pinned.insert(question.relay.clone(), question.fingerprint);
                return Action::Pin(*question, self.submit());
            }
            Message::Distrusted => self.question = None,
        }
        self.error = None;
        Action::None
    }

    fn submit(&mut self) -> Task<Message> {
        let checked = check(&self.relay, &self.name, &self.password, self.new);
        match checked {
            Ok((relay, name)) => {
                self.busy = true;
                self.error = None;
                let account = match &self.code {
                    _ if !self.new => Account::Known,
                    Some(code) if !code.trim().is_empty() => Account::ByCode(code.clone()),
                    _ => Account::New,
                };
                let trust = self.trust_in(&relay);
                line::sign_in(relay, name, self.password.clone(), account, trust).map(Message::Finished)
            }
            Err(error) => {
                self.error = Some(error);
                Task::none()
            }
        }
    }

    /// A certificate is pinned for its relay and for nobody else.
    fn trust_in(&self, relay: &str) -> Trust {
        let pinned = relay_client::origin(relay).ok().and_then(|origin| self.pinned.get(&origin));
        pinned.map_or_else(|| self.trust.clone(), |fingerprint| self.trust.clone().pin(*fingerprint))
    }

    pub fn view(&self) -> Element<'_, Message> {
        let heading = column![
            row![icon(Icon::Tv, icon::LARGE).style(text::primary), text::display("tvphone")].spacing(spacing::M).align_y(Center),
            text::body("Face to face, wherever a web page loads.").style(text::muted),
        ]
        .spacing(spacing::S)
        .align_x(Center);
        let form = self.question.as_deref().map_or_else(|| self.form(), Question::view);
        let card = container(form).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        let page = column![heading, card].spacing(spacing::XL).align_x(Center).padding(spacing::XL);
        center(scrollable(page).style(theme::input::scroll)).style(theme::container::background).into()
    }

    fn form(&self) -> Element<'_, Message> {
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
        let code = self.code.as_deref().filter(|_| self.new);
        let form = form.push(
            code.map(|code| labelled(CODE, "Invitation code", self.field("7KQF-9M2X-0CVB-T4HD", code, Message::CodeChanged))),
        );
        column![form]
            .push(relay_client::is_in_the_clear(&self.relay).then(in_the_clear))
            .push(self.error.as_deref().map(problem))
            .push(submit.on_press_maybe((!self.busy).then_some(Message::Submitted)))
            .push(container(button(text::body(toggle)).style(theme::button::link).on_press(Message::Toggled)).center_x(Fill))
            .spacing(spacing::L)
            .into()
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

fn labelled<'a>(id: &'static str, label: &'a str, field: text_input::TextInput<'a, Message>) -> Element<'a, Message> {
    let label = mouse_area(text::caption(label)).on_press(Message::LabelPressed(id));
    column![label, field.id(id)].spacing(spacing::XS).into()
}

/// What it means that the address begins with http://.
fn in_the_clear<'a>() -> Element<'a, Message> {
    let line = row![icon(Icon::TriangleAlert, icon::SMALL).style(text::warning), text::body(IN_THE_CLEAR).width(Fill)];
    container(line.spacing(spacing::S).align_y(Center)).padding(spacing::M).style(theme::container::warning).into()
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
    use crate::ui::notice::Notice;

    #[test]
    fn a_code_is_asked_for_once_the_relay_wants_one() {
        let mut form = SignIn { relay: "relay.example.org".into(), name: "Ana".into(), new: true, ..SignIn::default() };
        let wrong = Failure::Told(Notice { text: "No.".into(), code: Some(ErrorCode::WrongCode) });
        form.update(Message::Finished(Err(wrong.clone())));
        assert_eq!(form.code.as_deref(), Some(""));
        form.update(Message::CodeChanged("7kqf".into()));
        form.update(Message::Finished(Err(wrong)));
        assert_eq!((form.code.as_deref(), form.error.as_deref()), (Some("7kqf"), Some("No.")));
    }

    #[test]
    fn a_certificate_is_pinned_for_its_relay_alone() {
        let mut sign_in = SignIn::default();
        let fingerprint = Fingerprint::new([7; 32]);
        let question = Question { relay: "https://relay.example.org".into(), fingerprint };
        let _ = sign_in.update(Message::Finished(Err(Failure::Unknown(question.clone()))));
        let _ = sign_in.update(Message::Distrusted);
        assert_eq!(sign_in.trust_in("https://relay.example.org").pinned(), None);
        assert!(matches!(sign_in.update(Message::Trusted), Action::None), "nothing is asked any more");
        let _ = sign_in.update(Message::Finished(Err(Failure::Unknown(question.clone()))));
        assert!(matches!(sign_in.update(Message::Trusted), Action::Pin(pinned, _) if pinned == question));
        for same in ["https://relay.example.org", "https://Relay.example.org:443/phone/"] {
            assert_eq!(sign_in.trust_in(same).pinned(), Some(fingerprint), "{same}");
        }
        for other in ["https://relay.example.org:8443", "https://relay.example.com", "http://relay.example.org"] {
            assert_eq!(sign_in.trust_in(other).pinned(), None, "{other}");
        }
    }

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
