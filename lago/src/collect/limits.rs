//! How long each step of collecting may take. Every step is cut short by the limit of all together as well.

use std::time::Duration;

/// All of it. A guest that hangs takes ten seconds to be known as such, and some tens of megabytes out of an emulated one
/// half a minute; the rest is for a busy machine.
pub const COLLECT: Duration = Duration::from_secs(120);

/// What is asked of libvirt about one VM. It answers in milliseconds, unless it hangs.
pub(super) const LIBVIRT: Duration = Duration::from_secs(10);

/// One command in a guest: its journal, its services, its processes.
pub(super) const GUEST_COMMAND: Duration = Duration::from_secs(30);
