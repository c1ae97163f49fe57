/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The heat equation in a cube of N x N x N points whose faces are kept at 0, by explicit Euler steps on a 7-point
 * stencil. Its numbers are, bit by bit, those of the solver `heat` with n=12 steps=400.
 */
#include "compute.h"

#define N	12
#define PLANE	(N * N)
#define STEPS	400
#define RATE	0.125

/* The sum over the neighbours that share a face with point i, in a fixed order. */
static double sum_6(const double *old, size_t i)
{
	const size_t place[3] = { i % N, i / N % N, i / PLANE };
	const size_t stride[3] = { 1, N, PLANE };
	double sum = 0.0;

	for (int axis = 0; axis < 3; axis++) {
		if (place[axis] > 0)
			sum += old[i - stride[axis]];
		if (place[axis] + 1 < N)
			sum += old[i + stride[axis]];
	}
	return sum;
}

static int begin(struct compute *c, const struct compute_part *parts, void *context)
{
	double *next = parts[0].next;
	size_t start = parts[0].first * PLANE;

	(void)c;
	(void)context;
	for (size_t own = 0; own < parts[0].count * PLANE; own++) {
		size_t i = start + own;

		next[own] = (double)(i % N + 2 * (i / N % N) + 3 * (i / PLANE)) / N;
	}
	return 0;
}

static int step(struct compute *c, const struct compute_part *parts, void *context)
{
	const double *old = parts[0].old;
	double *next = parts[0].next;
	size_t start = parts[0].first * PLANE;
	double warmest = 0.0;

	for (size_t own = 0; own < parts[0].count * PLANE; own++) {
		size_t i = start + own;

		next[own] = old[i] + RATE * (sum_6(old, i) - 6.0 * old[i]);
		if (next[own] > warmest)
			warmest = next[own];
	}
	*(double *)context = warmest;
	return compute_max(c, context, 1);
}

int compute_main(struct compute *c, const char *arguments)
{
	static const struct compute_region regions[] = {
		{ .name = "temperature", .blocks = N, .block_bytes = PLANE * sizeof(double) },
	};
	double warmest = 0.0;

	(void)arguments;
	if (compute_run(c, regions, 1, STEPS, begin, step, &warmest))
		return 1;
	compute_log(c, warmest < 1.0 ? "heat in C: all is cool" : "heat in C: it is warm");
	return 0;
}
