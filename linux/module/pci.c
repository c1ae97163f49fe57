// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI bus of a kernel that was booted without one (pci=off). The module
 * does not probe for functions, because the monitor's list, made before any
 * kernel ran, describes them all. Most of a scan looks for absent functions
 * and sizes base addresses. Both are answered from the list, so no device has
 * to stop decoding its addresses meanwhile. All other accesses go to the
 * hardware.
 *
 * A backup touches only functions of its own (warm=), so that their drivers
 * have run before they are needed. The other functions appear when the kernel
 * becomes the primary.
 */
#define pr_fmt(fmt) "understudy: " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core.h"

static bool warm_by_ports;
module_param(warm_by_ports, bool, 0444);
MODULE_PARM_DESC(warm_by_ports, "adopt warm= even if that uses the ports 0xcf8/0xcfc "
		 "while a primary may use them (default: no)");

/* The index after those of the base addresses. */
#define ROM_INDEX	6
#define NO_INDEX	-1

/* Registers of each of us_functions to which all ones were written last, one
 * bit per index. */
static u8 *sizing;

/* A bus that no bridge leads to. */
struct root {
	/* First, because the bus leads back to it. */
	struct pci_sysdata sysdata;
	struct us_config_space space;
	struct resource bus_numbers;
	struct pci_bus *bus;
};

static struct root roots[ARRAY_SIZE(us_hand_off.roots)];

static bool is_adopted;
static bool is_scanning;

static struct root *root_of(struct pci_bus *bus)
{
	return container_of((struct pci_sysdata *)bus->sysdata, struct root, sysdata);
}

/* Returns the index of the function at this place, or -1 if there is none
 * that this kernel may touch now. */
static int find_own(struct pci_bus *bus, unsigned int devfn)
{
	int i = us_function_find(us_function_address(pci_domain_nr(bus), bus->number, devfn));

	return i >= 0 && us_function_is_own(i, READ_ONCE(is_adopted)) ? i : -1;
}

