//! How long things may take in an oVirt environment.

use std::time::Duration;

/// Until an engine that was started answers: a Java server that starts takes minutes on a busy machine.
pub const ENGINE: Duration = Duration::from_secs(10 * 60);

/// One look at an engine: whether its service runs, the certificate of its authority, and a call.
pub const LOOK: Duration = Duration::from_secs(3 * 60);

/// Until a connection that was kept has shown that it still leads to an engine.
pub const KEPT: Duration = Duration::from_secs(20);

/// `engine-setup`: it makes databases, certificates and configurations.
pub const ENGINE_SETUP: Duration = Duration::from_secs(30 * 60);

/// A script that deploys a VM: it may install hundreds of packages.
pub const DEPLOY_SCRIPT: Duration = Duration::from_secs(30 * 60);

/// All deploy scripts of an environment whose machines get oVirt from packages: several of them one after the other on the
/// machine that takes longest.
pub const DEPLOY: Duration = DEPLOY_SCRIPT.saturating_mul(2);

/// Until there is an engine where there was none: `engine-setup`, and then the first start of what it has made.
pub const INITIALIZE: Duration = ENGINE_SETUP.saturating_add(ENGINE);

/// Bringing up machines from templates of whole systems: images of gigabytes come first, and then boot.
pub const BRING_UP: Duration = Duration::from_secs(60 * 60);

/// Until a host is in maintenance or up again, and until a storage domain is. That of a host has VMs leave it.
pub const MAINTENANCE: Duration = Duration::from_secs(10 * 60);

/// The upload of a CD's image, which is copied twice.
pub const ISO_UPLOAD: Duration = Duration::from_secs(15 * 60);

/// What a question to the engine's own machine takes.
pub const QUESTION: Duration = Duration::from_secs(60);

/// The pause between two looks at something that is waited for.
pub const INTERVAL: Duration = Duration::from_secs(1);
