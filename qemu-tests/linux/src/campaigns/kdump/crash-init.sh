#!/bin/sh
# The first program of the crash kernel: serves from the disk as soon as possible. It brings up the disk before the
# address, as the takeover hooks do, so that a first reply means the same in both.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
echo "init: event=crash-userspace ;" > /dev/kmsg
while read -r module; do
    insmod "/lib/modules/$module.ko"
done < /lib/modules/order
echo crash > /run/role
linux-guest &
until [ -b /dev/vda ]; do usleep 1000; done
mount -t ext4 /dev/vda /data
echo "init: event=crash-disk ;" > /dev/kmsg
until ip address add 10.0.2.15/24 dev eth0 2> /dev/null; do usleep 1000; done
ip link set eth0 up
ip route add default via 10.0.2.2
echo "init: event=crash-ready ;" > /dev/kmsg
wait
