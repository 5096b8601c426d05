//! How the relay is reached: which proxy, if any. A small dialog over the sign-in form.

use iced::{
    Center, Element, Fill,
    widget::{button, center, column, container, opaque, row, scrollable, text_input},
};
use relay_client::ProxySettings;

use crate::ui::{
    icon::{self, Icon, icon},
    settings::{Connection, Way},
    theme::{self, spacing, text},
};

/// What is being chosen.
#[derive(Debug, Default)]
pub struct Dialog {
    connection: Connection,
    /// Kept for this run only.
    password: String,
    problem: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Chosen(Way),
    ProxyChanged(String),
    ExceptionsChanged(String),
    PacChanged(String),
    UserChanged(String),
    PasswordChanged(String),
    Accepted,
    Cancelled,
}

pub enum Action {
    None,
    Close,
    /// To be used, and to be remembered but for the password.
    Use(Box<Connection>, ProxySettings),
}

impl Dialog {
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), ..Self::default() }
    }

    pub fn update(&mut self, message: Message) -> Action {
        self.problem = None;
        let chosen = &mut self.connection;
        match message {
            Message::Chosen(way) => chosen.way = way,
            Message::ProxyChanged(proxy) => chosen.proxy = proxy,
            Message::ExceptionsChanged(exceptions) => chosen.exceptions = exceptions,
            Message::PacChanged(pac) => chosen.pac = pac,
            Message::UserChanged(user) => chosen.user = user,
            Message::PasswordChanged(password) => self.password = password,
            Message::Cancelled => return Action::Close,
            Message::Accepted => match chosen.proxy_settings(&self.password) {
                Ok(settings) => return Action::Use(Box::new(chosen.clone()), settings),
                Err(problem) => self.problem = Some(problem),
            },
        }
        Action::None
    }

    pub fn view(&self) -> Element<'_, Message> {
        let chosen = &self.connection;
        let ways = Way::ALL.map(|way| {
            let mark = if way == chosen.way { Icon::CircleDot } else { Icon::Circle };
            let line = row![icon(mark, icon::SMALL), text::body(way.label())].spacing(spacing::S).align_y(Center);
            button(line).width(Fill).style(theme::button::row(way == chosen.way)).on_press(Message::Chosen(way)).into()
        });
        let mut fields = column![].spacing(spacing::M);
        match chosen.way {
            Way::System | Way::Direct => {}
            Way::Proxy => {
                fields = fields
                    .push(labelled("Proxy", field("proxy.example.org:3128", &chosen.proxy, Message::ProxyChanged)))
                    .push(labelled("Not for", field("example.org, 10.0.0.0/8", &chosen.exceptions, Message::ExceptionsChanged)));
            }
            Way::Pac => {
                fields =
                    fields.push(labelled("Address of the file", field("http://wpad/wpad.dat", &chosen.pac, Message::PacChanged)));
            }
        }
        if chosen.way != Way::Direct {
            let secret = field("Asked for at each start", &self.password, Message::PasswordChanged).secure(true);
            fields = fields
                .push(labelled("Name at the proxy", field("If it wants one", &chosen.user, Message::UserChanged)))
                .push(labelled("Password at the proxy", secret));
        }
        let choices = row![
            choice("Cancel", theme::button::soft).on_press(Message::Cancelled),
            choice("Use it", theme::button::primary).on_press(Message::Accepted),
        ];
        let content =
            column![text::title("Connection"), column(ways).spacing(spacing::XS), fields]
                .push(self.problem.as_deref().map(|problem| {
                    container(text::body(problem)).padding(spacing::M).width(Fill).style(theme::container::danger)
                }))
                .push(choices.spacing(spacing::M))
                .spacing(spacing::L);
        let card = container(content).padding(spacing::XL).width(spacing::FORM).style(theme::container::card);
        opaque(center(scrollable(card).style(theme::input::scroll)).style(theme::container::veil))
    }
}

fn field<'a>(placeholder: &'a str, value: &'a str, on_input: fn(String) -> Message) -> text_input::TextInput<'a, Message> {
    let field = text_input(placeholder, value).padding(spacing::M).size(text::BODY).style(theme::input::field);
    field.on_input(on_input).on_submit(Message::Accepted)
}

fn labelled<'a>(label: &'a str, field: text_input::TextInput<'a, Message>) -> Element<'a, Message> {
    column![text::caption(label), field].spacing(spacing::XS).into()
}

fn choice<'a>(label: &'a str, style: fn(&iced::Theme, button::Status) -> button::Style) -> button::Button<'a, Message> {
    button(container(text::strong(label)).center_x(Fill)).width(Fill).padding([spacing::M, spacing::L]).style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_proxy_keeps_the_dialog_open() {
        let mut dialog = Dialog::new(&Connection::default());
        assert!(matches!(dialog.update(Message::Accepted), Action::Use(_, settings) if settings == ProxySettings::default()));
        let _ = dialog.update(Message::Chosen(Way::Proxy));
        assert!(matches!(dialog.update(Message::Accepted), Action::None));
        assert!(dialog.problem.is_some());
        let _ = dialog.update(Message::ProxyChanged("proxy:3128".into()));
        assert!(dialog.problem.is_none(), "who goes on typing has seen it");
        let _ = dialog.update(Message::UserChanged("ana".into()));
        let _ = dialog.update(Message::PasswordChanged("secret".into()));
        let Action::Use(connection, settings) = dialog.update(Message::Accepted) else { panic!("it is a proxy") };
        assert_eq!(settings.source.to_string(), "http://proxy:3128");
        assert_eq!(settings.login.map(|login| login.user().to_owned()).as_deref(), Some("ana"));
        assert!(!format!("{connection:?}").contains("secret"));
        assert!(matches!(dialog.update(Message::Cancelled), Action::Close));
    }
}
