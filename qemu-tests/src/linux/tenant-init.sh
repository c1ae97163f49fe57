#!/bin/sh
# The first program of a Linux tenant, primary or backup. What brings the machine's disk, RAM disk and address up is the same for both: the takeover hooks.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys

say() {
    echo "init: $*" > /dev/kmsg
}

say "event=userspace kernel=$(uname -r)"
while read -r module; do
    case $module in
        understudy) options="warm=all" ;;
        *) options="" ;;
    esac
    insmod "/lib/modules/$module.ko" $options || say "event=module-missing name=$module"
done < /lib/modules/order
ip link set lo up
linux-guest &

bring_up() {
    for hook in /etc/understudy/takeover.d/*; do
        "$hook" || say "event=hook-failed name=$hook"
    done
    say "event=ready"
}

# What is to be quick in a takeover is done once before: drivers, block layer, network, service.
warm_up() {
    dd if=/dev/vda of=/dev/null bs=64k count=4 2> /dev/null
    ip link set eth0 up
    for _ in 1 2 3; do
        wget -q -O /dev/null http://127.0.0.1/
    done
    ip link set eth0 down
    understudyctl --version > /dev/null
}

if understudyctl status --json | grep -q '"role":"primary"'; then
    bring_up
else
    echo backup > /run/role
    warm_up
    understudyctl park
    say "event=ready"
fi
# Its log goes to the console of whoever serves; a test may want to see the timeline there.
understudyctl status --json | while read -r line; do say "status $line"; done
exec sleep 2147483647
