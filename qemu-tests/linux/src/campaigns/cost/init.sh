#!/bin/sh
# The first program of a Linux whose speed is measured: alone, beside an armed backup, or as that backup. There are no
# devices to bring up.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp

say() {
    echo "init: $*" > /dev/kmsg
}

status() {
    understudyctl status --json
}

# How many were sent, and when, in s.
keepalives() {
    echo "$(status | grep -o '"keepalives_sent":[0-9]*' | cut -d : -f 2)@$(cut -d ' ' -f 1 /proc/uptime)"
}

say "event=userspace kernel=$(uname -r) ;"
while read -r module; do
    insmod "/lib/modules/$module.ko" || say "event=module-missing name=$module ;"
done < /lib/modules/order

kind=alone
if [ -e /sys/firmware/acpi/tables/UNDS ]; then
    kind=beside
    if status | grep -q '"role":"backup"'; then
        understudyctl park
        exec sleep 2147483647
    fi
    until status | grep -q '"protected":true'; do
        usleep 100000
    done
fi

# What a boot leaves to do is done by then.
sleep 3
before=$(keepalives)
took=$(linux-work "$(nproc)" "$work_rounds" /tmp)
after=$(keepalives)
clock=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
say "event=worked kind=$kind cpus=$(nproc) clock=$clock before=$before after=$after $took ;"
if [ $kind = beside ]; then say "status $(status)"; fi
exec sleep 2147483647
