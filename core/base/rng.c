/* rng.c - xoshiro256** 1.0 seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom
 * number generators", 2018; reference code at prng.di.unimi.it, public domain). */
#include "core/base/rng.h"

#include <math.h>

static uint64_t splitmix64(uint64_t *state) {
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

rng_t rng_create(uint64_t seed) {
    rng_t rng;
    for (size_t i = 0; i < 4; i++)
        rng.state[i] = splitmix64(&seed);
    return rng;
}

rng_t rng_fork(rng_t *rng, uint64_t stream) {
    /* Mixing the stream number first keeps forks of neighbouring numbers far apart. */
    uint64_t mixed = splitmix64(&stream);
    return rng_create(rng_next(rng) ^ mixed);
}

uint64_t rng_next(rng_t *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(rng_t *rng, uint64_t bound) {
    if (bound == 0)
        return 0;
    /* The lowest 2^64 mod bound values are rejected, so that each remainder is equally likely. */
    uint64_t least = (0 - bound) % bound;
    uint64_t value;
    do
        value = rng_next(rng);
    while (value < least);
    return value % bound;
}

double rng_unit(rng_t *rng) {
    return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

double rng_normal(rng_t *rng) {
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(1.0 - rng_unit(rng))); /* 1 - [0, 1) is never 0 */
    return radius * cos(two_pi * rng_unit(rng));
}

void rng_shuffle(rng_t *rng, size_t *indices, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        size_t swap = indices[i - 1];
        indices[i - 1] = indices[j];
        indices[j] = swap;
    }
}