/* Returns the index of the base address at this offset in configuration space. */
static int bar_index(const struct us_linux_function *function, int where)
{
	bool is_bridge = (function->header & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE;
	int count = is_bridge ? 2 : 6;

	if (where == (is_bridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS))
		return ROM_INDEX;
	if (where % 4 || where < PCI_BASE_ADDRESS_0 ||
	    where >= PCI_BASE_ADDRESS_0 + 4 * count)
		return NO_INDEX;
	return (where - PCI_BASE_ADDRESS_0) / 4;
}

static u32 mask_of(const struct us_linux_function *function, int index)
{
	return index == ROM_INDEX ? function->rom_mask : function->bar_masks[index];
}

static bool asks_for_size(int index, u32 value)
{
	u32 ones = index == ROM_INDEX ? (u32)PCI_ROM_ADDRESS_MASK : ~0U;

	return (value & ones) == ones;
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size,
		       u32 *value)
{
	int i = find_own(bus, devfn);
	int index;

	*value = ~0U;
	if (i < 0)
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (!us_config_space_reaches(&root_of(bus)->space, bus->number, where))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	index = bar_index(&us_functions[i], where);
	if (index != NO_INDEX && (sizing[i] & BIT(index)))
		*value = mask_of(&us_functions[i], index);
	else
		*value = us_config_space_read(&root_of(bus)->space, bus->number,
					      devfn, where, size);
	return PCIBIOS_SUCCESSFUL;
}

/* Returns whether the write is part of sizing a base address, and must be omitted. */
static bool is_sizing(int i, int where, int size, u32 value)
{
	int index = bar_index(&us_functions[i], where);

	if (index == NO_INDEX || size != 4)
		return false;
	if (asks_for_size(index, value)) {
		sizing[i] |= BIT(index);
		return true;
	}
	if (!(sizing[i] & BIT(index)))
		return false;
	/* The register still holds its address, so there is nothing to write back. */
	sizing[i] &= ~BIT(index);
	return true;
}

/*
 * Returns whether the write only stops or restarts the decoding of addresses
 * while a function is sized. It can be omitted, because the base addresses do
 * not change. In a virtual machine, such writes take most of the time of a
 * scan.
 */
static bool is_deafening(struct pci_bus *bus, unsigned int devfn, int where, u32 value)
{
	u32 command;

	if (!READ_ONCE(is_scanning) || where != PCI_COMMAND)
		return false;
	command = us_config_space_read(&root_of(bus)->space, bus->number, devfn,
				       PCI_COMMAND, 2);
	return !((value ^ command) & 0xffff & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where, int size,
			u32 value)
{
	int i = find_own(bus, devfn);

	if (i < 0)
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (!us_config_space_reaches(&root_of(bus)->space, bus->number, where))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	if (is_sizing(i, where, size, value) ||
	    is_deafening(bus, devfn, where, value))
		return PCIBIOS_SUCCESSFUL;
	us_config_space_write(&root_of(bus)->space, bus->number, devfn, where, size, value);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops ops = {
	.read = config_read,
	.write = config_write,
};

/*
 * Turns off port services. The slots and ports of a running machine are as
 * the last primary left them. Port services would set them up anew, and
 * hotplug might switch off a slot with the network card in it.
 */
static void refuse_port_services(struct pci_host_bridge *bridge)
{
	bridge->native_pcie_hotplug = 0;
	bridge->native_shpc_hotplug = 0;
	bridge->native_pme = 0;
	bridge->native_aer = 0;
	bridge->native_dpc = 0;
}

static void make_root_bus(struct root *root)
{
	LIST_HEAD(resources);

	pci_add_resource(&resources, &root->bus_numbers);
	pci_add_resource(&resources, &ioport_resource);
	pci_add_resource(&resources, &iomem_resource);
	root->bus = pci_create_root_bus(NULL, root->bus_numbers.start, &ops, &root->sysdata,
					&resources);
	if (root->bus) {
		struct pci_host_bridge *bridge = to_pci_host_bridge(root->bus->bridge);

		refuse_port_services(bridge);
		bridge->map_irq = us_intx_map;
		return;
	}
	pci_free_resource_list(&resources);
	pr_err("cannot make PCI bus %04x:%02x: is there one already, without pci=off?\n",
	       root->sysdata.domain, (u32)root->bus_numbers.start);
}

/* Scans the buses for the functions that may be touched now, and attaches drivers. */
static void scan(void)
{
	u32 i;

	pci_lock_rescan_remove();
	for (i = 0; i < us_hand_off.root_count; i++) {
		struct root *root = &roots[i];

		if (!root->bus)
			make_root_bus(root);
		if (!root->bus)
			continue;
		WRITE_ONCE(is_scanning, true);
		pci_scan_child_bus(root->bus);
		WRITE_ONCE(is_scanning, false);
		pci_bus_claim_resources(root->bus);
		pci_bus_add_devices(root->bus);
	}
	pci_unlock_rescan_remove();
}

/* Returns whether all of configuration space can be used beside another
 * kernel; the ports cannot, because an access takes two of them. */
static bool is_mapped(void)
{
	u32 i;

	for (i = 0; i < us_hand_off.root_count; i++)
		if (!roots[i].space.ecam)
			return false;
	return true;
}

/* Returns whether functions may be adopted now. */
static bool may_warm(void)
{
	const struct us_keepalive_slot *slot = us_region + US_AT_PRIMARY_KEEPALIVE;

	if (READ_ONCE(slot->version) == 0)
		return true;
	return !us_warm_is_borrowed() && (is_mapped() || warm_by_ports);
}

/**
 * us_pci_init() - prepares for the buses
 */
int us_pci_init(void)
{
	int error = us_functions_init();
	u32 i;

	if (error)
		return error;
	error = us_intx_init();
	if (error)
		goto no_lines;
	sizing = kvcalloc(max(us_hand_off.function_count, 1U), sizeof(*sizing), GFP_KERNEL);
	if (!sizing) {
		error = -ENOMEM;
		goto no_sizing;
	}
	for (i = 0; i < us_hand_off.root_count; i++) {
		const struct us_pci_root *root = &us_hand_off.roots[i];

		roots[i].sysdata.domain = root->segment;
		roots[i].sysdata.node = NUMA_NO_NODE;
		roots[i].bus_numbers.name = "PCI buses";
		roots[i].bus_numbers.start = root->first_bus;
		roots[i].bus_numbers.end = root->last_bus;
		roots[i].bus_numbers.flags = IORESOURCE_BUS;
		us_config_space_init(&roots[i].space, root);
	}
	return 0;

no_sizing:
	us_intx_exit();
no_lines:
	us_functions_exit();
	return error;
}

/**
 * us_pci_exit() - undoes us_pci_init()
 */
void us_pci_exit(void)
{
	u32 i;

	for (i = 0; i < us_hand_off.root_count; i++)
		if (roots[i].space.ecam)
			iounmap(roots[i].space.ecam);
	kvfree(sizing);
	us_intx_exit();
	us_functions_exit();
}

/**
 * us_pci_warm() - adopts the functions of a backup's own
 */
void us_pci_warm(void)
{
	bool has_warm = us_functions_read_lists();

	if (has_warm && may_warm()) {
		scan();
		return;
	}
	us_functions_forget_warm();
	if (has_warm)
		pr_warn("warm= is ignored: a primary may be using the PCI ports\n");
}

/**
 * us_pci_release() - releases the primary's functions before a backup parks
 */
void us_pci_release(void)
{
	struct pci_dev *device, *next;
	u32 i;

	if (!us_warm_is_borrowed())
		return;
	pci_lock_rescan_remove();
	for (i = 0; i < us_hand_off.root_count; i++) {
		if (!roots[i].bus)
			continue;
		list_for_each_entry_safe_reverse(device, next, &roots[i].bus->devices, bus_list)
			pci_stop_and_remove_bus_device(device);
	}
	pci_unlock_rescan_remove();
}

/**
 * us_pci_adopt() - adopts the other functions in a new primary
 */
void us_pci_adopt(void)
{
	WRITE_ONCE(is_adopted, true);
	scan();
}

bool us_pci_adopted(void)
{
	return READ_ONCE(is_adopted);
}
