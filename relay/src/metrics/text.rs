//! The text form of Prometheus, version 0.0.4.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use proto::Kind;

use super::Lane;
use crate::app::App;

/// What the page is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All there is to say at `now`.
pub(crate) fn page(app: &App, now: Instant) -> String {
    let mut page = Page(String::new());
    let metrics = &app.metrics;
    page.gauge("tvphone_build_info", "The version that runs, always 1.");
    page.line("tvphone_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("tvphone_uptime_seconds", "How long the relay has run.");
    page.line("tvphone_uptime_seconds", &[], now.saturating_duration_since(app.started).as_secs());
    let (sessions, counts) = (app.hub.sessions(), app.hub.counts());
    let present = sessions.iter().filter(|session| session.is_there(now)).count();
    page.gauge("tvphone_sessions", "Signed-in devices, by whether they are there.");
    page.line("tvphone_sessions", &[("present", "yes")], present as u64);
    page.line("tvphone_sessions", &[("present", "no")], (sessions.len() - present) as u64);
    page.gauge("tvphone_people_online", "People who are there.");
    page.line("tvphone_people_online", &[], counts.online as u64);
    page.gauge("tvphone_calls", "Calls that are on.");
    page.line("tvphone_calls", &[], counts.calls as u64);
    let (open, refused) = app.slots.counts();
    page.gauge("tvphone_connections", "Connections that are open.");
    page.line("tvphone_connections", &[], open as u64);
    page.counter("tvphone_connections_refused_total", "Connections closed at once since there were too many.");
    page.line("tvphone_connections_refused_total", &[], refused);
    page.counter("tvphone_sign_ins_total", "Sign-ins with the right and with a wrong name or password.");
    page.line("tvphone_sign_ins_total", &[("outcome", "ok")], load(&metrics.signed_in));
    page.line("tvphone_sign_ins_total", &[("outcome", "failed")], load(&metrics.not_signed_in));
    page.counter("tvphone_events_told_total", "Events told, once for each session.");
    page.line("tvphone_events_told_total", &[], counts.told);
    page.gauge("tvphone_polls_parked", "Polls that wait for something to answer.");
    page.line("tvphone_polls_parked", &[("lane", "events")], load(&metrics.event_polls));
    let of = |what: fn(&Lane) -> &AtomicU64| Kind::ALL.map(|kind| (kind.as_str(), load(what(metrics.lane(kind)))));
    page.lanes("tvphone_polls_parked", of(|lane| &lane.parked));
    page.counter("tvphone_chunks_in_total", "Chunks taken in.");
    page.lanes("tvphone_chunks_in_total", of(|lane| &lane.came.chunks));
    page.counter("tvphone_chunk_bytes_in_total", "Bytes of chunks taken in, with their headers.");
    page.lanes("tvphone_chunk_bytes_in_total", of(|lane| &lane.came.bytes));
    page.counter("tvphone_chunks_out_total", "Chunks passed on, once for each reader.");
    page.lanes("tvphone_chunks_out_total", of(|lane| &lane.went.chunks));
    page.counter("tvphone_chunk_bytes_out_total", "Bytes of chunks passed on, with their headers.");
    page.lanes("tvphone_chunk_bytes_out_total", of(|lane| &lane.went.bytes));
    page.counter("tvphone_requests_total", "Requests answered.");
    metrics.requests.each(|route, method, status, count| {
        let labels = [("method", method), ("route", route), ("status", status)];
        page.line("tvphone_requests_total", &labels, count);
    });
    page.0
}

struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, "gauge", help);
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.head(name, "counter", help);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // A String takes all that is written to it.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn lanes(&mut self, name: &str, values: [(&str, u64); 3]) {
        for (lane, value) in values {
            self.line(name, &[("lane", lane)], value);
        }
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_form_and_what_is_in_labels_stays_there() {
        let mut page = Page(String::new());
        page.counter("a_total", "All of them.");
        page.line("a_total", &[], 7);
        page.line("a_total", &[("b", "c\"\\\n"), ("d", "/v1/{id}")], 8);
        assert_eq!(
            page.0,
            "# HELP a_total All of them.\n# TYPE a_total counter\na_total 7\na_total{b=\"c\\\"\\\\\\n\",d=\"/v1/{id}\"} 8\n"
        );
    }
}
