/* fsck.h - reads every record of every table and checks what must hold between them. */
#ifndef GLIA_STORE_FSCK_H
#define GLIA_STORE_FSCK_H

#include "core/base/buffer.h"
#include "store/env.h"

typedef struct {
    uint64_t records; /* read */
    uint64_t problems;
    buffer_t lines; /* one line a problem; at most 1,000 are written out */
} fsck_report_t;

/* Decodes every value; checks the ledger's equations (ledger_check), that every request points to a
 * response of that request, every response to an attempt that is settled or in doubt, every embed
 * link to a response, every set member to a record, every run to its blobs, and that hashes are
 * hashes of what they name. False only if the store cannot be read. */
bool fsck_run(store_t *store, fsck_report_t *report, error_info_t *error);
void fsck_report_clear(fsck_report_t *report);

#endif
