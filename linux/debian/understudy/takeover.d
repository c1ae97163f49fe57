Hooks of a takeover. When this kernel was the backup and becomes the primary,
every executable file in this directory is run, in the order of the names. Each
may take 10 s (understudyctl park --limit). A file NAME.timeout gives the hook
NAME its own limit, in seconds. This file is not executable, so it is not run.

The environment has UNDERSTUDY_EPOCH, UNDERSTUDY_CAUSE (panic, hung, ...) and
UNDERSTUDY_INSTANCE (the number of this kernel, 0 or 1).

A backup that is parked in its initramfs has no root file system while it
waits. After the takeover it continues with the usual boot. Hooks for it must
be in the directory of the same name in the initramfs.
