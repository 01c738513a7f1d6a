//! One ssh session: connecting, knowing the guest, being known, and driving libssh2 without blocking.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use ssh_key::{Algorithm, HashAlg, PublicKey};
use ssh2::{BlockDirections, ErrorCode, MethodType, Sftp};

use super::Ssh;
use super::watch::{Fault, Watch};
use crate::guest::keys::Identity;
use crate::guest::{ConnectStep, GuestError, HostKey, Result};

/// How long one SYN may go unanswered before another is sent; a booting guest's first answer is not missed for longer.
const TCP_TRY_LIMIT: Duration = Duration::from_secs(1);

/// How long a guest that should be up may take for TCP.
const TCP_LIMIT: Duration = Duration::from_secs(10);

/// How long the greeting, the key exchange and the authentication may take. Under software emulation a handshake takes
/// two seconds; this leaves room for a busy machine.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// How long an idle session may take to open a channel before it is replaced: nothing has run yet, so that is safe.
const IDLE_SESSION_LIMIT: Duration = Duration::from_secs(5);

/// How long dropping a file or channel may block when its session is neither in use nor shut down.
const DROP_LIMIT_MILLIS: u32 = 5_000;

/// Room for several packets, so that libssh2 never leaves one half sent while the socket takes more: a half-sent packet
/// holds up everything else that the session has to say.
const SEND_BUFFER: usize = 1 << 20;

/// Short computations first: the guest may run under software emulation.
const KEX: &str = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
                   diffie-hellman-group14-sha256,diffie-hellman-group16-sha512";
const CIPHERS: &str = "aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com";

/// The VM's own key type comes first, so that the guest offers the key that is expected. The others follow so that a
/// guest without it fails for its host key and not in the key exchange.
const OTHER_HOST_KEYS: &str = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";

/// What servers have that are older than the methods above, such as the dropbear of small images.
const OLD_KEX: &str = "diffie-hellman-group14-sha1,diffie-hellman-group1-sha1";
const OLD_HOST_KEYS: &str = "ssh-rsa";

/// libssh2's numbers for answers of the server that say "not you".
const LIBSSH2_ERROR_AUTHENTICATION_FAILED: i32 = -18;
const LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: i32 = -19;

/// An authenticated session. Dropping it cuts the connection first, so that libssh2 has nothing to wait for.
pub(super) struct Session {
    idle_sftp: Cell<Option<Sftp>>,
    ssh: ssh2::Session,
    socket: Arc<TcpStream>,
}

