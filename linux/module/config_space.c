// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI configuration space of the buses of a root: memory-mapped if the
 * hand-off says where it is, otherwise by the two ports, which reach the
 * first 256 bytes of each function of segment 0.
 */
#include <linux/io.h>
#include <linux/pci-ecam.h>
#include <linux/spinlock.h>

#include "core.h"

#define PORT_ADDRESS	0xcf8
#define PORT_DATA	0xcfc
#define PORT_SPACE	256

static DEFINE_RAW_SPINLOCK(port_lock);

static void __iomem *place(const struct us_config_space *space, unsigned int bus,
			   unsigned int devfn, int where)
{
	return space->ecam + PCIE_ECAM_OFFSET(bus - space->first_bus, devfn, where);
}

static u32 mapped_read(void __iomem *at, int size)
{
	return size == 1 ? readb(at) : size == 2 ? readw(at) : readl(at);
}

static void mapped_write(void __iomem *at, int size, u32 value)
{
	if (size == 1)
		writeb(value, at);
	else if (size == 2)
		writew(value, at);
	else
		writel(value, at);
}

static void select_register(unsigned int bus, unsigned int devfn, int where)
{
	outl(BIT(31) | bus << 16 | devfn << 8 | (where & 0xfc), PORT_ADDRESS);
}

static u32 port_read(unsigned int bus, unsigned int devfn, int where, int size)
{
	int port = PORT_DATA + (where & 3);
	unsigned long flags;
	u32 value;

	raw_spin_lock_irqsave(&port_lock, flags);
	select_register(bus, devfn, where);
	value = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
	raw_spin_unlock_irqrestore(&port_lock, flags);
	return value;
}

static void port_write(unsigned int bus, unsigned int devfn, int where, int size,
		       u32 value)
{
	int port = PORT_DATA + (where & 3);
	unsigned long flags;

	raw_spin_lock_irqsave(&port_lock, flags);
	select_register(bus, devfn, where);
	if (size == 1)
		outb(value, port);
	else if (size == 2)
		outw(value, port);
	else
		outl(value, port);
	raw_spin_unlock_irqrestore(&port_lock, flags);
}

/**
 * us_config_space_init() - maps the configuration space of a root's buses, as
 * far as there is something on them
 * @space: what is filled in
 * @root: the root
 */
void us_config_space_init(struct us_config_space *space, const struct us_pci_root *root)
{
	u32 i;

	space->first_bus = root->first_bus;
	space->last_bus = root->first_bus;
	for (i = 0; i < us_hand_off.function_count; i++) {
		u32 bus = us_functions[i].address >> 8 & 0xff;

		if (us_functions[i].address >> 16 == root->segment && bus <= root->last_bus)
			space->last_bus = max(space->last_bus, bus);
	}
	if (root->ecam)
		space->ecam = ioremap(root->ecam,
				      PCIE_ECAM_OFFSET(space->last_bus - space->first_bus + 1,
						       0, 0));
}

/**
 * us_config_space_reaches() - returns whether a register can be accessed
 * @space: configuration space
 * @bus: the bus of the function
 * @where: its offset in bytes
 */
bool us_config_space_reaches(const struct us_config_space *space, unsigned int bus, int where)
{
	return bus >= space->first_bus && bus <= space->last_bus &&
	       (space->ecam || where < PORT_SPACE);
}

/**
 * us_config_space_read() - reads @size bytes, 1, 2 or 4
 */
u32 us_config_space_read(const struct us_config_space *space, unsigned int bus,
			 unsigned int devfn, int where, int size)
{
	return space->ecam ? mapped_read(place(space, bus, devfn, where), size) :
			     port_read(bus, devfn, where, size);
}

/**
 * us_config_space_write() - writes @size bytes, 1, 2 or 4
 */
void us_config_space_write(const struct us_config_space *space, unsigned int bus,
			   unsigned int devfn, int where, int size, u32 value)
{
	if (space->ecam)
		mapped_write(place(space, bus, devfn, where), size, value);
	else
		port_write(bus, devfn, where, size, value);
}
