#!/bin/sh
# The first process of a private host: it prepares the mounts of its namespaces and keeps libvirtd running.
# When it dies, the kernel kills everything that is in its PID namespace.
#
#   init.sh MARKER INSTANCE DIRECTORY [CAPABILITIES]
#
# MARKER and INSTANCE are there to be found in the list of processes. DIRECTORY is the host's own. CAPABILITIES is a
# cache of what libvirt found out about QEMU, which the hosts of one user share.
# `mount -n` as there is no table of mounts to keep: /etc/mtab is the kernel's, and /run is replaced on the way.
# Standard input is a locked file. The lock tells everybody that the host is on its way, until it can be found.
# Standard output is a pipe to the process that starts the host: one line that says under which process id it sees us.
set -u
# dnsmasq, which is another user inside, reads what libvirt writes for it. The directories keep other users out.
umask 022
directory=$3
capabilities=${4-}

fail() {
    echo "lago: $*" >&2
    exit 1
}

# /proc is still that of the namespace around this one, so it shows the process id that is known there.
read -r pid rest </proc/self/stat || fail "cannot read /proc/self/stat"
echo "$pid" >"$directory/init.pid" || fail "cannot write $directory/init.pid"
flock --unlock 0 || fail "cannot release the lock on standard input"
exec </dev/null
# Whoever started this may be gone: that is no reason to stop.
echo "$pid" || :
exec >&2

mount -n -t proc proc /proc || fail "cannot mount /proc of the new PID namespace"
# Without a /sys of the new network namespace libvirt looks for its devices in vain and logs errors. A container engine
# may forbid the mount; everything works without it.
mount -n -t sysfs sysfs /sys 2>/dev/null || echo "lago: /sys stays that of the outer host" >&2

# A new /run, with only those parts of the old one that a person's programs need. Above all the system's D-Bus must not
# be there: libvirtd would ask the firewalld and the machined of the outer host for help.
run=$directory/run
mkdir -p "$run" && mount -n -t tmpfs -o mode=0755 tmpfs "$run" || fail "cannot mount a tmpfs on $run"
mkdir -p "$run/libvirt" "$run/lock" || fail "cannot fill $run"
for kept in user systemd/resolve resolvconf NetworkManager connman; do
    [ -d "/run/$kept" ] || continue
    mkdir -p "$run/$kept" && mount -n --rbind "/run/$kept" "$run/$kept" || fail "cannot bind /run/$kept"
done
mount -n --move "$run" /run || fail "cannot move the new /run to its place"

for part in lib cache log; do
    mount -n --bind "$directory/$part" "/var/$part/libvirt" || fail "cannot bind /var/$part/libvirt"
done
mount -n --bind "$directory/etc" /etc/libvirt || fail "cannot bind /etc/libvirt"
if [ -n "$capabilities" ]; then
    mkdir -p /var/cache/libvirt/qemu/capabilities &&
        mount -n --bind "$capabilities" /var/cache/libvirt/qemu/capabilities ||
        fail "cannot bind the cache of QEMU's capabilities, $capabilities"
fi

ip link set lo up || fail "cannot bring up the loopback interface"
# For what is to connect this network to the one around it: by the path of a process it would need to be as mighty as that.
: >/run/lago-net && mount -n --bind /proc/self/ns/net /run/lago-net || fail "cannot bind the network namespace"
# Until here a look into this host, from outside, shows parts of the one around it, such as the socket of its libvirtd.
echo "$2" >/run/lago-instance || fail "cannot write /run/lago-instance"

# The domains outlive a libvirtd that crashed: the next one finds them again. The pause between two starts doubles up
# to ten seconds, and is short again after one that ran for a minute. Before the host is ready a libvirtd that ends is
# a reason to give up. `wait` also reaps the children of others which the kernel gave to this process.
pause=1
while :; do
    read -r started rest </proc/uptime
    libvirtd &
    libvirtd=$!
    wait "$libvirtd"
    status=$?
    [ -e /run/lago-ready ] || fail "libvirtd ended with status $status before it was ready"
    read -r ended rest </proc/uptime
    if [ $((${ended%.*} - ${started%.*})) -ge 60 ]; then
        pause=1
    fi
    echo "lago: libvirtd ended with status $status; the next one starts in $((pause * 100)) ms" >&2
    sleep "$((pause / 10)).$((pause % 10))" &
    wait "$!"
    pause=$((pause * 2))
    [ "$pause" -le 100 ] || pause=100
done
