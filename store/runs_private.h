/* runs_private.h - the values of RUNS and BLOBS; see values.h. */
#ifndef GLIA_STORE_RUNS_PRIVATE_H
#define GLIA_STORE_RUNS_PRIVATE_H

#include "store/runs.h"

enum { BLOB_MAXIMUM = 1 << 28 };
/* owned: run_info_clear */
bool runs_decode(const void *bytes, size_t size, uint32_t number, run_info_t *run);

#endif
