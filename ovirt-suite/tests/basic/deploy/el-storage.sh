#!/bin/sh
# Makes sure that this machine can serve NFS and iSCSI.
set -eu
command -v exportfs >/dev/null && command -v targetcli >/dev/null && exit 0
"$(command -v dnf || command -v yum)" --assumeyes install nfs-utils targetcli
