//! People who sign in while a call runs: hashing passwords must not delay it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use benches::{
    Better, Row,
    audience::{Audience, PUBLISHER},
    fan,
    house::{House, sign_in},
    load::{Crowd, request},
};

use crate::{CONFIGURATION, Plan};

/// Between two sign-ins: 20 a second.
const PERIOD: Duration = Duration::from_millis(50);

/// Sign-ins under way at once, at most: as long as one takes less than a second.
const AT_ONCE: usize = 20;

/// By how much a call's p99 may grow, in milliseconds.
const GROWTH: f64 = 10.0;

pub(crate) fn rows(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let house = House::open(CONFIGURATION, 3, &[(1, 2)])?;
    let guests = house.sign_in(1..3)?;
    let mut call = Audience::gather(&house, &guests)?;
    let mut seq = 0;
    let (mut quiet, mut busy, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        quiet.push(fan::run(&mut call, 1, PUBLISHER, &mut seq, plan.length)?.percentile(99));
        let over = AtomicBool::new(false);
        let (outcome, mut delays) = std::thread::scope(|scope| {
            let knocking = scope.spawn(|| knock(house.address(), &over));
            let outcome = fan::run(&mut call, 1, PUBLISHER, &mut seq, plan.length);
            over.store(true, Ordering::Relaxed);
            let delays = knocking.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the sign-ins ended early")));
            anyhow::Ok((outcome?, delays?))
        })?;
        delays.sort_by(f64::total_cmp);
        busy.push(outcome.percentile(99));
        answers.push(delays[delays.len() * 99 / 100]);
    }
    let growth: Vec<f64> = busy.iter().zip(&quiet).map(|(busy, quiet)| busy - quiet).collect();
    Ok(vec![
        Row::new("growth of a call's p99 by 20 sign-ins a second", "ms", Better::Lower, &growth).limit(GROWTH),
        Row::new("a call's p99 beside 20 sign-ins a second", "ms", Better::Lower, &busy).beside("without", &busy, &quiet),
        Row::new("a sign-in, p99", "ms", Better::Lower, &answers),
    ])
}

/// Signs in at a steady rate, whether the one before was answered or not. How long each took, in milliseconds.
fn knock(address: SocketAddr, over: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut crowd = Crowd::new()?;
    for _ in 0..AT_ONCE {
        crowd.connect(address)?;
    }
    let wish = request::posting("/v1/session", None, &sign_in(0));
    let mut asked = [None; AT_ONCE];
    let mut delays = Vec::new();
    let mut due = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let free = asked.iter().position(Option::is_none);
        let free = free.ok_or_else(|| anyhow::anyhow!("{AT_ONCE} sign-ins wait: the relay doesn't keep up"))?;
        asked[free] = Some(Instant::now());
        crowd.send(free, &wish)?;
        due += PERIOD;
        while Instant::now() < due {
            crowd.turn(due, &mut |number, reply, at, _| {
                reply.keep().json()?;
                delays.extend(asked[number].take().map(|asked| (at - asked).as_secs_f64() * 1e3));
                Ok(())
            })?;
        }
    }
    anyhow::ensure!(!delays.is_empty(), "nobody signed in");
    Ok(delays)
}
