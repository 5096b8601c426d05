//! People who mean harm, on real connections, beside a call that must not notice.

mod bodies;
#[cfg(unix)]
mod crowd;
mod heads;
mod pace;
mod paths;
mod tokens;
mod witness;

use std::{
    io::{ErrorKind, Read},
    net::SocketAddr,
    time::Duration,
};

use relay::{Config, Patience, Rate};

use self::witness::Witness;
use crate::{
    bench::Bench,
    sockets::{Wire, blocking, serve},
};

/// So short that a test need not wait for what takes a minute; longer than a busy machine keeps an honest client.
const PATIENCE: Patience = Patience { head: SHORT, body: SHORT, silence: SHORT };

const SHORT: Duration = Duration::from_secs(2);

/// How long an attack may go on before the test says that it does.
const END: Duration = Duration::from_secs(20);

/// A relay that loses its patience soon, with a call on it while `attack` runs. Its argument is where the relay listens, and a token of someone
/// who has nothing to do with the call.
async fn beside_a_call(attack: impl FnOnce(SocketAddr, &str) + Send + 'static) {
    let bench = Bench::with(hasty).await;
    let (address, _serving) = serve(&bench).await;
    let eva = bench.person("Eva").await.token;
    blocking(move || {
        let call = Witness::new(address);
        call.beside(|| attack(address, &eva));
    })
    .await;
    bench.relay.stop().await;
}

fn hasty(config: &mut Config) {
    config.patience = PATIENCE;
    // The rates have tests of their own, and would end most of what is tried here too soon.
    let unlimited = Rate { burst: 1e9, per_second: 1e9 };
    (config.rates.control, config.rates.uploads, config.rates.polls) = (unlimited, unlimited, unlimited);
}

/// Reads until the relay closes; what it said before.
fn until_closed(wire: &mut Wire) -> Vec<u8> {
    wire.0.set_read_timeout(Some(END)).unwrap();
    let mut said = Vec::new();
    match wire.0.read_to_end(&mut said) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("it was not closed"),
        // A reset is an end, too.
        Ok(_) | Err(_) => said,
    }
}
