use lago_test::lago::guest::{Cmd, ServiceState};
use lago_test::lago::spec::ServiceProvider;
use lago_test::{TestResult, assert_true_within_short, ensure};

use crate::{Client, Server};

/// The guest's own scripts, with exit codes of the Linux Standard Base.
pub(crate) fn an_init_script_starts_and_stops(client: Client, server: Server) -> TestResult {
    let web = server.service("httpd")?;
    ensure!(web.provider()? == ServiceProvider::SysVInit);
    ensure!(web.exists()? && !web.alive()?);
    web.start()?;
    ensure!(web.state()? == ServiceState::Active);
    let fetch = Cmd::sh("wget -q -O - http://server/");
    assert_true_within_short(|| Ok(client.output(&fetch)?.stdout() == "it works\n"))?;
    web.start()?;
    web.stop()?;
    ensure!(web.state()? == ServiceState::Inactive);
    ensure!(!client.output(&fetch)?.success());
    Ok(())
}

pub(crate) fn what_is_not_there_is_missing(server: Server) -> TestResult {
    let none = server.service("no-such-service")?;
    ensure!(none.state()? == ServiceState::Missing && !none.exists()? && !none.alive()?);
    let error = none.start().expect_err("there is none").to_string();
    ensure!(error.contains("server: service no-such-service"), "{error}");
    // A script without permission to run is none, and `functions` is not a service.
    ensure!(server.service("functions")?.state()? == ServiceState::Missing);
    server.service("../../bin/sh").expect_err("that is no name");
    Ok(())
}

pub(crate) fn the_agents_service_is_found(server: Server) -> TestResult {
    let agent = server.guest_agent()?;
    ensure!(agent.name() == "qemu-guest-agent" && agent.alive()?, "{agent:?}");
    Ok(())
}

/// A stand-in for a docker whose daemon is down: it says what docker says then.
pub(crate) fn a_docker_that_does_not_answer_changes_nothing(server: Server) -> TestResult {
    server.run(Cmd::sh(
        "printf '#!/bin/sh\\necho Cannot connect to the Docker daemon >&2\\nexit 1\\n' >/usr/bin/docker && \
         chmod +x /usr/bin/docker",
    ))?;
    let agent = server.service("qemu-guest-agent")?;
    ensure!(agent.provider()? == ServiceProvider::SysVInit && agent.alive()?);
    Ok(())
}
