//! A repository somewhere in the network, which can go away.

use std::path::Path;

use lago::host::Host;
use ovirt_suite::repos::RepoServer;

/// Serves a directory on this machine's loopback interface.
pub(crate) fn serve(dir: &Path) -> RepoServer {
    // Nothing of a libvirt is asked: the host is this machine.
    let here = Host::uri("test:///default");
    RepoServer::start(&here, "127.0.0.1:0".parse().unwrap(), dir).unwrap()
}
