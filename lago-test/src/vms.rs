//! Parameters that are virtual machines.

use std::ops::Deref;

use lago::{Prefix, Vm};

use crate::context::{Context, FromContext, Needs};
use crate::result::Failure;

/// Declares parameter types for VMs of the init file, by name. They deref to [`lago::Vm`].
///
/// ```
/// use lago_test::{TestResult, ensure, vms};
/// use lago_test::lago::cmd;
///
/// vms! {
///     /// Fetches pages.
///     struct Client = "client";
///     struct Server = "server";
/// }
///
/// fn fetch_page(client: Client, server: Server) -> TestResult {
///     let page = client.run(cmd!("curl", "-fsS", format!("http://{}/", server.ip())))?;
///     ensure!(page.stdout().contains("it works"), "unexpected page: {}", page.stdout());
///     Ok(())
/// }
/// ```
///
/// A suite that has such a parameter while its init file has no VM of that name is refused before anything starts.
#[macro_export]
macro_rules! vms {
    ($($(#[$meta:meta])* $visibility:vis struct $name:ident = $vm:expr;)*) => {$(
        $(#[$meta])*
        #[doc = ::core::concat!("The VM `", $vm, "`.")]
        #[derive(Debug, Clone)]
        $visibility struct $name($crate::lago::Vm);

        impl $crate::FromContext for $name {
            fn requires(needs: &mut $crate::Needs) {
                needs.vm($vm);
            }

            fn from_context(
                context: &$crate::Context,
            ) -> ::core::result::Result<Self, $crate::Failure> {
                context.vm($vm).map(Self)
            }
        }

        impl ::core::ops::Deref for $name {
            type Target = $crate::lago::Vm;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )*};
}

/// The whole prefix as a parameter.
impl FromContext for Prefix {
    fn requires(needs: &mut Needs) {
        needs.environment();
    }

    fn from_context(context: &Context) -> Result<Self, Failure> {
        context.prefix().cloned()
    }
}

/// All VMs as a parameter, in the order of the init file.
///
/// ```
/// use lago_test::{TestResult, Vms};
/// use lago_test::lago::cmd;
///
/// fn hosts_answer(vms: Vms) -> TestResult {
///     for host in vms.in_group("hosts") {
///         host.run(cmd!("true"))?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Vms(Vec<Vm>);

impl Vms {
    /// Those whose `groups` in the init file have this one.
    pub fn in_group(&self, group: &str) -> impl Iterator<Item = &Vm> {
        self.0.iter().filter(move |vm| vm.spec().groups.iter().any(|name| name == group))
    }
}

impl FromContext for Vms {
    fn requires(needs: &mut Needs) {
        needs.environment();
    }

    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self(context.prefix()?.vms().cloned().collect()))
    }
}

impl Deref for Vms {
    type Target = [Vm];

    fn deref(&self) -> &[Vm] {
        &self.0
    }
}
