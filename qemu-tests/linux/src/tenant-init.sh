#!/bin/sh
# The first program of a Linux tenant, primary or backup. In both roles the takeover hooks bring up the machine's disk,
# RAM disk and address.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys

say() {
    echo "init: $*" > /dev/kmsg
}

say "event=userspace kernel=$(uname -r) ;"
while read -r module; do
    case $module in
        understudy) options="warm=all" ;;
        *) options="" ;;
    esac
    insmod "/lib/modules/$module.ko" $options || say "event=module-missing name=$module ;"
done < /lib/modules/order
ip link set lo up
# A gratuitous ARP goes out with every address that comes up.
echo 1 > /proc/sys/net/ipv4/conf/all/arp_notify
linux-guest &

bring_up() {
    for hook in /etc/understudy/takeover.d/*; do
        [ -x "$hook" ] || continue
        "$hook" || say "event=hook-failed name=$hook ;"
    done
    say "event=ready ;"
}

# What is to be quick in a takeover is done once before: drivers, block layer, network, service.
warm_up() {
    for hook in /etc/understudy/takeover.d/[12]*; do
        [ -x "$hook" ] || continue
        "$hook" rehearse || say "event=rehearsal-failed name=$hook ;"
    done
    for _ in 1 2 3; do
        wget -q -O /dev/null http://127.0.0.1/
    done
    understudyctl --version > /dev/null
}

if understudyctl status --json | grep -q '"role":"primary"'; then
    if dmesg | grep -q "x2apic enabled"; then x2apic=yes; else x2apic=no; fi
    say "event=apic x2apic=$x2apic ;"
    bring_up
else
    echo backup > /run/role
    warm_up
    understudyctl park
    say "event=ready ;"
fi
# Its log goes to the console of whoever serves; a test may want to see the timeline there.
understudyctl status --json | while read -r line; do say "status $line"; done
exec sleep 2147483647
