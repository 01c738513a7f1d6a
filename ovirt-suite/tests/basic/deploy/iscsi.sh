#!/bin/sh
# Makes this machine an iSCSI server: a target with a LUN for each disk behind the first, open to every initiator.
set -eu
target=iqn.2014-07.org.ovirt:storage
targetcli clearconfig confirm=True >/dev/null
{
    number=0
    for disk in /dev/vd[b-z]; do
        echo "/backstores/block create lun$number $disk"
        number=$((number + 1))
    done
    echo "/iscsi create $target"
    while [ "$number" -gt 0 ]; do
        number=$((number - 1))
        echo "/iscsi/$target/tpg1/luns create /backstores/block/lun$number lun$number"
    done
    echo "/iscsi/$target/tpg1 set attribute authentication=0 demo_mode_write_protect=0 generate_node_acls=1 cache_dynamic_acls=1"
    echo "saveconfig"
} >/root/target.commands
targetcli </root/target.commands
# Debian and Enterprise Linux call what brings it back after a boot by different names.
systemctl --quiet enable rtslib-fb-targetctl 2>/dev/null || systemctl --quiet enable target
# targetcli goes on after a command that failed.
targetcli "/iscsi/$target/tpg1" ls
targetcli "/iscsi/$target/tpg1/luns" ls | grep -q lun0
