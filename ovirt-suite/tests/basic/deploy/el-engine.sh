#!/bin/sh
# Makes sure that an engine can be set up on this machine. A template may have oVirt in it.
set -eu
command -v engine-setup >/dev/null && exit 0
"$(command -v dnf || command -v yum)" --assumeyes install ovirt-engine
command -v engine-setup
