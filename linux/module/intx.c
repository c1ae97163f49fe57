// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupts by line (INTx) in a new primary. How the lines lead to the I/O
 * APIC stands in the firmware's code (_PRT), which a kernel that was booted as
 * a backup does not run, and the I/O APIC stays masked. So a line is polled:
 * once a millisecond its handler is called, while a driver listens. Handlers
 * of lines are used to calls that are not for them, because lines are shared.
 *
 * Devices with MSI or MSI-X do not pay for this: their drivers do not listen
 * to the line.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/hrtimer.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core.h"

#define PERIOD_NS	NSEC_PER_MSEC

/* The line of a function. */
struct line {
	struct hrtimer timer;
	raw_spinlock_t lock;
	unsigned int irq;
	/* Whether a driver listens. */
	bool is_on;
	/* Whether the timer is started, or its handler will restart it. */
	bool is_polled;
};

/* Of each of us_functions, once a driver has asked for it. */
static struct line **lines;

static enum hrtimer_restart poll(struct hrtimer *timer)
{
	struct line *line = container_of(timer, struct line, timer);
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	unsigned long flags;

	generic_handle_irq(line->irq);
	raw_spin_lock_irqsave(&line->lock, flags);
	line->is_polled = line->is_on;
	if (line->is_polled) {
		hrtimer_forward_now(timer, ns_to_ktime(PERIOD_NS));
		restart = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&line->lock, flags);
	return restart;
}

static void unmask(struct irq_data *data)
{
	struct line *line = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&line->lock, flags);
	line->is_on = true;
	if (!line->is_polled) {
		line->is_polled = true;
		hrtimer_start(&line->timer, ns_to_ktime(PERIOD_NS), HRTIMER_MODE_REL_HARD);
	}
	raw_spin_unlock_irqrestore(&line->lock, flags);
}

/* The timer ends by itself. */
static void mask(struct irq_data *data)
{
	struct line *line = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&line->lock, flags);
	line->is_on = false;
	raw_spin_unlock_irqrestore(&line->lock, flags);
}

/* The timer runs on whatever CPU the driver has started it. */
static struct irq_chip chip = {
	.name = "understudy-poll",
	.irq_mask = mask,
	.irq_unmask = unmask,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

static struct line *make_line(void)
{
	struct line *line = kzalloc(sizeof(*line), GFP_KERNEL);
	int irq;

	if (!line)
		return NULL;
	irq = irq_alloc_desc(NUMA_NO_NODE);
	if (irq < 0) {
		kfree(line);
		return NULL;
	}
	line->irq = irq;
	raw_spin_lock_init(&line->lock);
	hrtimer_setup(&line->timer, poll, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	irq_set_chip_data(irq, line);
	/* Most calls find nothing to do, which is not to be taken for a fault. */
	irq_set_chip_and_handler_name(irq, &chip, handle_untracked_irq, "poll");
	return line;
}

/**
 * us_intx_init() - prepares for the lines
 */
int us_intx_init(void)
{
	lines = kvcalloc(max(us_hand_off.function_count, 1U), sizeof(*lines), GFP_KERNEL);
	return lines ? 0 : -ENOMEM;
}

/**
 * us_intx_exit() - undoes us_intx_init(), as long as no driver was attached
 */
void us_intx_exit(void)
{
	kvfree(lines);
}

/**
 * us_intx_map() - returns the interrupt of a function's line, which is polled
 * @device: the function
 * @slot: unused
 * @pin: unused; a function has one line
 *
 * Return: the number of the interrupt, or -1.
 */
int us_intx_map(const struct pci_dev *device, u8 slot, u8 pin)
{
	int i = us_function_find(us_function_address(pci_domain_nr(device->bus),
						     device->bus->number, device->devfn));

	if (i < 0)
		return -1;
	if (!lines[i])
		lines[i] = make_line();
	return lines[i] ? lines[i]->irq : -1;
}