impl Session {
    fn new(socket: TcpStream) -> Result<Self, Fault> {
        socket.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER)
            .map_err(io::Error::from)?;
        let socket = Arc::new(socket);
        let mut ssh = ssh2::Session::new()?;
        ssh.set_tcp_stream(Arc::clone(&socket));
        ssh.set_timeout(DROP_LIMIT_MILLIS);
        ssh.set_blocking(false);
        Ok(Self { idle_sftp: Cell::default(), ssh, socket })
    }

    pub(super) fn ssh(&self) -> &ssh2::Session {
        &self.ssh
    }

    /// An sftp channel that answers: the one that is kept, else a new one. For [`keep_sftp`](Self::keep_sftp) afterwards.
    pub(super) fn sftp(&self, watch: &Watch<'_>) -> Result<Sftp, Fault> {
        let Some(sftp) = self.idle_sftp.take() else {
            return self.drive(watch, || self.ssh.sftp());
        };
        self.drive(watch, || sftp.realpath(Path::new(".")))?;
        Ok(sftp)
    }

    /// Leaves the channel open as long as the session, so that copying again has nothing to wait for.
    ///
    /// Closing it would also meet a bug of dropbear (seen in 2022.83, its issue 258): when the next channel is opened while
    /// the sftp server of the closed one is still ending, dropbear ends the whole session.
    pub(super) fn keep_sftp(&self, sftp: Sftp) {
        self.idle_sftp.set(Some(sftp));
    }

    /// Makes a call until it no longer asks to be called again. When the wait ends otherwise, the session is cut.
    pub(super) fn drive<T, E: Into<Fault>>(
        &self,
        watch: &Watch<'_>,
        mut call: impl FnMut() -> Result<T, E>,
    ) -> Result<T, Fault> {
        loop {
            let fault = match call() {
                Ok(value) => return Ok(value),
                Err(error) => error.into(),
            };
            if !fault.would_block() {
                return Err(fault);
            }
            watch.poll(&mut [self.poll_fd(false)]).inspect_err(|_| self.cut())?;
        }
    }

    /// What to poll the socket for: what libssh2 waits for, and room for a packet if there is one to send.
    pub(super) fn poll_fd(&self, sending: bool) -> PollFd<'_> {
        let blocked = matches!(
            self.ssh.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        );
        let mut flags = PollFlags::IN;
        if sending || blocked {
            flags |= PollFlags::OUT;
        }
        PollFd::from_borrowed_fd(self.socket.as_fd(), flags)
    }

    /// Whether the other side has not closed the connection yet.
    pub(super) fn looks_alive(&self) -> bool {
        match self.socket.peek(&mut [0]) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self) {
        // A socket that is not connected any more is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn handshake(&mut self, watch: &Watch<'_>, methods: &Methods) -> Result<(), Fault> {
        let Methods { kex, host_keys } = methods;
        self.ssh.method_pref(MethodType::Kex, kex)?;
        self.ssh.method_pref(MethodType::HostKey, host_keys)?;
        self.ssh.method_pref(MethodType::CryptCs, CIPHERS)?;
        self.ssh.method_pref(MethodType::CryptSc, CIPHERS)?;
        let mut handshaking = self.ssh.clone();
        self.drive(watch, || handshaking.handshake())
    }

    fn authenticate(&self, watch: &Watch<'_>, user: &str, pem: &str) -> Result<(), Fault> {
        self.drive(watch, || self.ssh.userauth_pubkey_memory(user, None, pem, None))
    }

    fn authenticate_by_password(
        &self,
        watch: &Watch<'_>,
        user: &str,
        password: &str,
    ) -> Result<(), Fault> {
        self.drive(watch, || self.ssh.userauth_password(user, password))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Ssh {
    /// Something started on a session: on an idle one if that works, else on a new one.
    ///
    /// `start` must not make the guest do anything that may not be done twice.
    pub(super) fn start<T>(
        &self,
        watch: &Watch<'_>,
        start: impl Fn(&Session, &Watch<'_>) -> Result<T, Fault>,
    ) -> Result<(Session, T)> {
        while let Some(session) = self.pool.take() {
            match start(&session, &watch.at_most(IDLE_SESSION_LIMIT)) {
                Ok(started) => return Ok((session, started)),
                Err(fault @ Fault::Gone(_)) => {
                    return Err(self.no_session(ConnectStep::Channel, fault));
                }
                Err(fault) => {
                    tracing::debug!(vm = self.target.vm, %fault, "replacing idle ssh sessions");
                    self.pool.clear();
                }
            }
        }
        let session = self.open_session(watch)?;
        let started =
            start(&session, watch).map_err(|fault| self.no_session(ConnectStep::Channel, fault))?;
        Ok((session, started))
    }

    /// A new session, verified and authenticated.
    pub(super) fn open_session(&self, watch: &Watch<'_>) -> Result<Session> {
        let identity = self.identity.get_or_try_init(|| Identity::load(&self.target.identity))?;
        let methods = Methods::of(&self.target.host_key)?;
        let socket = self.dial(watch).map_err(|fault| self.no_session(ConnectStep::Tcp, fault))?;
        let mut session =
            Session::new(socket).map_err(|fault| self.no_session(ConnectStep::Tcp, fault))?;
        let watch = watch.at_most(HANDSHAKE_LIMIT);
        session.handshake(&watch, &methods).map_err(|fault| {
            let greeted = session.ssh.banner().is_some();
            let step = if greeted { ConnectStep::KeyExchange } else { ConnectStep::Greeting };
            self.no_session(step, fault)
        })?;
        self.verify(&session)?;
        self.log_in(&session, &watch, identity).map_err(|fault| self.not_let_in(fault))??;
        Ok(session)
    }

    /// By the key; where the guest does not take it, by the password, if there is one.
    fn log_in(
        &self,
        session: &Session,
        watch: &Watch<'_>,
        identity: &Identity,
    ) -> Result<Result<()>, Fault> {
        let user = &self.target.user;
        let by_key = match identity.with_text(|text| session.authenticate(watch, user, text)) {
            Ok(by_key) => by_key,
            Err(unusable) => return Ok(Err(unusable)),
        };
        match (by_key, &self.target.password) {
            (Err(fault), Some(password)) if is_refusal(&fault) => {
                tracing::debug!(vm = self.target.vm, "the key is refused; trying the password");
                session.authenticate_by_password(watch, user, &password.0).map(Ok)
            }
            (by_key, _) => by_key.map(Ok),
        }
    }

    /// Connects, with a new try for each one that goes unanswered, and a look at the VM between them.
    fn dial(&self, watch: &Watch<'_>) -> Result<TcpStream, Fault> {
        let watch = watch.at_most(TCP_LIMIT);
        loop {
            watch.check_vm()?;
            watch.check_limit()?;
            match self.reach.connect(self.target.address, TCP_TRY_LIMIT.min(watch.remaining())) {
                Ok(socket) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn verify(&self, session: &Session) -> Result<()> {
        let target = &self.target;
        let found = session.ssh.host_key().and_then(|(blob, _)| PublicKey::from_bytes(blob).ok());
        let expected = match &found {
            Some(found) => Some(target.host_key.expected(found)?),
            None => target.host_key.known()?,
        };
        let data = |key: &Option<PublicKey>| key.as_ref().map(|key| key.key_data().clone());
        if found.is_some() && data(&found) == data(&expected) {
            return Ok(());
        }
        let shown = |key: Option<PublicKey>, none: &str| {
            key.map_or_else(|| none.to_owned(), |key| fingerprint(&key))
        };
        let mut expected = shown(expected, "any that can be read");
        if let HostKey::Learned(path) = &target.host_key {
            // It may have made itself a new one.
            let place =
                format!(" (shown at the first contact; remove {} to forget it)", path.display());
            expected.push_str(&place);
        }
        let found = shown(found, "an unreadable key");
        let (vm, address) = (target.vm.clone(), target.address);
        Err(GuestError::HostKeyMismatch { vm, address, expected, found })
    }

    fn not_let_in(&self, fault: Fault) -> GuestError {
        match &fault {
            Fault::Ssh(error) if is_refusal(&fault) => GuestError::Authentication {
                vm: self.target.vm.clone(),
                user: self.target.user.clone(),
                identity: self.target.identity.clone(),
                detail: error.message().to_owned(),
            },
            _ => self.no_session(ConnectStep::Authentication, fault),
        }
    }

    fn no_session(&self, step: ConnectStep, fault: Fault) -> GuestError {
        match fault {
            Fault::Gone(_) => self.explain(fault, &format!("ssh, {step}"), String::new()),
            other => GuestError::Unreachable {
                vm: self.target.vm.clone(),
                address: self.target.address,
                step,
                detail: other.to_string(),
            },
        }
    }
}

/// Whether the server says "not you".
fn is_refusal(fault: &Fault) -> bool {
    let Fault::Ssh(error) = fault else { return false };
    matches!(
        error.code(),
        ErrorCode::Session(
            LIBSSH2_ERROR_AUTHENTICATION_FAILED | LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED
        )
    )
}

/// What is offered to the server, the best first.
struct Methods {
    kex: String,
    host_keys: String,
}

impl Methods {
    /// A guest that was not given its key may be of any age.
    fn of(host_key: &HostKey) -> Result<Self> {
        let first = host_key.known()?.map(|key| format!("{},", host_key_methods(&key)));
        let first = first.unwrap_or_default();
        Ok(match host_key {
            HostKey::Given(_) => {
                Self { kex: KEX.to_owned(), host_keys: format!("{first}{OTHER_HOST_KEYS}") }
            }
            HostKey::Learned(_) => Self {
                kex: format!("{KEX},{OLD_KEX}"),
                host_keys: format!("{first}{OTHER_HOST_KEYS},{OLD_HOST_KEYS}"),
            },
        })
    }
}

fn host_key_methods(key: &PublicKey) -> String {
    match key.algorithm() {
        Algorithm::Rsa { .. } => "rsa-sha2-512,rsa-sha2-256,ssh-rsa".to_owned(),
        other => other.as_str().to_owned(),
    }
}

fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
