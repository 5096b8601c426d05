//! A bad network on this machine: two homes and a relay's host, joined by lines with delay, loss, a rate and a queue.
//!
//! ```text
//! Ana 10.90.1.1 ──── 10.90.1.2 relay 10.90.2.2 ──── 10.90.2.1 Ben        the relay itself: 10.90.0.1
//! ```
//! Each host is a network namespace without a name, each line a pair of TUN devices with a thread between that delays and drops packets. So the
//! kernel's own TCP sends again what is lost, and nothing of it is left behind however a run ends: namespaces and devices go with the processes
//! that hold them, and two runs can't meet.

mod kernel;
mod link;
mod router;
mod wire;

use std::{
    net::UdpSocket,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

pub use self::link::{Counts, Impairment};
use self::{kernel::Namespace, wire::Wire};

/// Where a relay listens.
pub const RELAY: &str = "10.90.0.1";

/// What homes send with: nearly every system's default.
pub const HOMES_CONGESTION_CONTROL: &str = "cubic";

/// Round trips that are taken.
const ECHOES: usize = 21;

/// A machine in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The first home.
    Ana,
    /// The second home. It reaches the first by way of the relay alone.
    Ben,
    /// Where the relay runs.
    Relay,
}

/// A running network.
pub struct Network {
    // Before the namespaces: its devices are in them.
    wire: Wire,
    hosts: [Namespace; 3],
    outside: Namespace,
}

impl Network {
    /// Makes one. `seed` says which packets are lost: the same seed loses the same ones.
    ///
    /// # Errors
    /// Where this process may not: that needs root, `ip` and `/dev/net/tun`.
    pub fn start(wrong: Impairment, seed: u64) -> anyhow::Result<Self> {
        let why = "a network of one's own can't be made here; it needs root";
        let make = || kernel::make().context(why);
        let (outside, hosts) = (kernel::current()?, [make()?, make()?, make()?]);
        let mut devices = Vec::new();
        for (home, near, far) in [(Host::Ana, "10.90.1.1/24", "10.90.1.2/24"), (Host::Ben, "10.90.2.1/24", "10.90.2.2/24")] {
            let ends = [(home, "line", near), (Host::Relay, if home == Host::Ana { "ana" } else { "ben" }, far)];
            for (host, name, address) in ends {
                let device = within(&outside, &hosts[host as usize], || {
                    let device = kernel::tun(name).context("no device can be made; that needs /dev/net/tun")?;
                    ip(&["address", "add", address, "dev", name])?;
                    ip(&["link", "set", name, "mtu", "1500", "up"])?;
                    anyhow::Ok(device)
                })?;
                devices.push(device);
            }
        }
        let network = Self { wire: Wire::join(devices, wrong, seed), hosts, outside };
        for host in [Host::Ana, Host::Ben, Host::Relay] {
            // By route: only the first namespace may make what isn't allowed to everybody its default.
            let way = |by| ["route", "add", "default", "via", by, "congctl", HOMES_CONGESTION_CONTROL];
            network.within(host, || {
                ip(&["link", "set", "lo", "up"])?;
                match host {
                    Host::Ana => ip(&way("10.90.1.2")),
                    Host::Ben => ip(&way("10.90.2.2")),
                    Host::Relay => ip(&["address", "add", "10.90.0.1/32", "dev", "lo"]),
                }
            })?;
        }
        Ok(network)
    }

    /// Does something on a host: sockets that are opened and processes that are started meanwhile belong there.
    ///
    /// # Panics
    /// When a thread can't go where it was let before.
    pub fn within<T>(&self, host: Host, work: impl FnOnce() -> T) -> T {
        within(&self.outside, &self.hosts[host as usize], work)
    }

    /// From now on this is wrong with both lines.
    pub fn change(&self, wrong: Impairment) {
        self.wire.change(wrong);
    }

    /// The homes' routers forget all connections: no packet of theirs passes any more, and nobody is told. New ones can be made.
    pub fn forget(&self) {
        self.wire.forget();
    }

    /// What became of the packets so far: from Ana, to Ana, from Ben, to Ben.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        self.wire.counts()
    }

    /// The round trip between a home and the relay as UDP sees it, the middle of some.
    ///
    /// # Errors
    /// When nothing comes back, as on a line that loses packets.
    pub fn round_trip(&self, home: Host) -> anyhow::Result<Duration> {
        let socket = |host, address| self.within(host, || UdpSocket::bind((address, 0)));
        let (there, here) = (socket(Host::Relay, RELAY)?, socket(home, "0.0.0.0")?);
        for socket in [&there, &here] {
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        }
        here.connect(there.local_addr()?)?;
        let mut buffer = [0; 64];
        let mut took = Vec::new();
        for _ in 0..ECHOES {
            let start = Instant::now();
            here.send(&[0; 64])?;
            let (length, from) = there.recv_from(&mut buffer).context("a packet is lost")?;
            there.send_to(&buffer[..length], from)?;
            here.recv(&mut buffer).context("a packet is lost")?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        Ok(took[ECHOES / 2])
    }
}

/// Takes the thread back where it was, even after a panic.
struct Back<'a>(&'a Namespace);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        let _ = kernel::enter(self.0);
    }
}

fn within<T>(outside: &Namespace, host: &Namespace, work: impl FnOnce() -> T) -> T {
    let _back = Back(outside);
    kernel::enter(host).expect("a namespace can be entered by who made it");
    work()
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output().context("`ip` can't be run (Debian: iproute2)")?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_there_and_back_takes_a_round_trip_and_homes_reach_no_other_home() {
        let network = match Network::start(Impairment::round_trip(40), 7) {
            Ok(network) => network,
            Err(error) => return println!("SKIPPED: {error:#}"),
        };
        let took = network.round_trip(Host::Ana).unwrap();
        assert!((40..60).contains(&took.as_millis()), "{took:?}");
        assert_eq!(network.counts()[0].seen, ECHOES as u64);
        let unreachable = network
            .within(Host::Ana, || std::net::TcpStream::connect_timeout(&([10, 90, 2, 1], 9).into(), Duration::from_millis(300)));
        assert!(unreachable.is_err());
        network.change(Impairment::round_trip(0).loss(100.0));
        assert!(network.round_trip(Host::Ben).is_err());
    }
}
