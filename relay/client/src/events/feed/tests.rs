//! The event lane in virtual time.

use proto::Name;

use super::*;

fn state(cursor: &str) -> Result<State, Error> {
    let name: Name = "Ana".parse().unwrap();
    Ok(State {
        name,
        buddies: vec![],
        invitations: vec![],
        call: None,
        tickers: vec![],
        presence: proto::model::OwnPresence::default(),
        blocked: vec![],
        missed: vec![],
        cursor: Cursor::new(cursor),
    })
}

fn events(events: Vec<Event>, cursor: &str) -> Result<Events, Error> {
    Ok(Events { events, cursor: Cursor::new(cursor) })
}

fn refused(code: ErrorCode) -> Error {
    Error::Refused { code, message: "No.".to_owned(), retry_after: None }
}

fn timeout() -> Error {
    Error::Timeout { relay: "http://relay.example.org".into() }
}

/// A broken connection as reqwest tells it; a `Client` makes one without any network when the address is bad.
fn broken() -> Error {
    let source = reqwest::Client::builder().user_agent("\n").build().unwrap_err();
    Error::Broken { relay: "http://relay.example.org".into(), source: Arc::new(source) }
}

fn poll(after: &str, hold: Duration) -> Step {
    Step::Poll { after: Cursor::new(after), hold }
}

/// The updates as short words.
fn told(feed: &mut Feed) -> Vec<String> {
    std::iter::from_fn(|| feed.take())
        .map(|update| match update {
            Update::State(state) => format!("state {}", state.cursor),
            Update::Event(_) => "event".to_owned(),
            Update::Reconnecting { attempt, .. } => format!("attempt {attempt}"),
            Update::Connected => "connected".to_owned(),
            Update::SignedOut { .. } => "signed out".to_owned(),
        })
        .collect()
}

/// A feed whose first state is here and told.
fn running(now: Instant) -> Feed {
    let mut feed = Feed::new(1);
    assert_eq!(feed.step(now), Step::State);
    feed.state(state("a"), now);
    assert_eq!(told(&mut feed), ["state a"]);
    feed
}

#[test]
fn state_first_then_poll_after_poll() {
    let now = Instant::now();
    let mut feed = running(now);
    assert_eq!(feed.step(now), poll("a", WAIT_MAX));
    feed.events(events(vec![Event::Unknown, Event::Unknown], "b"), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["event", "event"]);
    assert_eq!(feed.step(now), poll("b", WAIT_MAX));
    feed.events(events(vec![], "b"), WAIT_MAX, WAIT_MAX, now);
    assert!(told(&mut feed).is_empty());
    assert_eq!(feed.step(now), poll("b", WAIT_MAX), "the next one at once");
}

#[test]
fn a_relay_that_will_not_hold_is_not_asked_as_fast_as_it_answers() {
    let now = Instant::now();
    let mut feed = running(now);
    for _ in 0..3 {
        feed.events(events(vec![], "a"), WAIT_MAX, Duration::from_millis(1), now);
        assert_eq!(feed.step(now), poll("a", WAIT_MAX));
    }
    feed.events(events(vec![], "a"), WAIT_MAX, Duration::from_millis(1), now);
    assert!(matches!(feed.step(now), Step::Sleep(_)));
    assert_eq!(feed.step(now + Duration::from_secs(1)), poll("a", WAIT_MAX));
    assert!(told(&mut feed).is_empty());
}

