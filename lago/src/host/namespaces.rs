//! Into the namespaces of a private host: the one place that works between `fork` and `exec`.
//!
//! Everything that runs there makes system calls only. It takes no lock and allocates nothing, because another thread
//! may have held the allocator's lock at the moment of the fork.
//!
//! # Why not `nsenter`
//! A [`Command`] that is already built cannot be given another program in front without losing its pipes. `nsenter`
//! also leaves the program running when it is killed, and forwards no signal to it. So [`enter`] does the same work in
//! the child: `setns`, then a fork, since only a *child* of the caller of `setns` is in the new PID namespace. What the
//! starter knows as its child process is a small supervisor then:
//! - it ends as the program ended, by exit code or by signal;
//! - it passes on signals that were sent to it, but not those of the terminal, which reach the program anyway;
//! - it stops and continues with the program, so a shell's job control works;
//! - when it is killed, the kernel kills the program.
#![expect(
    unsafe_code,
    reason = "setns and fork have to happen in the child, before it executes the program"
)]

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::Signal;
use rustix::thread::{ThreadNameSpaceType as Namespaces, move_into_thread_name_spaces};

use super::descriptors;

/// The longest working directory that [`enter`] can keep: the kernel's limit of a path.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// Makes a command run inside the namespaces of `init`: user (when it has one of its own), mount, network, PID.
///
/// The working directory is kept by its path, which is the same inside unless it lies under one of the directories
/// that are private to the host. Environment, standard streams, further descriptors, terminal and process group stay
/// as the command has them.
pub(super) fn enter(command: &mut Command, init: OwnedFd, own_user_namespace: bool) {
    let namespaces = user_namespace(own_user_namespace)
        | Namespaces::MOUNT
        | Namespaces::NETWORK
        | Namespaces::PROCESS_ID;
    enter_these(command, init, namespaces);
}

/// As [`enter`], but the network stays the one in which this process is: for what connects the host to it.
pub(super) fn enter_but_network(command: &mut Command, init: OwnedFd, own_user_namespace: bool) {
    let namespaces =
        user_namespace(own_user_namespace) | Namespaces::MOUNT | Namespaces::PROCESS_ID;
    enter_these(command, init, namespaces);
}

fn enter_these(command: &mut Command, init: OwnedFd, namespaces: Namespaces) {
    // SAFETY: the closure and all that it calls make system calls only; see the module's documentation.
    unsafe {
        command.pre_exec(move || {
            move_and_keep_directory(init.as_fd(), namespaces)?;
            continue_in_supervised_child()
        });
    }
}

/// A TCP socket for an address, not yet connected and not blocking, which lives in the network namespace of `init`.
///
/// A thread of this process cannot make it: the kernel lets only a process with one thread enter a user namespace. A
/// socket stays in the namespace in which it was made, so a short-lived child makes it and passes it on.
pub(super) fn tcp_socket(
    init: OwnedFd,
    own_user_namespace: bool,
    address: SocketAddr,
) -> io::Result<OwnedFd> {
    let namespaces = user_namespace(own_user_namespace) | Namespaces::NETWORK;
    let (ours, theirs) = descriptors::pair()?;
    // Never executed: the child ends before, once it has sent the socket.
    let mut command = Command::new("/proc/self/exe");
    // SAFETY: the closure makes system calls only; `_exit` runs no destructor of the copied process.
    unsafe {
        command.pre_exec(move || {
            move_into_thread_name_spaces(init.as_fd(), namespaces)?;
            let socket = tcp_socket_here(address)?;
            descriptors::send(theirs.as_fd(), 0, socket.as_fd())?;
            libc::_exit(0)
        });
    }
    let mut child = command.spawn()?;
    // The child has sent, or it has failed and `spawn` has said so: there is nothing to wait for.
    let received = descriptors::receive(ours.as_fd(), RecvFlags::DONTWAIT);
    child.wait()?;
    let socket = received?.and_then(|message| message.descriptor);
    socket.ok_or_else(|| io::Error::other("the child process passed no socket"))
}

/// A TCP socket for an address, not yet connected and not blocking, in the network namespace of this process.
pub(super) fn tcp_socket_here(address: SocketAddr) -> io::Result<OwnedFd> {
    tcp_socket_of(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })
}

