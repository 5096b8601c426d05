//! Signing in, or making an account first: one form.

pub mod browser;
pub mod connection;
pub mod question;

use std::collections::BTreeMap;

use iced::{
    Center, Element, Fill, Task, clipboard,
    widget::{button, center, column, container, mouse_area, operation, row, scrollable, space, stack, text_input},
};
use proto::{ErrorCode, Fingerprint, Name, limits::PASSWORD_MIN};
use relay_client::{ProxySettings, Session, Trust};

use self::{browser::Browser, question::Question};
use super::checkup::{self, Checkup};
use crate::ui::{
    icon::{self, Icon, icon},
    line::{self, Account, Failure, Last, Way},
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
    /// The invitation code, once the relay has said that it wants one.
    code: Option<String>,
    busy: bool,
    error: Option<String>,
    /// As remembered, or as just chosen.
    connection: Connection,
    /// Said for this run; goes before what is remembered.
    proxy: Option<ProxySettings>,
    dialog: Option<connection::Dialog>,
    checkup: Option<Checkup>,
    browser: Box<Browser>,
    /// The authorities that are good besides those of the system.
    trust: Trust,
    /// The relay of the last try.
    last: Last,
    /// The certificates that are pinned, by their relays.
    pinned: BTreeMap<String, Fingerprint>,
    /// A certificate that the person must look at first.
    question: Option<Box<Question>>,
    /// The person says that they have compared another certificate than before.
    compared: bool,
}

#[derive(Debug, Clone)]
pub enum Message {
    ConnectionPressed,
    CheckPressed,
    Checkup(checkup::Message),
    Connection(connection::Message),
    RelayChanged(String),
    NameChanged(String),
    PasswordChanged(String),
    CodeChanged(String),
    LabelPressed(&'static str),
    Toggled,
    Submitted,
    Browser(browser::Message),
    Finished(Result<Session, Failure>),
    /// The certificate is the right one.
    Trusted,
    Distrusted,
    Compared(bool),
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
        let (connection, pinned) = (settings.connection.clone(), settings.trusted.clone());
        Self { relay: settings.relay.clone(), name: settings.name.clone(), connection, pinned, ..Self::default() }
    }

    /// Reaches the relay this way, if one is given, whatever is remembered.
    pub fn by(self, proxy: Option<ProxySettings>) -> Self {
        Self { proxy, ..self }
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

    /// Asks the relay who else may say who someone is.
    pub fn look(&mut self) -> Task<Message> {
        let way = self.way(address(&self.relay));
        self.browser.look(&self.relay, way.ok()).map(Message::Browser)
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
                self.error = None;
                // It may not have been reached before.
                return Action::Run(self.look());
            }
            Message::CheckPressed => match self.begin_checkup() {
                Ok(task) => return Action::Run(task),
                Err(error) => {
                    self.error = Some(error);
                    return Action::None;
                }
            },
            Message::Checkup(message) => return self.in_checkup(message),
            Message::RelayChanged(relay) => {
                self.relay = relay;
                self.error = None;
                return Action::Run(self.browser.relay_changed(&self.relay).map(Message::Browser));
            }
            Message::NameChanged(name) => self.name = name,
            Message::PasswordChanged(password) => self.password = password,
            Message::CodeChanged(code) => self.code = Some(code),
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
            Message::Finished(Err(Failure::Unknown(question))) => {
                (self.busy, self.compared) = (false, false);
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
                // It could not be asked before what it offers.
                let look = self.look();
                return Action::Pin(*question, Task::batch([self.submit(), look]));
            }
            Message::Distrusted => self.question = None,
            Message::Compared(compared) => self.compared = compared,
        }
        self.error = None;
        Action::None
    }

    fn begin_checkup(&mut self) -> Result<Task<Message>, String> {
        let relay = named(&self.relay)?;
        let look = line::examine(self.way(relay)?)?;
        let (checkup, task) = Checkup::begin(look);
        self.checkup = Some(checkup);
        Ok(task.map(Message::Checkup))
    }

    fn in_checkup(&mut self, message: checkup::Message) -> Action {
        let Some(checkup) = &mut self.checkup else { return Action::None };
        match checkup.update(message) {
            checkup::Action::None => Action::None,
            checkup::Action::Again => Action::Run(self.begin_checkup().unwrap_or_else(|_| Task::none())),
            checkup::Action::Copy(report) => Action::Run(clipboard::write(report)),
            checkup::Action::Close => {
                self.checkup = None;
                Action::None
            }
        }
    }

    fn browser(&mut self, message: browser::Message) -> Action {
        if matches!(message, browser::Message::Pressed) {
            self.error = None;
        }
        let way = self.way(address(&self.relay));
        match self.browser.update(message, way) {
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
        match checked.and_then(|(relay, name)| Ok((self.way(relay)?, name))) {
            Ok((way, name)) => {
                self.busy = true;
                self.error = None;
                let account = match &self.code {
                    _ if !self.new => Account::Known,
                    Some(code) if !code.trim().is_empty() => Account::ByCode(code.clone()),
                    _ => Account::New,
                };
                line::sign_in(way, name, self.password.clone(), account).map(Message::Finished)
            }
            Err(error) => {
                self.error = Some(error);
                Task::none()
            }
        }
    }

    /// How this relay is reached, or what is wrong with what was chosen.
    fn way(&self, relay: String) -> Result<Way, String> {
        let proxy = self.proxy.clone().map_or_else(|| self.connection.proxy_settings(""), Ok)?;
        Ok(Way { trust: self.trust_in(&relay), relay, proxy, last: self.last.clone() })
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
        let code = || self.browser.view().map(|code| code.map(Message::Browser));
        let question = self.question.as_deref().map(|question| question.view(self.compared));
        let form = question.or_else(code).unwrap_or_else(|| self.form());
        let card = container(form).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        let page = column![heading, card].spacing(spacing::XL).align_x(Center).padding(spacing::XL);
        let page = center(scrollable(page).style(theme::input::scroll)).style(theme::container::background);
        let dialog = self.dialog.as_ref().map(|dialog| dialog.view().map(Message::Connection));
        let checkup = self.checkup.as_ref().map(|checkup| checkup.view().map(Message::Checkup));
        stack![page].push(dialog).push(checkup).into()
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
            .push(submit.on_press_maybe((!self.busy && !self.browser.is_busy()).then_some(Message::Submitted)))
            .push(self.browser.button().map(|button| button.map(Message::Browser)))
            .push(link(toggle, Message::Toggled))
            .push(link("Connection and proxy", Message::ConnectionPressed))
            .push(link("Check the connection", Message::CheckPressed))
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
        if self.busy || self.browser.is_busy() { field } else { field.on_input(on_input).on_submit(Message::Submitted) }
    }
}

fn link(label: &str, message: Message) -> Element<'_, Message> {
    container(button(text::body(label)).style(theme::button::link).on_press(message)).center_x(Fill).into()
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

/// The relay's address, if one was given.
fn named(relay: &str) -> Result<String, String> {
    if relay.trim().is_empty() {
        return Err("Which relay? Ask whoever runs it for its address.".into());
    }
    Ok(address(relay))
}

/// What can be said without asking the relay.
fn check(relay: &str, name: &str, password: &str, new: bool) -> Result<(String, Name), String> {
    let relay = named(relay)?;
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
        let question = Question { relay: "https://relay.example.org".into(), fingerprint, before: None };
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
