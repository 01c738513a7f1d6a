#!/bin/sh
# Puts a service of the engine's name into the VM: it "runs" when it was started, and serves nothing.
set -eu
cat >/etc/init.d/ovirt-engine <<'SCRIPT'
#!/bin/sh
case $1 in
start) touch /run/ovirt-engine ;;
stop) rm -f /run/ovirt-engine ;;
status) [ -e /run/ovirt-engine ] || exit 3 ;;
esac
SCRIPT
chmod 755 /etc/init.d/ovirt-engine
# What is asked for its answers, and shows them. It goes wrong when they say so.
cat >/usr/sbin/engine-setup <<'SCRIPT'
#!/bin/sh
file=${3#--config-append=}
ls -l "$file" >/root/setup.permissions
cat "$file" >/root/setup.answers
echo "$1 $2 $(dirname "$file")" >/root/setup.arguments
if grep -q broken "$file"; then
    echo "the database does not start" >&2
    exit 3
fi
SCRIPT
chmod 755 /usr/sbin/engine-setup
