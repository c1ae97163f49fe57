#!/bin/sh
# The first program of a Linux that boots without a monitor: brings up everything that a tenant needs, and reports it.
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
say "event=modules loaded=$(wc -l < /proc/modules) ;"

echo primary > /run/role
linux-guest &

# Drivers find their devices in their own time.
tries=0
until [ -b /dev/vda ] && [ -d /sys/class/net/eth0 ] || [ $tries -ge 100 ]; do
    usleep 50000
    tries=$((tries + 1))
done
mount -t ext4 /dev/vda /data && say "event=data-mounted ;"
if [ -b /dev/pmem0 ]; then
    mke2fs -b 4096 /dev/pmem0 > /dev/null && mount -t ext4 -o dax=always /dev/pmem0 /dax &&
        say "event=dax-mounted ;"
fi
ip link set lo up
ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2 &&
    say "event=network-up ;"
say "event=ready ;"
wait
exec sleep 2147483647
