/* records.h - finds the records in a prompt and reads them, in every layout that glia writes. Pure.
 *
 *   lines     <start> NL token TAB value NL ... <end>     value: 0..10 or "unknown"
 *   text      <start>text with [marked] tokens<end>       brackets may be missing
 *             and, below a line that ends in a colon, a list of the marked tokens: token,token
 *             or token TAB value,token TAB value
 *
 * The words around the records do not matter, but for these: an explanation stands behind a colon
 * on a line of its own before the records that it belongs to.
 */
#ifndef GLIA_STANDIN_RECORDS_H
#define GLIA_STANDIN_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/standin/lexicon.h"
#include "tools/standin/passage.h"

typedef struct {
    standin_passage_t passage;
    /* borrowed; that of the record before it if it has none of its own; may be NULL */
    const char *explanation;
    size_t explanation_length;
    bool lines;
    bool open;       /* the prompt ends behind the last piece's tab */
    size_t unknowns; /* pieces with an unknown value */
} standin_record_t;

typedef struct {
    standin_record_t *records;
    size_t count;
} standin_records_t;

/* The text is borrowed. A text that ends inside a record, right behind a token's tab, asks for
 * that token's value. A second round of records that repeats only the marked lines of the
 * first is left out. */
void standin_records_read(const standin_lexicon_t *lexicon, const char *text, size_t length,
                          standin_records_t *records);
void standin_records_clear(standin_records_t *records);

#endif
