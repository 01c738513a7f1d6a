//! One file a verb.

pub(super) mod cache;
pub(super) mod capsule;
pub(super) mod collect;
pub(super) mod console;
pub(super) mod copy;
pub(super) mod destroy;
pub(super) mod doctor;
pub(super) mod fork;
pub(super) mod forward;
pub(super) mod generate_config;
pub(super) mod init;
pub(super) mod list;
pub(super) mod new;
pub(super) mod resume;
pub(super) mod revert;
pub(super) mod set_current;
pub(super) mod shell;
pub(super) mod snapshot;
pub(super) mod ssh_config;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;
pub(super) mod store;
pub(super) mod suspend;
pub(super) mod template;
pub(super) mod template_repo;
