//! Addresses that the server of a network hands out, for cards that nobody knew when the network was made.

use std::sync::Arc;

use virt::error::{Error, ErrorNumber};
use virt::sys;

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection};
use super::network_xml::Lease;

/// Has a network hand out an address, whether it did before or not.
pub(super) fn put(connection: &Arc<Connection>, net: &str, lease: &Lease) -> Result<(), VirtError> {
    // One that is there is replaced: a card that a revert took away may have had the address.
    remove(connection, net, lease)?;
    let added = update(connection, net, lease, sys::VIR_NETWORK_UPDATE_COMMAND_ADD_LAST)?;
    added.map_err(|error| failed(net, "give a lease to", &error))
}

/// Has a network forget an address, if it hands it out.
pub(super) fn remove(
    connection: &Arc<Connection>,
    net: &str,
    lease: &Lease,
) -> Result<(), VirtError> {
    match update(connection, net, lease, sys::VIR_NETWORK_UPDATE_COMMAND_DELETE)? {
        // That is what libvirt calls one that is not there.
        Err(error) if error.code().is(ErrorNumber::OperationInvalid) => Ok(()),
        Err(error) if error.code().is(ErrorNumber::NoNetwork) => Ok(()),
        removed => removed.map_err(|error| failed(net, "take a lease from", &error)),
    }
}

fn update(
    connection: &Arc<Connection>,
    net: &str,
    lease: &Lease,
    command: sys::virNetworkUpdateCommand,
) -> Result<Result<(), Error>, VirtError> {
    let (name, xml) = (net.to_owned(), lease.to_xml());
    connection.call(CHANGE_LIMIT, move |connect| {
        connect.lookup_network_by_name(&name)?.update(
            command,
            sys::VIR_NETWORK_SECTION_IP_DHCP_HOST,
            FIRST_SERVER,
            &xml,
            sys::VIR_NETWORK_UPDATE_AFFECT_LIVE,
        )
    })
}

/// The network's DHCP server, whichever of its addresses that is on.
const FIRST_SERVER: i32 = -1;

fn failed(net: &str, action: &'static str, error: &Error) -> VirtError {
    VirtError::Network {
        net: net.to_owned(),
        action,
        message: error.message().to_owned(),
        hint: super::hint_of(error),
    }
}
