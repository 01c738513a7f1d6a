//! Names of oVirt's, and of the metadata by which an init file says what its VMs are in an oVirt environment.

/// The user as whom the engine is spoken to.
pub const ENGINE_USER: &str = "admin@internal";

/// The engine's service.
pub const ENGINE_SERVICE: &str = "ovirt-engine";

/// The services of a host, in the order in which they are started.
pub const HOST_SERVICES: [&str; 2] = ["supervdsmd", "vdsmd"];

/// Where the API is at an engine.
pub const API_PATH: &str = "/ovirt-engine/api";

/// Where an engine gives the certificate of its authority.
pub const CA_RESOURCE: &str =
    "/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA";

/// The same certificate as a file in the engine's machine.
pub const CA_FILE: &str = "/etc/pki/ovirt-engine/ca.pem";

/// The port of the engine's API.
pub const ENGINE_PORT: u16 = 443;

/// Metadata of a domain: what it is.
pub const ROLE: &str = "ovirt-role";

/// Metadata of a domain: what it can do, a list of words.
pub const CAPABILITIES: &str = "ovirt-capabilities";

/// Metadata of an engine: the password of [`ENGINE_USER`].
pub const ENGINE_PASSWORD: &str = "ovirt-engine-password";

/// Metadata of an engine: the name that its certificate is for; the VM's name if absent.
pub const ENGINE_FQDN: &str = "ovirt-engine-fqdn";
