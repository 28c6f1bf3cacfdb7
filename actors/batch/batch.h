/* batch.h - a Batch-API file as the director's source of jobs, and the results
 * file that it becomes.
 *
 * Reads the file of requests once, from its beginning, and holds none of it but the lines in flight
 * (at most run.window of them, and 256 MiB). What became of a line stands in the store
 * (batch_lines.h): one that is final is passed over after a hash and a lookup.
 *
 * Results are appended in the order of the requests, each as soon as it and all before it are
 * final: answered, or failed for good (a refusal by the endpoint, a line that cannot be used). A
 * line that failed for now is not final: the results file ends before it, the rest of the file is
 * still carried out, and the next start, which takes such failures up again, goes on there. A start
 * trusts the whole lines that the results file has, cuts off one that a crash tore, and appends to
 * it; it never writes a line again. It refuses to go on when the requests that these lines answer
 * are not those of the file any more, or the store knows nothing of them.
 *
 * When the endpoint has refused 32 lines and answered none of the file, the config is taken to be
 * at fault (a wrong URL or name of a model), and the run stops with a CONFIG error instead of
 * making an error of every line.
 *
 * Memory: to count repeated lines, 8 bytes for each slot of a hash table that is at most 7/8 full,
 * i.e. 9 to 18 bytes a distinct line (and 18 to 36 more for one that repeats). It keeps 64 bits of
 * each identity; two that share them (one chance in 10^7 for a million lines) only take sample
 * numbers from one count, always the same ones.
 *
 * Blocks, as a source may.
 */
#ifndef GLIA_ACTORS_BATCH_BATCH_H
#define GLIA_ACTORS_BATCH_BATCH_H

#include "actors/job_source.h"
#include "actors/sweep/batch_line.h"

typedef struct {
    const settings_t *settings;
    uint32_t run;
    const char *in, *out; /* paths; read at batch_create only */
    bool anew;            /* empty the results file first: all that is known is written again */
    const char *scratch;  /* directory for what grows with the lines; NULL: memory */
} batch_options_t;

typedef struct batch batch_t;

/* Opens both files. Errors (CONFIG): unreadable, unwritable; (RETRYABLE): no room. The caller
 * owns the result. */
batch_t *batch_create(const batch_options_t *options, error_info_t *error);
void batch_free(batch_t *batch); /* NULL is fine */
/* Hands the batch to a director; the source does not free it. Between steps, and after the run, the
 * caller may use the functions below. */
job_source_t batch_source(batch_t *batch);

/* Appends what is final and was not written, and waits for the disk: for the end of a run. */
bool batch_finish(batch_t *batch, store_txn_t *txn, error_info_t *error);
/* Lines of the results file, and of the file of requests as far as it was read. */
uint64_t batch_written(const batch_t *batch);
uint64_t batch_read(const batch_t *batch);
/* Lines of the requests that had to be parsed: those that were not final before. */
uint64_t batch_parsed(const batch_t *batch);

#endif
