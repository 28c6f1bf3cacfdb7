/* batch_lines.h - what became of each line of a Batch-API file, by its place in the file.
 *
 * A row is a line's result; one of a failure is written in one transaction with it. It says which
 * bytes it is about (`raw`), so that a start on a file that is partly or wholly done hashes lines
 * and looks them up in order, and parses none; and which request they were (`identity`, `sample`),
 * as long as what the config says of its models is the same (`settings`). A row whose bytes are not
 * the line's is of an earlier state of the file and counts for nothing.
 */
#ifndef GLIA_STORE_BATCH_LINES_H
#define GLIA_STORE_BATCH_LINES_H

#include "core/base/hash.h"
#include "store/env.h"

typedef struct {
    /* was answered; else it failed, and FAILURES says how (if it is not to be tried again) */
    bool done;
    /* the answer; 0 if not done, and in rows of the first kind, which did not say */
    uint64_t response;
    hash_t raw;      /* of the line's bytes */
    hash_t settings; /* of what in the config has a part in `identity` */
    hash_t identity; /* of what is asked */
    uint64_t sample; /* how often it was asked in lines before this one */
    /* [custom_id_length] bytes, NULL: none. batch_line_get: borrowed from the transaction */
    const char *custom_id;
    size_t custom_id_length;
} batch_row_t;

/* `line` counts from 0 and leaves out blank lines. */
bool batch_line_put(store_txn_t *txn, uint32_t run, uint64_t line, const batch_row_t *row,
                    error_info_t *error);
/* False: nothing is known of the line (nor if its row is damaged: it is worked out
 * again, at no cost). */
bool batch_line_get(store_txn_t *txn, uint32_t run, uint64_t line, batch_row_t *row);

#endif
