#!/bin/sh
# Does what depends on what a guest has. Runs with the guest's file system as its root, before the guest's first start.
# Each line of /.lago-sysprep is something to do:
#   own MODE PATH          the file belongs to root, and has this mode
#   hostname NAME          also where virt-sysprep does not know how
#   nic NAME MAC yes|no ADDRESS GATEWAY DOMAIN
#                          the interface uses DHCP, and takes a default route from it or not; its IPv6 address with the
#                          length of the prefix, and gateway; where names are looked for. What it does not have is -
#   selinux MODE
#   no-cloud-init          cloud-init, and what else knows this file, leaves the system as it is
set -eu
# Tests have a directory that stands for the guest's root.
root=${LAGO_SYSPREP_ROOT-}

# put MODE PATH: writes its input to a file.
put() {
    mkdir -p "$(dirname "$root$2")"
    (umask 077 && cat >"$root$2")
    chmod "$1" "$root$2"
}

own() {
    chown 0:0 "$root$2"
    chmod "$1" "$root$2"
}

hostname() {
    if [ "$(cat "$root/etc/hostname" 2>/dev/null)" != "$1" ]; then
        echo "$1" | put 644 /etc/hostname
    fi
}

selinux() {
    if [ -f "$root/etc/selinux/config" ]; then
        sed -i "s/^SELINUX=.*/SELINUX=$1/" "$root/etc/selinux/config"
    elif [ "$1" != disabled ]; then
        echo "this system has no SELinux: there is no /etc/selinux/config" >&2
        exit 1
    fi
}

no_cloud_init() {
    put 644 /etc/cloud/cloud-init.disabled </dev/null
}

# The following write what each of the programs that configure networks reads.

# search FORMAT: the line about the domain, where DHCP's is not heeded.
search() {
    [ "$domain" = - ] || printf "$1" "$domain"
}

# ipv6 ADDRESS_FORMAT GATEWAY_FORMAT: the lines about what there is of the two.
ipv6() {
    [ "$address6" = - ] || printf "$1" "$address6"
    [ "$gateway6" = - ] || printf "$2" "$gateway6"
}

udev_and_networkd() {
    put 644 "/etc/systemd/network/10-lago-$name.link" <<END
[Match]
MACAddress=$mac

[Link]
Name=$name
END
    put 644 "/etc/systemd/network/10-lago-$name.network" <<END
[Match]
MACAddress=$mac

[Network]
DHCP=ipv4
$(search 'Domains=%s\n')
$(ipv6 'Address=%s\nIPv6AcceptRA=no\n' 'Gateway=%s\n')

[DHCPv4]
UseRoutes=$routes
END
}

netplan() {
    put 600 "/etc/netplan/90-lago-$name.yaml" <<END
network:
  version: 2
  ethernets:
    $name:
      match: {macaddress: "$mac"}
      set-name: $name
      dhcp4: true
      dhcp4-overrides: {use-routes: $([ "$routes" = yes ] && echo true || echo false)}
$(search '      nameservers: {search: ["%s"]}\n')
$(ipv6 '      addresses: ["%s"]\n      accept-ra: false\n' '      routes: [{to: "::/0", via: "%s"}]\n')
END
}

network_scripts() {
    put 644 "/etc/sysconfig/network-scripts/ifcfg-$name" <<END
TYPE=Ethernet
DEVICE=$name
HWADDR=$mac
ONBOOT=yes
BOOTPROTO=dhcp
DEFROUTE=$routes
$(ipv6 'IPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=%s\n' 'IPV6_DEFAULTGW=%s\n')
END
}

network_manager() {
    put 600 "/etc/NetworkManager/system-connections/lago-$name.nmconnection" <<END
[connection]
id=lago-$name
type=ethernet
autoconnect-priority=100

[ethernet]
mac-address=$mac

[ipv4]
method=auto
never-default=$([ "$routes" = yes ] && echo false || echo true)

[ipv6]
$(if [ "$address6" = - ]; then echo method=ignore; else ipv6 'method=manual\naddress1=%s' ',%s'; fi)
END
}

wicked() {
    put 644 "/etc/sysconfig/network/ifcfg-$name" <<END
STARTMODE='auto'
BOOTPROTO='dhcp4'
DHCLIENT_SET_DEFAULT_ROUTE='$routes'
$(if [ "$address6" != - ]; then echo "IPADDR_6='$address6'"; fi)
END
    if [ "$gateway6" != - ]; then
        echo "default $gateway6 - $name" | put 644 "/etc/sysconfig/network/ifroute-$name"
    fi
}

ifupdown() {
    if ! grep -q "^iface $name " "$root/etc/network/interfaces"; then
        printf '\nauto %s\niface %s inet dhcp\n' "$name" "$name" >>"$root/etc/network/interfaces"
        ipv6 "iface $name inet6 static\n    address %s\n" '    gateway %s\n' >>"$root/etc/network/interfaces"
    fi
}

networkd_is_enabled() {
    for directory in etc usr/lib lib; do
        unit=$root/$directory/systemd/system/multi-user.target.wants/systemd-networkd.service
        if [ -e "$unit" ] || [ -L "$unit" ]; then return 0; fi
    done
    return 1
}

nic() {
    name=$1 mac=$2 routes=$3 address6=$4 gateway6=$5 domain=$6
    if [ -d "$root/etc/systemd" ]; then udev_and_networkd; fi
    if [ -d "$root/etc/netplan" ]; then
        netplan
    elif [ -e "$root/etc/sysconfig/network-scripts/ifup" ]; then
        network_scripts
    elif [ -d "$root/etc/NetworkManager" ]; then
        network_manager
    elif [ -d "$root/etc/sysconfig/network" ]; then
        wicked
    elif [ -f "$root/etc/network/interfaces" ]; then
        ifupdown
    elif ! networkd_is_enabled; then
        echo "nothing here configures networks: there is no netplan, NetworkManager, wicked, ifupdown or systemd-networkd" >&2
        exit 1
    fi
}

while read -r what first rest; do
    case $what in
    own) own "$first" "$rest" ;;
    hostname) hostname "$first" ;;
    # Names, addresses and words, none of which has a space in it.
    nic) nic "$first" ${rest} ;;
    selinux) selinux "$first" ;;
    no-cloud-init) no_cloud_init ;;
    esac
done <"$root/.lago-sysprep"
rm "$root/.lago-sysprep"
