//! The cryptography TLS runs on.

/// Makes ring the process's cryptography for TLS, unless one is installed already. [`Relay::new`](crate::Relay::new) calls it.
pub fn install() {
    // An error only says that someone else was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
