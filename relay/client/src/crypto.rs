//! The cryptography TLS runs on.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Makes ring the process's cryptography for TLS, unless one is installed already. [`Relay::new`](crate::Relay::new) calls it.
pub fn install() {
    // An error only says that someone else was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What is installed.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    install();
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}
