//! What a client asks to find out how the way to the relay is. It needs no token: mostly it is asked where signing in fails.

use serde::{Deserialize, Serialize};

/// Query of `GET /v1/doctor`: first nothing comes for `wait_ms`, then the head, then so many bytes of noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskDoctor {
    /// Bytes wanted, at most [`DOCTOR_MAX`](crate::limits::DOCTOR_MAX).
    #[serde(default)]
    pub bytes: u64,
    /// How long the request is held first, in milliseconds, at most [`WAIT_MAX`](crate::limits::WAIT_MAX).
    #[serde(default)]
    pub wait_ms: u64,
    /// Over how long the bytes are spread, in ten equal pieces, in milliseconds, at most
    /// [`DOCTOR_SPREAD_MAX`](crate::limits::DOCTOR_SPREAD_MAX); 0 gives them all at once.
    #[serde(default)]
    pub spread_ms: u64,
}

/// Answer of `POST /v1/doctor`: what came of the body, which is thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorTook {
    /// Its length, in bytes.
    pub bytes: u64,
    /// Between its first piece and its last one, in milliseconds: near 0 where something on the way gathers it whole.
    pub spread_ms: u64,
}
