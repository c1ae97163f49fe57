/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offsets in struct us_park for park_asm.S. park.c checks them. */
#ifndef UNDERSTUDY_PARK_H
#define UNDERSTUDY_PARK_H

#define US_PARK_STATE		0x00
#define US_PARK_RSP		0x08
#define US_PARK_CR0		0x10
#define US_PARK_CR3		0x18
#define US_PARK_CR4		0x20
#define US_PARK_EFER		0x28
#define US_PARK_PAT		0x30
#define US_PARK_GS_BASE		0x38
#define US_PARK_GDT		0x40
#define US_PARK_IDT		0x4a
#define US_PARK_LDT		0x54
#define US_PARK_DS		0x56
#define US_PARK_ES		0x58
#define US_PARK_FS		0x5a
#define US_PARK_GS		0x5c
#define US_PARK_REHEARSAL	0x60

#endif /* UNDERSTUDY_PARK_H */
