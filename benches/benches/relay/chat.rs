//! Two hundred messages a second, each kept on disk before it is answered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::Context;
use benches::{
    Better, Row,
    house::{House, poll_events},
    load::{Crowd, request},
};
use serde_json::json;

use crate::{CONFIGURATION, Plan};

/// People, who write to each other in pairs.
const PEOPLE: usize = 20;

/// Between two messages: 200 a second.
const PERIOD: Duration = Duration::from_millis(5);

/// How long one may take, of 99 in a hundred, in milliseconds.
const ANSWERED: f64 = 10.0;

pub(crate) fn rows(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let pairs: Vec<_> = (0..PEOPLE / 2).map(|pair| (2 * pair, 2 * pair + 1)).collect();
    let house = House::open(CONFIGURATION, PEOPLE, &pairs)?;
    let mut runs = Vec::new();
    for run in 0..plan.runs {
        let mut delays = talk(&house, run, plan.length)?;
        delays.sort_by(f64::total_cmp);
        runs.push([50, 99].map(|percent| delays[delays.len() * percent / 100]));
    }
    let row = |name: &str, at: usize| Row::new(name, "ms", Better::Lower, &runs.iter().map(|run| run[at]).collect::<Vec<_>>());
    Ok(vec![row("sent to kept and answered, p50", 0), row("sent to kept and answered, p99", 1).limit(ANSWERED)])
}

/// Each person has one connection to write over and one with the event poll, which brings what they and the other wrote.
fn talk(house: &House, run: usize, length: Duration) -> anyhow::Result<Vec<f64>> {
    let guests = house.sign_in(0..PEOPLE)?;
    let mut cursors = house.cursors(&guests)?;
    let mut crowd = Crowd::new()?;
    for at in 0..2 * PEOPLE {
        let number = crowd.connect(house.address())?;
        if at >= PEOPLE {
            crowd.send(number, &poll_events(&guests[at - PEOPLE], &cursors[at - PEOPLE], 25_000))?;
        }
    }
    let mut sent = vec![VecDeque::new(); PEOPLE];
    let (mut delays, mut heard, mut wrote) = (Vec::new(), 0, 0);
    let start = Instant::now();
    let mut due = start;
    // A second at the end for what is still under way.
    while due < start + length + Duration::from_secs(1) {
        if due < start + length {
            let from = wrote % PEOPLE;
            let to = &guests[from ^ 1].name;
            let body = json!({"to": to, "text": "Shall I call, or do you?", "client_id": format!("{run}-{wrote}")});
            sent[from].push_back(Instant::now());
            crowd.send(from, &request::posting("/v1/chat", Some(&guests[from].token), &body))?;
            wrote += 1;
        }
        due += PERIOD;
        while Instant::now() < due {
            crowd.turn(due, &mut |number, reply, at, outbox| {
                let answer = reply.keep().json()?;
                if let Some(person) = number.checked_sub(PEOPLE) {
                    heard += answer["events"].as_array().map_or(0, Vec::len);
                    answer["cursor"].as_str().context("no cursor")?.clone_into(&mut cursors[person]);
                    outbox.extend_from_slice(&poll_events(&guests[person], &cursors[person], 25_000));
                } else {
                    delays.extend(sent[number].pop_front().map(|sent: Instant| (at - sent).as_secs_f64() * 1e3));
                }
                Ok(())
            })?;
        }
    }
    anyhow::ensure!(delays.len() == wrote, "{} of {wrote} messages were answered", delays.len());
    // Each is told to both; who is there is told, too.
    anyhow::ensure!(heard >= 2 * wrote, "{wrote} messages, of which {heard} times someone heard");
    Ok(delays)
}
