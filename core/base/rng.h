/* rng.h - seeded randomness (xoshiro256**, seeded through splitmix64; Blackman and Vigna 2018).
 * The same seed gives the same numbers on every machine. There is no other randomness in glia. */
#ifndef GLIA_BASE_RNG_H
#define GLIA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t state[4];
} rng_t;

rng_t rng_create(uint64_t seed);
rng_t rng_fork(rng_t *rng, uint64_t stream); /* an independent generator; advances `rng` once */
uint64_t rng_next(rng_t *rng);
/* uniform in [0, bound), unbiased; bound 0 gives 0 */
uint64_t rng_below(rng_t *rng, uint64_t bound);
double rng_unit(rng_t *rng);   /* uniform in [0, 1), 53 bits */
double rng_normal(rng_t *rng); /* standard normal (Box-Muller) */
/* Fisher-Yates over `count` indices. */
void rng_shuffle(rng_t *rng, size_t *indices, size_t count);

#endif