#[test]
fn an_expired_cursor_means_a_new_state() {
    let now = Instant::now();
    let mut feed = running(now);
    feed.events(events(vec![], "b"), WAIT_MAX, WAIT_MAX, now);
    feed.events(Err(refused(ErrorCode::CursorExpired)), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(feed.step(now), Step::State);
    feed.state(state("z"), now);
    assert_eq!(told(&mut feed), ["state z"]);
    assert_eq!(feed.step(now), poll("z", WAIT_MAX));
}

#[test]
fn a_relay_that_forgets_each_cursor_is_asked_ever_slower() {
    let mut now = Instant::now();
    let start = now;
    let mut feed = running(now);
    for _ in 0..10 {
        feed.events(Err(refused(ErrorCode::CursorExpired)), WAIT_MAX, Duration::ZERO, now);
        let Step::Sleep(until) = feed.step(now) else { panic!("no pause") };
        now = until;
        assert_eq!(feed.step(now), Step::State);
        feed.state(state("a"), now);
    }
    assert!(now - start > Duration::from_secs(3));
}

#[test]
fn the_end_of_the_session_is_the_end() {
    let now = Instant::now();
    let mut feed = running(now);
    feed.events(Err(refused(ErrorCode::Unauthorized)), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["signed out"]);
    assert_eq!(feed.step(now), Step::End);
    let mut feed = Feed::new(1);
    feed.state(Err(refused(ErrorCode::Unauthorized)), now);
    assert_eq!(feed.step(now), Step::End);
}

#[test]
fn a_spell_counts_its_attempts_and_ends_with_connected() {
    let mut now = Instant::now();
    let begun = now;
    let mut feed = running(now);
    for attempt in 1..=20 {
        feed.events(Err(timeout()), WAIT_MAX, Duration::ZERO, now);
        match feed.take() {
            Some(Update::Reconnecting { attempt: told, since, reason }) => {
                assert_eq!((told, since), (attempt, begun));
                assert!(matches!(*reason, Error::Timeout { .. }));
            }
            other => panic!("{other:?}"),
        }
        let Step::Sleep(until) = feed.step(now) else { panic!("no pause") };
        assert!(until - now <= Duration::from_secs(1), "a relay that is back must be found within a second");
        now = until;
        assert_eq!(feed.step(now), poll("a", Duration::ZERO), "answered at once, so that it is known at once");
    }
    feed.events(events(vec![Event::Unknown], "b"), Duration::ZERO, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["connected", "event"]);
    assert_eq!(feed.step(now), poll("b", WAIT_MAX));
    feed.events(Err(timeout()), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["attempt 1"], "the next spell counts anew");
}

#[test]
fn one_broken_poll_is_nobodys_business() {
    let now = Instant::now();
    let mut feed = running(now);
    feed.events(Err(broken()), WAIT_MAX, Duration::ZERO, now);
    assert!(told(&mut feed).is_empty());
    assert_eq!(feed.step(now), poll("a", Duration::ZERO));
    feed.events(events(vec![], "a"), Duration::ZERO, Duration::ZERO, now);
    assert!(told(&mut feed).is_empty());
    assert_eq!(feed.step(now), poll("a", WAIT_MAX));
    feed.events(Err(broken()), WAIT_MAX, Duration::ZERO, now);
    feed.events(Err(broken()), Duration::ZERO, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["attempt 1"], "two in a row are a spell");
}

#[test]
fn while_no_state_is_here_the_relay_is_out_of_reach_all_the_same() {
    let now = Instant::now();
    let mut feed = Feed::new(1);
    feed.state(Err(timeout()), now);
    assert_eq!(told(&mut feed), ["attempt 1"]);
    feed.state(state("a"), now + Duration::from_secs(1));
    assert_eq!(told(&mut feed), ["connected", "state a"]);
}

#[test]
fn after_a_goodbye_it_comes_back_when_it_was_asked_to() {
    let now = Instant::now();
    let mut feed = running(now);
    feed.events(events(vec![Event::Goodbye { retry_after_ms: 700 }], "b"), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(told(&mut feed), ["event", "attempt 1"]);
    let back = now + Duration::from_millis(700);
    assert_eq!(feed.step(now), Step::Sleep(back));
    assert_eq!(feed.step(back), poll("b", Duration::ZERO));
    feed.events(Err(timeout()), Duration::ZERO, Duration::ZERO, back);
    assert_eq!(told(&mut feed), ["attempt 2"]);
    feed.events(events(vec![Event::Goodbye { retry_after_ms: u64::MAX }], "c"), WAIT_MAX, Duration::ZERO, now);
    assert_eq!(feed.step(now), Step::Sleep(now + GOODBYE_MAX), "nobody may send a client away for ever");
}