/// As [`tcp_socket_here`], for addresses of a family.
pub(super) fn tcp_socket_of(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

/// Starts a command without any descriptor of this process but its standard streams.
///
/// A daemon that held, say, the write end of somebody's pipe would keep its reader waiting for ever.
pub(super) fn keep_only_standard_streams(command: &mut Command) {
    // SAFETY: one system call. The descriptors stay open until `exec`, so the report of a failed `exec` still works.
    unsafe {
        command.pre_exec(|| close_from(3, libc::CLOSE_RANGE_CLOEXEC));
    }
}

fn user_namespace(own: bool) -> Namespaces {
    // Entering the namespace in which one already is, is an error.
    if own { Namespaces::USER } else { Namespaces::empty() }
}

/// Closes every descriptor from `first` on, or with `CLOSE_RANGE_CLOEXEC` marks it to be closed by `exec`.
fn close_from(first: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call takes three numbers. Called in a child only, whose descriptors nobody else owns.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Moves the calling process into the namespaces. A new mount namespace would leave it in its root directory.
fn move_and_keep_directory(init: BorrowedFd<'_>, namespaces: Namespaces) -> io::Result<()> {
    let mut directory = [MaybeUninit::<u8>::uninit(); PATH_MAX];
    // SAFETY: the buffer is as long as said; the call writes a string that ends with zero, or fails.
    let known = unsafe { !libc::getcwd(directory.as_mut_ptr().cast(), directory.len()).is_null() };
    if !known {
        return Err(io::Error::last_os_error());
    }
    move_into_thread_name_spaces(init, namespaces)?;
    // SAFETY: `getcwd` succeeded, so the buffer holds a string that ends with zero.
    match unsafe { libc::chdir(directory.as_ptr().cast()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Forks; returns in the child, which goes on to execute the program. The parent becomes its supervisor.
fn continue_in_supervised_child() -> io::Result<()> {
    let supervisor = rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    )?;
    let mask = block_all_signals();
    // Ignored, as it may have been inherited, it would have the kernel forget how the program ended.
    // SAFETY: changes the disposition of one signal; the program inherits the default one.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: this process has one thread, and both sides go on with system calls only.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            die_with(supervisor.as_fd())?;
            set_signal_mask(&mask);
            Ok(())
        }
        program => supervise(program),
    }
}

/// Has the kernel kill the calling process when its parent, the supervisor, ends.
fn die_with(supervisor: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The supervisor may have ended before that call. Its number cannot tell: seen from in here it is always zero.
    let mut fds =
        [rustix::event::PollFd::from_borrowed_fd(supervisor, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::event::poll(&mut fds, Some(&now))? {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// The life of a supervisor. All signals are blocked, so that none is lost and none interrupts.
fn supervise(program: libc::pid_t) -> ! {
    // Above all the standard streams and the pipe on which the starter waits for the result of `exec`: only the program
    // may keep them open. A supervisor without descriptors needs none to do its work, so a failure changes nothing.
    let _ = close_from(0, 0);
    let all = all_signals();
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: both pointers are valid for the call, and zeroed bytes are a valid `siginfo_t`.
        let (signal, code) = unsafe {
            let signal = libc::sigwaitinfo(&raw const all, info.as_mut_ptr());
            (signal, info.assume_init().si_code)
        };
        match signal {
            libc::SIGCHLD => follow(program),
            // A terminal sends to the whole process group, the program included.
            signal if signal > 0 && code != libc::SI_KERNEL => {
                // SAFETY: `program` is a child that is not yet waited for, so the number is its own.
                unsafe { libc::kill(program, signal) };
            }
            _ => {}
        }
    }
}

/// Does what the program did: ends as it ended, stops when it stopped.
fn follow(program: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the pointer is valid for the call.
    while unsafe { libc::waitpid(program, &raw mut status, libc::WNOHANG | libc::WUNTRACED) }
        == program
    {
        if libc::WIFEXITED(status) {
            // SAFETY: ends the process without running anything of the program it was forked from.
            unsafe { libc::_exit(libc::WEXITSTATUS(status)) };
        } else if libc::WIFSIGNALED(status) {
            end_by(libc::WTERMSIG(status));
        } else if libc::WIFSTOPPED(status) {
            // SAFETY: stops this process until somebody continues it, and then continues the program.
            unsafe {
                libc::raise(libc::SIGSTOP);
                libc::kill(program, libc::SIGCONT);
            }
        }
    }
}

/// Ends this process by a signal, without a core file.
fn end_by(signal: libc::c_int) -> ! {
    // SAFETY: the calls take numbers and pointers to local values; the last one does not return.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        libc::signal(signal, libc::SIG_DFL);
        let mut only: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const only, std::ptr::null_mut());
        libc::raise(signal);
        // The shell's convention, for a signal whose default is not to end a process.
        libc::_exit(128 + signal)
    }
}

fn all_signals() -> libc::sigset_t {
    // SAFETY: `sigfillset` initializes the set.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// Blocks all signals; returns the mask before.
fn block_all_signals() -> libc::sigset_t {
    let all = all_signals();
    // SAFETY: both pointers are valid for the call, which cannot fail with these arguments.
    unsafe {
        let mut before = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn set_signal_mask(mask: &libc::sigset_t) {
    // SAFETY: the pointer is valid for the call, which cannot fail with these arguments.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}
