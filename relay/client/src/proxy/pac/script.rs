//! Running the script: in an engine without files, network or clock of its own, within bounds of time and memory. What a script
//! may ask of this machine is which address a name has and which address it has itself.

use std::{
    net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant, SystemTime},
};

use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Runtime, Value, context::EvalOptions};

use crate::{error::BadPac, text::one_line};

/// A script gets no more time than this; a good one takes less than a millisecond and what name servers take.
const TIME: Duration = Duration::from_secs(5);

/// A script gets no more memory than this, in bytes: sixteen times the largest file.
const MEMORY: usize = 16 << 20;

/// Nor more stack, in bytes: a thread has two megabytes.
const STACK: usize = 512 << 10;

/// Longest complaint of a script that is shown, in characters.
const SAID_MAX: usize = 200;

/// Most names that one run may look up: each may take a second.
const LOOKUPS_MAX: u32 = 32;

/// The functions that every PAC script may use, but for those that ask this machine.
const HELPERS: &str = include_str!("helpers.js");

/// What `FindProxyForURL(url, host)` says at the time `now`.
pub(super) fn run(script: &str, url: &str, host: &str, now: SystemTime) -> Result<String, BadPac> {
    let runtime = Runtime::new().map_err(|error| BadPac::Script(error.to_string()))?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    let end = Instant::now() + TIME;
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() >= end)));
    let context = Context::full(&runtime).map_err(|error| BadPac::Script(error.to_string()))?;
    context.with(|ctx| {
        let answer = ask(&ctx, script, url, host, now, end).catch(&ctx);
        answer.map_err(|error| if Instant::now() >= end { BadPac::Endless } else { BadPac::Script(said(&error)) })
    })
}

fn ask<'js>(ctx: &Ctx<'js>, script: &str, url: &str, host: &str, now: SystemTime, end: Instant) -> rquickjs::Result<String> {
    let globals = ctx.globals();
    let mut lookups = 0;
    let resolve = move |host: String| {
        lookups += 1;
        if lookups > LOOKUPS_MAX || Instant::now() >= end { None } else { resolve(&host) }
    };
    globals.set("dnsResolve", Function::new(ctx.clone(), rquickjs::prelude::MutFn::new(resolve))?)?;
    globals.set("myIpAddress", Function::new(ctx.clone(), || own_address().to_string())?)?;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    globals.set("pacNow", since.as_millis() as f64)?;
    ctx.eval_with_options::<(), _>(HELPERS, sloppy())?;
    ctx.eval_with_options::<Value<'_>, _>(script, sloppy())?;
    let find: Function<'_> = globals.get("FindProxyForURL")?;
    // Nothing, null and the like mean: no proxy.
    let answer: Value<'_> = find.call((url, host))?;
    Ok(answer.as_string().map(|text| text.to_string()).transpose()?.unwrap_or_default())
}

/// Scripts of thirty years' age assign to what they never declared.
fn sloppy() -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options
}

fn said(error: &CaughtError<'_>) -> String {
    let text = match error {
        CaughtError::Exception(exception) => exception.message().unwrap_or_default(),
        other => other.to_string(),
    };
    one_line(&text, SAID_MAX)
}

/// The first IPv4 address of a name.
fn resolve(host: &str) -> Option<String> {
    let addresses = (host.trim_matches(['[', ']']), 0).to_socket_addrs().ok()?;
    addresses.map(|address| address.ip()).find(IpAddr::is_ipv4).map(|address| address.to_string())
}

/// This machine's address towards the outside. Choosing one for a socket sends nothing.
fn own_address() -> IpAddr {
    // An address for documentation (RFC 5737): the default route leads there.
    let outside = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let chosen = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(outside)?;
        socket.local_addr()
    });
    chosen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

#[cfg(test)]
mod tests;
