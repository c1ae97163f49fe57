#!/bin/sh
# Prints the entry of GRUB's menu that boots a machine with a failover kernel.
# /etc/default/understudy names the kernels.
set -e

prefix=/usr
datarootdir=/usr/share
. "${pkgdatadir:-$datarootdir/grub}/grub-mkconfig_lib"

sysconfdir=${sysconfdir:-/etc}
if [ -r "$sysconfdir/default/understudy" ]; then
    . "$sysconfdir/default/understudy"
fi

image=${UNDERSTUDY_IMAGE:-/boot/understudy}
primary=$UNDERSTUDY_PRIMARY_KERNEL
failover=$UNDERSTUDY_FAILOVER_KERNEL
if [ -z "$primary" ] && [ -z "$failover" ]; then
    exit 0
fi

refuse() {
    gettext_printf "No entry for understudy: %s\n" "$1" >&2
    exit 0
}

[ -n "$primary" ] || refuse "UNDERSTUDY_PRIMARY_KERNEL is not set"
[ -n "$failover" ] || refuse "UNDERSTUDY_FAILOVER_KERNEL is not set"

initrd_of() {
    echo "$(dirname "$1")/initrd.img-${1##*/vmlinuz-}"
}
primary_initrd=${UNDERSTUDY_PRIMARY_INITRD:-$(initrd_of "$primary")}
failover_initrd=${UNDERSTUDY_FAILOVER_INITRD:-$(initrd_of "$failover")}
for file in "$image" "$primary" "$primary_initrd" "$failover" "$failover_initrd"; do
    [ -r "$file" ] || refuse "$file does not exist"
done

root=$GRUB_DEVICE
if [ -n "$GRUB_DEVICE_UUID" ] && [ "$GRUB_DISABLE_LINUX_UUID" != true ]; then
    root=UUID=$GRUB_DEVICE_UUID
fi
# On Btrfs and ZFS the root is a part of the device, as in the distribution's own entry.
rootflags=
part=$(make_system_path_relative_to_its_root /)
part=${part%/}
case $GRUB_FS in
btrfs)
    [ -z "${part#/}" ] || rootflags="rootflags=subvol=${part#/}"
    ;;
zfs)
    pool=$("${grub_probe:-grub-probe}" --device "$GRUB_DEVICE" --target=fs_label 2>/dev/null) || pool=
    [ -n "$pool" ] || refuse "the name of the ZFS pool on $GRUB_DEVICE cannot be found"
    part=${part%@}
    root=ZFS=$pool${part%/}
    ;;
esac
# A crash kernel would take the machine away from the backup, so the boot refuses its word (docs/linux.md).
usual="root=$root ro $rootflags"
set -f
for word in $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT; do
    case $word in
    crashkernel=*) gettext_printf "Understudy: %s is left out of the command lines\n" "$word" >&2 ;;
    *) usual="$usual $word" ;;
    esac
done
set +f
primary_words=${UNDERSTUDY_PRIMARY_CMDLINE:-$usual}
failover_words=${UNDERSTUDY_FAILOVER_CMDLINE:-$usual}
case $primary_words$failover_words in
*crashkernel=*) refuse "a boot line contains crashkernel=, which the boot refuses" ;;
esac
# The options are words of GRUB's own language as they are (docs/linux.md, "The boot line").
case $UNDERSTUDY_OPTIONS in
*[\"\'\\]*) refuse "UNDERSTUDY_OPTIONS contains a quote or a backslash" ;;
esac

# Writes a text as one word of GRUB's language: in single quotes, and those in it apart.
quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

path_of() {
    make_system_path_relative_to_its_root "$1"
}
# Lists each file once: two tenants may name the same file, and the boot image finds it by its name.
modules() {
    printf '%s\n' "$primary" "$primary_initrd" "$failover" "$failover_initrd" | sort -u | while read -r file; do
        printf "\tmodule2 '%s' '%s'\n" "$(path_of "$file")" "$file"
    done
}

gettext_printf "Found understudy: %s beside %s\n" "$primary" "$failover" >&2
cat <<EOF
menuentry 'Understudy: ${primary##*/vmlinuz-} beside ${failover##*/vmlinuz-}' --class understudy --id understudy {
	insmod part_gpt
	insmod part_msdos
$(prepare_grub_to_access_device "$GRUB_DEVICE_BOOT" | grub_add_tab)
	multiboot2 '$(path_of "$image")' \\
		primary_kernel='$primary' primary_initrd='$primary_initrd' \\
		primary_cmdline=$(quoted "$primary_words") \\
		failover_kernel='$failover' failover_initrd='$failover_initrd' \\
		failover_cmdline=$(quoted "$failover_words") \\
		$UNDERSTUDY_OPTIONS
$(modules)
}
EOF
