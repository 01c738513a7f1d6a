//! Disks that give a VM its identity.
