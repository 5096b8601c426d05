//! Being asked to end, and asking others to.

use tokio::process::Child;

/// Resolves when this process is asked to end: Ctrl-C, the terminate signal, or the terminal's closing.
pub(crate) async fn stopped() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
        (Ok(mut terminated), Ok(mut closed)) => {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = closed.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "can't listen for the terminate signal");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

/// Asks the child to end in its own good order, where the system has a way to ask.
#[cfg(unix)]
pub(crate) fn terminate(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself meanwhile.
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
pub(crate) fn terminate(child: &mut Child) {
    let _ = child.start_kill();
}
