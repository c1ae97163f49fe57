// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PCI configuration space: memory-mapped if the hand-off says where it is,
 * otherwise by the two ports, which reach the first 256 bytes of each
 * function.
 */
#include <linux/io.h>
#include <linux/pci-ecam.h>
#include <linux/spinlock.h>

#include "core.h"

#define PORT_ADDRESS	0xcf8
#define PORT_DATA	0xcfc
#define PORT_SPACE	256

static void __iomem *ecam;
static DEFINE_RAW_SPINLOCK(port_lock);

static u32 mapped_read(unsigned int bus, unsigned int devfn, int where, int size)
{
	void __iomem *at = ecam + PCIE_ECAM_OFFSET(bus, devfn, where);

	return size == 1 ? readb(at) : size == 2 ? readw(at) : readl(at);
}

static void mapped_write(unsigned int bus, unsigned int devfn, int where, int size,
			 u32 value)
{
	void __iomem *at = ecam + PCIE_ECAM_OFFSET(bus, devfn, where);

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
 * us_config_space_init() - maps configuration space for all buses there are
 */
void us_config_space_init(void)
{
	u32 last_bus = 0;
	u32 i;

	for (i = 0; i < us_hand_off.function_count; i++)
		last_bus = max(last_bus, us_hand_off.functions[i].address >> 8);
	if (us_hand_off.ecam)
		ecam = ioremap(us_hand_off.ecam, PCIE_ECAM_OFFSET(last_bus + 1, 0, 0));
}

/**
 * us_config_space_is_mapped() - returns whether it can be used beside another
 * kernel; the ports cannot, because an access takes two of them
 */
bool us_config_space_is_mapped(void)
{
	return ecam;
}

/**
 * us_config_space_reaches() - returns whether a register can be accessed
 * @where: its offset in bytes
 */
bool us_config_space_reaches(int where)
{
	return ecam || where < PORT_SPACE;
}

/**
 * us_config_space_read() - reads @size bytes, 1, 2 or 4
 */
u32 us_config_space_read(unsigned int bus, unsigned int devfn, int where, int size)
{
	return ecam ? mapped_read(bus, devfn, where, size) :
		      port_read(bus, devfn, where, size);
}

/**
 * us_config_space_write() - writes @size bytes, 1, 2 or 4
 */
void us_config_space_write(unsigned int bus, unsigned int devfn, int where, int size,
			   u32 value)
{
	if (ecam)
		mapped_write(bus, devfn, where, size, value);
	else
		port_write(bus, devfn, where, size, value);
}
