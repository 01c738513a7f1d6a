//! Limits of a connection to an engine.

use std::time::Duration;

/// How long things may take, and how large answers may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a TCP connection with TLS. A minute is what a busy engine under emulation takes at the very most.
    pub connect: Duration,
    /// From the start of a call until the last byte of its answer, with everything that is sent again. The engine answers some
    /// calls only when a host has done what they ask, such as the making of a storage domain, for which it allows three minutes.
    pub request: Duration,
    /// Until a session has ended of which nobody holds a connection any more. Whoever lets the last one go waits for this.
    pub sign_out: Duration,
    /// The largest answer, in bytes. A list of a thousand VMs takes some megabytes.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(60),
            request: Duration::from_secs(200),
            sign_out: Duration::from_secs(5),
            body: 64 << 20,
        }
    }
}
