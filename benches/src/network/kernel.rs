//! The three system calls that make a network of one's own. All that is unsafe about a [`super::Network`] stands here.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsRawFd, OwnedFd},
    os::unix::fs::OpenOptionsExt,
    thread,
};

/// A network namespace; it lives as long as something holds it.
pub(super) type Namespace = OwnedFd;

/// The one the calling thread is in.
pub(super) fn current() -> io::Result<Namespace> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// A new one, with a loopback device that is still down.
pub(super) fn make() -> io::Result<Namespace> {
    let made = thread::spawn(|| {
        // SAFETY: unshare takes a number and touches no memory. The thread shares nothing that CLONE_NEWNET takes away from others.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        current()
    });
    made.join().map_err(|_| io::Error::other("the thread that makes a namespace ended"))?
}

/// Takes the calling thread into a namespace. Sockets it opens and processes it starts from then on belong there.
pub(super) fn enter(namespace: &Namespace) -> io::Result<()> {
    // SAFETY: setns takes two numbers, of which the first is a descriptor that is open for as long as the reference lives.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes a network device in the namespace the calling thread is in: what is sent through it is read here, a packet at a time, and what is
/// written here is received through it. Reads never block. The device goes with the file.
pub(super) fn tun(name: &str) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: an ifreq is plain old data, for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let last = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(last).zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call; the descriptor is open.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}
