#!/bin/sh
# Makes this machine an NFS server with the exports of the suite: for a data, an ISO and an export domain.
set -eu
: >/etc/exports
for share in share1 iso exported; do
    mkdir -p "/exports/nfs/$share"
    # vdsm and kvm have this number on all hosts.
    chown 36:36 "/exports/nfs/$share"
    echo "/exports/nfs/$share *(rw,sync,no_subtree_check,all_squash,anonuid=36,anongid=36)" >>/etc/exports
done
systemctl --quiet enable nfs-server
systemctl restart nfs-server
exportfs -ra
exportfs -s
