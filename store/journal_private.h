/* journal_private.h - the values of JOBS and FAILURES; see values.h. */
#ifndef GLIA_STORE_JOURNAL_PRIVATE_H
#define GLIA_STORE_JOURNAL_PRIVATE_H

#include "store/journal.h"

bool journal_job_decode(const void *bytes, size_t size, job_entry_t *entry); /* result borrowed */
/* `run` comes from the key. Owned members: job_failure_clear. */
bool journal_failure_decode(const void *bytes, size_t size, uint32_t run, job_failure_t *failure);

#endif
