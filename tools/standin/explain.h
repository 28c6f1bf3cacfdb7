/* explain.h - says in one phrase what the marked tokens of records have in common. Pure. */
#ifndef GLIA_STANDIN_EXPLAIN_H
#define GLIA_STANDIN_EXPLAIN_H

#include <stdint.h>

#include "core/base/buffer.h"
#include "tools/standin/lexicon.h"
#include "tools/standin/records.h"

/* Appends the phrase. At temperature 0 it is the best one in its first wording; above, `seed`
 * chooses the wording, and between traits that fit about as well. */
void standin_explain(const standin_lexicon_t *lexicon, const standin_records_t *records,
                     double temperature, uint64_t seed, buffer_t *out);

#endif
