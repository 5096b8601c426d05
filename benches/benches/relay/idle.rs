//! A thousand people who are signed in and do nothing.

use std::time::{Duration, Instant};

use anyhow::Context;
use benches::{
    Better, Row,
    house::{House, poll_events},
    load::{Crowd, connections_possible},
};

use crate::{CONFIGURATION, Plan};

const PEOPLE: usize = 1000;

/// Of each person.
const BUDDIES: usize = 50;

/// Two rounds of polls, each held for its 25 s.
const MEASURED: Duration = Duration::from_secs(50);

/// By then everyone has learnt who else is there.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn rows(_plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let people = connections_possible(PEOPLE);
    // Everyone knows those who stand next to them in a circle.
    let circle = (0..people).flat_map(|at| (1..=BUDDIES / 2).map(move |step| (at, (at + step) % people)));
    let house = House::open(CONFIGURATION, people, &circle.collect::<Vec<_>>())?;
    let guests = house.sign_in(0..people)?;
    let mut cursors = house.cursors(&guests)?;
    let mut crowd = Crowd::new()?;
    for (guest, cursor) in guests.iter().zip(&cursors) {
        let number = crowd.connect(house.address())?;
        crowd.send(number, &poll_events(guest, cursor, 25_000))?;
    }
    let mut turn = |until: Instant| {
        while Instant::now() < until {
            crowd.turn(until, &mut |number, reply, _, outbox| {
                let answer = reply.keep().json()?;
                answer["cursor"].as_str().context("no cursor")?.clone_into(&mut cursors[number]);
                outbox.extend_from_slice(&poll_events(&guests[number], &cursors[number], 25_000));
                Ok(())
            })?;
        }
        anyhow::Ok(())
    };
    turn(Instant::now() + SETTLE)?;
    let (before, start) = (house.spent(), Instant::now());
    turn(start + MEASURED)?;
    let percent = house.spent().since(&before).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    let name = format!("{people} people with {BUDDIES} buddies each, for {} s", MEASURED.as_secs());
    Ok(vec![Row::new(&name, "% of a core", Better::Lower, &[percent]).limit(5.0)])
}
