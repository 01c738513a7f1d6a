//! Prefixes as several processes and several environments on one machine see them.

mod bridge;
mod built;
mod downloaded;
mod libvirt_by_uri;
mod shared_libvirt;
mod started_twice;
mod sysprep;
mod twins;
