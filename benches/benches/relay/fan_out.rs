//! One publisher, 1 to 500 readers: processor time for each chunk delivered, and how long it takes.

use benches::{
    Better, Row,
    audience::{Audience, PUBLISHER},
    fan::{self, Outcome, Target},
    house::House,
    load::connections_possible,
    nchan::Nchan,
};

use crate::{CONFIGURATION, Plan};

/// Readers of the one track.
const SIZES: [usize; 4] = [1, 10, 100, 500];

/// What the relay may take of nchan's processor time.
const SHARE: f64 = 0.8;

pub(crate) fn rows(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    anyhow::ensure!(connections_possible(1024) == 1024, "too few files may be open: raise the limit (ulimit -n 2048)");
    let mut rows = Vec::new();
    for size in SIZES.into_iter().filter(|size| plan.readers.is_none_or(|only| only == *size)) {
        let buddies: Vec<_> = (1..=size).map(|other| (0, other)).collect();
        let house = House::open(&format!("call_peers = {}\n{CONFIGURATION}", size + 1), size + 1, &buddies)?;
        let guests = house.sign_in(0..size + 1)?;
        let mut relay = Audience::gather(&house, &guests)?;
        let mut nchan = Nchan::start();
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        let mut seq = 0;
        let mut run = |target: &mut dyn Target| fan::run(target, size, PUBLISHER, &mut seq, plan.length);
        for at in 0..plan.runs {
            // Each goes first in turn, so that neither always finds the machine as the other left it.
            if at % 2 == 0 {
                own.push(run(&mut relay)?);
            }
            if let Ok(nchan) = &mut nchan {
                theirs.push(run(nchan)?);
            }
            if at % 2 == 1 {
                own.push(run(&mut relay)?);
            }
        }
        rows.extend(figures(size, &own, nchan.as_ref().map(|_| &theirs[..]).map_err(ToString::to_string)));
    }
    Ok(rows)
}

fn figures(size: usize, own: &[Outcome], theirs: Result<&[Outcome], String>) -> Vec<Row> {
    let row = |what: &str, unit: &str, figure: fn(&Outcome) -> f64, share: Option<f64>| {
        let values: Vec<f64> = own.iter().map(figure).collect();
        let row = Row::new(&format!("to {size}: {what}"), unit, Better::Lower, &values);
        match &theirs {
            Ok(theirs) => {
                let theirs: Vec<f64> = theirs.iter().map(figure).collect();
                let row = row.beside("nchan", &values, &theirs);
                share.map_or(row.clone(), |share| row.ratio_limit(share))
            }
            Err(why) => row.without_peer("nchan", why),
        }
    };
    vec![
        row("processor time a chunk", "us", Outcome::per_chunk_us, Some(SHARE)),
        row("post to receipt, p50", "ms", |outcome| outcome.percentile(50), None),
        row("post to receipt, p99", "ms", |outcome| outcome.percentile(99), Some(1.0)),
        Row::new(
            &format!("to {size}: chunks lost"),
            "",
            Better::Lower,
            &own.iter().map(|outcome| outcome.lost as f64).collect::<Vec<_>>(),
        )
        .limit(0.0),
    ]
}
