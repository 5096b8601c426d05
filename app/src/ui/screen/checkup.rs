//! A look at the way to the relay, as a dialog over the form or the desk: rung by rung as they come, and a report to hand on.

use std::time::Duration;

use futures::channel::mpsc::unbounded;
use iced::{
    Center, Element, Fill, Task, Theme,
    task::Handle,
    widget::{button, center, column, container, opaque, row, scrollable, text::Style},
};
use relay_client::{
    Relay,
    doctor::{Plan, Progress, Report, Rung, Step, Verdict},
};

use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
};

/// Room for all rungs of a usual report; in lower windows they are scrolled.
const HEIGHT: f32 = 690.0;

#[derive(Debug, Default)]
pub struct Checkup {
    rungs: Vec<Rung>,
    /// What is looked at now.
    now: Option<Step>,
    held: Option<(Duration, Duration)>,
    report: Option<Box<Report>>,
    copied: bool,
    /// Ends it when the dialog is closed.
    _looking: Option<Handle>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Went(Progress),
    Finished(Box<Report>),
    AgainPressed,
    CopyPressed,
    ClosePressed,
}

pub enum Action {
    None,
    /// To be begun anew.
    Again,
    /// To the clipboard.
    Copy(String),
    Close,
}

impl Checkup {
    /// Begins to look, as `look` does; with what it tells.
    pub fn begin(look: Task<Message>) -> (Self, Task<Message>) {
        let (look, handle) = look.abortable();
        (Self { _looking: Some(handle.abort_on_drop()), ..Self::default() }, look)
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Went(Progress::Began(step)) => (self.now, self.held) = (Some(step), None),
            Message::Went(Progress::Held(passed, of)) => self.held = Some((passed, of)),
            Message::Went(Progress::Ended(rung)) => {
                self.held = None;
                self.rungs.push(rung);
            }
            Message::Went(_) => {}
            Message::Finished(report) => {
                self.now = None;
                self.rungs.clone_from(&report.rungs);
                self.report = Some(report);
            }
            Message::AgainPressed => return Action::Again,
            Message::CopyPressed => {
                if let Some(report) = &self.report {
                    self.copied = true;
                    return Action::Copy(report.to_string());
                }
            }
            Message::ClosePressed => return Action::Close,
        }
        Action::None
    }

    pub fn view(&self) -> Element<'_, Message> {
        let close = button(icon(Icon::X, icon::MEDIUM)).padding(spacing::S).style(theme::button::quiet);
        let close = container(close.on_press(Message::ClosePressed)).id("close-checkup");
        let head = row![text::title("Connection check").width(Fill), close].align_y(Center);
        let rungs = column(Step::ALL.map(|step| self.rung(step))).spacing(spacing::S).padding(spacing::RUNG);
        let rungs = container(scrollable(rungs).width(Fill).style(theme::input::scroll)).height(Fill);
        let done = self.report.is_some();
        let again = choice("Look again", theme::button::soft).on_press_maybe(done.then_some(Message::AgainPressed));
        let copy = choice(if self.copied { "Copied" } else { "Copy report" }, theme::button::primary);
        let choices = row![again, copy.on_press_maybe(done.then_some(Message::CopyPressed))].spacing(spacing::M);
        let card = column![head, self.verdict(), rungs, choices].spacing(spacing::M).height(Fill);
        let card = container(card).padding(spacing::XL).width(spacing::CHECKUP).max_height(HEIGHT).style(theme::container::card);
        opaque(center(card).padding(spacing::M).style(theme::container::veil))
    }

    /// What it comes to, so far.
    fn verdict(&self) -> Element<'_, Message> {
        let Some(report) = &self.report else {
            let says = match self.held {
                Some((passed, of)) => format!("A poll is held: {} of {} s.", passed.as_secs(), of.as_secs()),
                None => "This takes up to a minute. You can close it at any time.".to_owned(),
            };
            return text::caption(says).into();
        };
        match report.first_trouble() {
            None => container(text::body("All is well.").style(text::good)).into(),
            Some(rung) => {
                let bad = rung.verdict == Verdict::Bad;
                let words = column![text::strong(format!("Begin with: {}", rung.step.title())), text::body(rung.advice.as_str())];
                let words = container(words.spacing(spacing::XS)).padding(spacing::M).width(Fill);
                words.style(if bad { theme::container::danger } else { theme::container::warning }).into()
            }
        }
    }

    fn rung(&self, step: Step) -> Element<'_, Message> {
        let rung = self.rungs.iter().find(|rung| rung.step == step);
        let (mark, style): (_, fn(&Theme) -> Style) = match rung.map(|rung| rung.verdict) {
            Some(Verdict::Good) => (Icon::CircleCheck, text::good),
            Some(Verdict::Weak) => (Icon::TriangleAlert, text::warning),
            Some(Verdict::Bad) => (Icon::CircleX, text::danger),
            Some(Verdict::Untested) => (Icon::CircleMinus, text::faint),
            None if self.now == Some(step) => (Icon::CircleDot, text::primary),
            None => (Icon::Circle, text::faint),
        };
        let says = match rung {
            Some(rung) => text::caption(rung.found.as_str()),
            None if self.now == Some(step) => text::caption("Looking\u{2026}"),
            None => text::caption(""),
        };
        row![icon(mark, icon::MEDIUM).style(style), column![text::strong(step.title()), says].width(Fill)]
            .spacing(spacing::M)
            .into()
    }
}

/// Looks at the way to a relay.
pub fn look(relay: Relay) -> Task<Message> {
    let (sender, progress) = unbounded();
    let work = async move {
        let told = sender.clone();
        let report = relay.examine(&Plan::default(), move |went| drop(told.unbounded_send(Message::Went(went)))).await;
        drop(sender.unbounded_send(Message::Finished(Box::new(report))));
    };
    Task::batch([Task::future(work).discard(), Task::stream(progress)])
}

fn choice<'a>(label: &'a str, style: fn(&Theme, button::Status) -> button::Style) -> button::Button<'a, Message> {
    button(container(text::strong(label)).center_x(Fill)).width(Fill).padding([spacing::M, spacing::L]).style(style)
}
