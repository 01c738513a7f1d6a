//! What Ctrl-C does while storage and hosts are brought to rest or up.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::process;
use std::thread;

use ovirt_suite::utils::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// As shells see a program that Ctrl-C has ended.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// The first time, nothing more is waited for, and what was begun is undone: `consequence` says it. The second time this process
/// ends at once.
pub(crate) fn give(interrupt: &Interrupt, consequence: &'static str) -> io::Result<()> {
    let (mut asked, ask) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, ask.try_clone()?)?;
    }
    let interrupt = interrupt.clone();
    thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
        let mut next = || asked.read_exact(&mut [0]).is_ok();
        if !next() {
            return;
        }
        interrupt.give();
        eprintln!("interrupted: {consequence}. Interrupt it once more to leave at once");
        if next() {
            eprintln!(
                "left at once: storage and hosts may be at rest; `lago ovirt start` brings up what was up before"
            );
            process::exit(EXIT_INTERRUPTED.into());
        }
    })?;
    Ok(())
}
