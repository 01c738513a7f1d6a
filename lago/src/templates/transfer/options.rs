//! How much is asked of a server, and for how long it is waited for.

use std::time::Duration;

/// Limits on fetching over the network, and when a file is fetched in parts.
///
/// ```
/// use lago::templates::TransferOptions;
/// use std::time::Duration;
///
/// let patient = TransferOptions { idle: Duration::from_secs(300), ..TransferOptions::default() };
/// assert_eq!(patient.attempts, TransferOptions::default().attempts);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOptions {
    /// How long a connection may take to be made, its TLS included. A server that does not answer in this time is down.
    pub connect: Duration,
    /// How long a server may be silent: between a request and the answer's head, and between two pieces of a body. A body that
    /// comes in slower than [`LEAST_RATE`](Self::LEAST_RATE) over this time counts as silence too.
    pub idle: Duration,
    /// How many tries in a row may bring nothing new, the first one included.
    pub attempts: u32,
    /// How many tries one file may take altogether, however much each brings.
    pub total_attempts: u32,
    /// The pause after the first failed try. It doubles with each further one that brings nothing.
    pub first_pause: Duration,
    /// The longest pause, also when a server asks for a longer one.
    pub longest_pause: Duration,
    /// How many connections fetch parts of one file at the same time.
    pub connections: usize,
    /// The size of a file, in bytes, from which on it is fetched in parts.
    pub parallel_from: u64,
    /// The size of a part in bytes.
    pub part_size: u64,
}

impl TransferOptions {
    /// The least that is taken for a living connection, in bytes a second: two packets.
    pub const LEAST_RATE: u64 = 2048;
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            attempts: 6,
            total_attempts: 100,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            connections: 4,
            parallel_from: 64 << 20,
            part_size: 16 << 20,
        }
    }
}
