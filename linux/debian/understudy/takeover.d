What is to happen when this kernel, which has waited as the backup, becomes the
primary: every executable file here is run, in the order of the names, each for
10 s at most (understudyctl park --limit). This file is not executable.

In the environment: UNDERSTUDY_EPOCH, UNDERSTUDY_CAUSE (panic, hung, ...) and
UNDERSTUDY_INSTANCE (which of the two kernels died).

A backup that waits in its initramfs has no root file system while it waits: it
goes on with the usual boot when it has taken over. Hooks of its own it finds
in the initramfs, if they were put there.
