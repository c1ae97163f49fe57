/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Computations that survive their own death, in C.
 *
 * A program defines compute_main, which every rank runs, one rank on each core of a slice. Its state is in regions.
 * compute_run makes steps: each reads the state that all ranks have committed and writes the next one; then all ranks
 * commit. A computation that dies is entered again and continues behind the last committed step. What is not in a
 * region is lost then, so it must follow from the arguments.
 *
 * Functions that return int return 0 if all is well. Otherwise the computation ends with an error, which the library
 * keeps and tells when compute_main returns; nothing else works until then.
 *
 * docs/hpc.md says how a program is compiled and linked.
 */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stddef.h>
#include <stdint.h>

/* Maximum number of regions, and of values in one operation. */
#define COMPUTE_REGIONS_MAX	6
#define COMPUTE_VALUES_MAX	6

/* A rank of the computation. */
struct compute;

/**
 * struct compute_region - an array that holds state
 * @name: its name, as of a result, up to 32 bytes; stays for as long as the program
 * @blocks: number of blocks; each rank has a run of whole blocks, as equal in number as can be
 * @block_bytes: bytes of a block
 * @unchecked: not 0: nothing is verified of it when the computation continues
 */
struct compute_region {
	const char *name;
	size_t blocks;
	size_t block_bytes;
	int unchecked;
};

/**
 * struct compute_part - a region in a step
 * @old: all of it as committed; NULL at the beginning. Constant during the step.
 * @next: this rank's blocks, to be changed in place: they hold what was committed, or zeros at the beginning
 * @first: this rank's first block
 * @count: number of its blocks
 */
struct compute_part {
	const void *old;
	void *next;
	size_t first;
	size_t count;
};

/*
 * Writes this rank's part of a step, or of the state before the first one. @parts has one for each region, in their
 * order, and is valid until it returns. Not 0 ends the computation.
 */
typedef int (*compute_body)(struct compute *c, const struct compute_part *parts, void *context);

/*
 * The program. Returns the exit code, 0 to 255; the highest one of all ranks counts. The arguments are those of the
 * slice.
 */
int compute_main(struct compute *c, const char *arguments);

/*
 * Makes @steps steps, or continues behind the last committed one; then @begin, which writes the state before the first
 * step, is not called. Once in a program.
 */
int compute_run(struct compute *c, const struct compute_region *regions, size_t count, uint64_t steps,
		compute_body begin, compute_body step, void *context);

/* This rank's number, the number of ranks, the time since the machine's boot in ns. */
size_t compute_rank(const struct compute *c);
size_t compute_ranks(const struct compute *c);
uint64_t compute_now_ns(const struct compute *c);

/* All ranks come to the same ones of these, in the same order; up to COMPUTE_VALUES_MAX values. */
int compute_barrier(struct compute *c);
int compute_sum(struct compute *c, double *values, size_t count);
int compute_max(struct compute *c, double *values, size_t count);
int compute_broadcast(struct compute *c, size_t root, double *values, size_t count);

/* Says that a long piece of work goes on. */
void compute_beat(const struct compute *c);

/* Appends a line to the log; the first rank's are written. */
void compute_log(const struct compute *c, const char *line);

#endif /* COMPUTE_H */
