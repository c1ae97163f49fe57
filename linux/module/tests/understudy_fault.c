// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends a kernel in the ways that understudy is tested against. It is not to
 * be installed: a write to /dev/understudy-fault ends the kernel.
 *
 *	panic		panics
 *	oops		writes to address 0 (the end only with panic_on_oops=1)
 *	hang		every CPU halts for ever, interrupts off
 *	spin		every CPU loops for ever, interrupts off
 *	hang-one N	CPU N halts for ever, interrupts off
 */
#define pr_fmt(fmt) "understudy_fault: " fmt

#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/irqflags.h>

static void halt_here(void *unused)
{
	local_irq_disable();
	for (;;)
		native_halt();
}

static void spin_here(void *unused)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void stop_all(smp_call_func_t how)
{
	preempt_disable();
	smp_call_function(how, NULL, 0);
	how(NULL);
}

static int stop_one(const char *number)
{
	unsigned int cpu;
	int error = kstrtouint(number, 10, &cpu);

	if (error)
		return error;
	return smp_call_function_single(cpu, halt_here, NULL, 0);
}

static int obey(const char *command)
{
	if (!strcmp(command, "panic"))
		panic("understudy_fault: a panic on demand");
	else if (!strcmp(command, "oops"))
		WRITE_ONCE(*(int *)NULL, 0);
	else if (!strcmp(command, "hang"))
		stop_all(halt_here);
	else if (!strcmp(command, "spin"))
		stop_all(spin_here);
	else if (!strncmp(command, "hang-one ", 9))
		return stop_one(command + 9);
	else
		return -EINVAL;
	return 0;
}

static ssize_t fault_write(struct file *file, const char __user *buffer, size_t bytes,
			   loff_t *offset)
{
	char command[32] = {};
	int error;

	if (bytes >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, buffer, bytes))
		return -EFAULT;
	error = obey(strim(command));
	return error ?: bytes;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.write = fault_write,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "understudy-fault",
	.fops = &operations,
	.mode = 0200,
};
module_misc_device(device);

MODULE_DESCRIPTION("Faults on demand, for understudy's tests");
MODULE_LICENSE("GPL");
