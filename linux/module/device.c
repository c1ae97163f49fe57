// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/understudy. Its interface is described in understudy.h. */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"
#include "understudy.h"

#define PERIOD_MS_MAX	3600000

/* An open file. It has at most one watchdog. */
struct client {
	struct mutex lock;
	struct us_watchdog *watchdog;
};

static int device_open(struct inode *inode, struct file *file)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	mutex_init(&client->lock);
	file->private_data = client;
	return 0;
}

/* A watchdog outlives the file, so the death of a program does not disarm it. */
static int device_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t device_write(struct file *file, const char __user *payload,
			    size_t bytes, loff_t *offset)
{
	int error = us_journal_append(payload, bytes);

	return error ?: bytes;
}

static int map(struct vm_area_struct *vma, const struct us_physical_range *range,
	       u64 base)
{
	u64 bytes = vma->vm_end - vma->vm_start;
	u64 offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) - base;

	if (offset > us_range_bytes(range) || bytes > us_range_bytes(range) - offset)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start,
			       (range->start + offset) >> PAGE_SHIFT, bytes,
			       vma->vm_page_prot);
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	/* A private copy would not show what others write. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (offset < UNDERSTUDY_MMAP_SPARE)
		return map(vma, &us_hand_off.shared, UNDERSTUDY_MMAP_SHARED);
	if (!us_is_primary())
		return -EPERM;
	/* The backup waits there. */
	if (us_is_protected())
		return -EBUSY;
	return map(vma, &us_hand_off.spare, UNDERSTUDY_MMAP_SPARE);
}

static long get_info(void __user *argument)
{
	const struct us_linux_hand_off *h = &us_hand_off;
	struct understudy_info info = {
		.abi_revision = US_ABI_REVISION,
		.journal_revision = US_JOURNAL_REVISION,
		.instance = h->instance,
		.role = us_is_primary() ? UNDERSTUDY_ROLE_PRIMARY : UNDERSTUDY_ROLE_BACKUP,
		.flags = (us_is_beating() ? UNDERSTUDY_FLAG_BEATING : 0) |
			 (us_was_resumed() ? UNDERSTUDY_FLAG_RESUMED : 0) |
			 (h->rearm_auto ? UNDERSTUDY_FLAG_REARM_AUTO : 0) |
			 (us_pci_adopted() ? UNDERSTUDY_FLAG_ADOPTED : 0),
		.lead_cpu = us_lead_cpu(),
		.epoch = us_epoch,
		.shared_start = h->shared.start,
		.shared_bytes = us_range_bytes(&h->shared),
		.pmem_start = h->pmem.start,
		.pmem_bytes = us_range_bytes(&h->pmem),
		.slot_start = h->slot.start,
		.slot_bytes = us_range_bytes(&h->slot),
		.spare_start = h->spare.start,
		.spare_bytes = us_range_bytes(&h->spare),
		.pool_bytes = us_pool_bytes(),
		.added_bytes = us_added_bytes(),
	};

	return copy_to_user(argument, &info, sizeof(info)) ? -EFAULT : 0;
}

static long stamp(u32 __user *argument)
{
	u32 edge;

	if (get_user(edge, argument))
		return -EFAULT;
	/* A primary since its boot has not taken over. */
	if (!us_is_primary() || !us_was_resumed())
		return -EPERM;
	return us_stamp(edge);
}

static long arm_watchdog(struct client *client, const void __user *argument)
{
	struct understudy_keepalive request;
	char name[UNDERSTUDY_NAME_BYTES + 1] = {};
	u64 period_ns;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (request.period_ms == 0 || request.period_ms > PERIOD_MS_MAX)
		return -EINVAL;
	if (!us_is_primary())
		return -EPERM;
	memcpy(name, request.name, sizeof(request.name));
	period_ns = (u64)request.period_ms * NSEC_PER_MSEC;
	if (client->watchdog)
		us_watchdog_rearm(client->watchdog, period_ns);
	else
		client->watchdog = us_watchdog_arm(period_ns, name);
	return client->watchdog ? 0 : -ENOMEM;
}

static long change_watchdog(struct client *client, unsigned int command)
{
	if (!client->watchdog)
		return -ENOENT;
	if (command == UNDERSTUDY_KEEPALIVE_BEAT) {
		us_watchdog_feed(client->watchdog);
	} else {
		us_watchdog_disarm(client->watchdog);
		client->watchdog = NULL;
	}
	return 0;
}

static long watchdog_command(struct client *client, unsigned int command, void __user *argument)
{
	long result;

	mutex_lock(&client->lock);
	if (command == UNDERSTUDY_KEEPALIVE_START)
		result = arm_watchdog(client, argument);
	else
		result = change_watchdog(client, command);
	mutex_unlock(&client->lock);
	return result;
}

static long switch_over(void)
{
	if (!us_is_primary())
		return -EPERM;
	if (!us_is_protected())
		return -ENODEV;
	us_die(US_EPITAPH_CAUSE_SWITCHOVER, "switchover");
	us_await_fence();
	return -ETIME;
}

static long add_pool(u64 __user *argument)
{
	int error;

	if (!us_is_primary())
		return -EPERM;
	error = us_add_memory();
	if (put_user(us_added_bytes(), argument))
		return -EFAULT;
	return error;
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long raw)
{
	void __user *argument = (void __user *)raw;

	switch (command) {
	case UNDERSTUDY_INFO:
		return get_info(argument);
	case UNDERSTUDY_STAMP:
		return stamp(argument);
	case UNDERSTUDY_KEEPALIVE_START:
	case UNDERSTUDY_KEEPALIVE_BEAT:
	case UNDERSTUDY_KEEPALIVE_STOP:
		return watchdog_command(file->private_data, command, argument);
	case UNDERSTUDY_SWITCHOVER:
		return switch_over();
	case UNDERSTUDY_ADD_MEMORY:
		return add_pool(argument);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.write = device_write,
	.mmap = device_mmap,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "understudy",
	.fops = &operations,
	.mode = 0600,
};

int us_device_init(void)
{
	int error = misc_register(&device);

	if (error)
		pr_err("cannot make /dev/understudy: error %d\n", error);
	return error;
}
