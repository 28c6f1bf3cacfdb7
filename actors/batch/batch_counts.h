/* batch_counts.h - how often each identity was met: a set of 64-bit keys, and counts for those that
 * repeat. Some 11 bytes an identity, in files of `directory` (scratch.h). */
#ifndef GLIA_ACTORS_BATCH_BATCH_COUNTS_H
#define GLIA_ACTORS_BATCH_BATCH_COUNTS_H

#include "core/base/hash.h"

typedef struct batch_counts batch_counts_t;

batch_counts_t *batch_counts_create(const char *directory);
void batch_counts_free(batch_counts_t *counts);
/* Meets it once more; returns how often it was met before. */
uint64_t batch_counts_meet(batch_counts_t *counts, hash_t identity);

#endif
