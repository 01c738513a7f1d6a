//! Domains and networks under libvirt.
