#!/bin/sh
# The first program of the Linux that kdump protects: brings up the machine's disk and address as a tenant does, and
# loads the crash kernel.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys

say() {
    echo "init: $*" > /dev/kmsg
}

say "event=userspace kernel=$(uname -r) ;"
while read -r module; do
    insmod "/lib/modules/$module.ko" || say "event=module-missing name=$module ;"
done < /lib/modules/order
ip link set lo up
linux-guest &

# Drivers find their devices in their own time.
tries=0
until [ -b /dev/vda ] && [ -d /sys/class/net/eth0 ] || [ $tries -ge 200 ]; do
    usleep 20000
    tries=$((tries + 1))
done
echo primary > /run/role
mount -t ext4 /dev/vda /data || say "event=hook-failed name=disk ;"
ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2 ||
    say "event=hook-failed name=network ;"
crash-load /kdump/vmlinuz /kdump/initrd "$(cat /kdump/cmdline)" > /dev/kmsg 2>&1
crash_loaded=$(cat /sys/kernel/kexec_crash_loaded)
nmi_watchdog=$(cat /proc/sys/kernel/nmi_watchdog || echo 0)
say "event=ready crash_loaded=$crash_loaded nmi_watchdog=$nmi_watchdog ;"
exec sleep 2147483647
