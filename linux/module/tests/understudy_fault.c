// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ways for a kernel to die, for tests: /dev/understudy-fault takes the name of
 * one. Never part of a package.
 */
#define pr_fmt(fmt) "understudy_fault: " fmt

#include <linux/irqflags.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

/* Nothing but an INIT or an NMI ends this. */
static void hang(void *unused)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void hang_all(void)
{
	smp_call_function(hang, NULL, 0);
	hang(NULL);
}

static void hang_one(void)
{
	hang(NULL);
}

static void panic_now(void)
{
	panic("asked for by " KBUILD_MODNAME);
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "panic", panic_now },
	{ "hang-all", hang_all },
	{ "hang-one", hang_one },
};

static ssize_t fault_write(struct file *file, const char __user *buffer,
			   size_t bytes, loff_t *position)
{
	char name[16] = "";
	size_t i;

	if (bytes >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buffer, bytes))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (sysfs_streq(name, faults[i].name))
			faults[i].commit();
	return -EINVAL;
}

static const struct file_operations fault_operations = {
	.owner = THIS_MODULE,
	.write = fault_write,
};

static struct miscdevice fault_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "understudy-fault",
	.fops = &fault_operations,
	.mode = 0600,
};
module_misc_device(fault_device);

MODULE_DESCRIPTION("Ways for a kernel to die");
MODULE_LICENSE("GPL");
