/* neuron_json.h - neuron records from and to their JSON forms.
 *
 * One entry, three kinds of entries, told apart by their members:
 *   - puzzle: {name, explanation, sentences, score_sentences?, false_explanations}; a sentence is
 *     an array of tokens (activation 0) and [token, activation] pairs; also an object name ->
 *     puzzle, whose keys are the names;
 *   - record set: {id, threshold?, explanation?, baseline_score?, records:[{tokens,
 *     activations}], score_records?};
 *   - the published neuron record: {neuron_id:{layer_index, neuron_index},
 *     most_positive_activation_records, random_sample, random_sample_by_quantile,
 *     quantile_boundaries, mean, variance, skewness, kurtosis}; every member but neuron_id and
 *     most_positive_activation_records may be missing or null; a statistic that is NaN or
 *     infinite is not known; glia adds above_zero?, threshold?, explanation?, baseline_score?
 *     where they are known.
 *
 * They come as a JSON document (an entry, an array of entries, an object of puzzles) or as JSONL
 * (an entry a line; blank lines are skipped). Other members, such as dataclass_name, are ignored.
 *
 * quantile_boundaries are the four values at 0.5, 0.9, 0.99, 0.999, alone or between two nulls,
 * never falling. Four that are null or NaN stand for "not known".
 *
 * Input is untrusted: unequal lengths, NaN or infinite activations, empty tokens, invalid UTF-8,
 * more tokens than NEURON_MAX_TOKENS or records than NEURON_MAX_RECORDS, a repeated id are errors
 * (CONFIG) that name file, line (JSONL) and member path: "set.jsonl:3: records[2].tokens[5]: a
 * token is a non-empty string".
 */
#ifndef GLIA_NEURON_NEURON_JSON_H
#define GLIA_NEURON_NEURON_JSON_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/neuron/neuron.h"

typedef struct {
    size_t count;
    neuron_record_t **neurons; /* [count], in the order of the text, owned */
} neuron_list_t;

enum { NEURON_JSON_MAX_BYTES = 1 << 30 };

/* Parses all of `text`, at most NEURON_JSON_MAX_BYTES. `name` is the file for errors. The list is
 * empty after failure; after success the caller releases it with neuron_list_free. A text without
 * an entry is an error. */
bool neuron_json_parse(const char *text, size_t length, const char *name, neuron_list_t *list,
                       error_info_t *error);
/* Reads a file of at most 1 GiB, "-" is not special. */
bool neuron_json_read(const char *path, neuron_list_t *list, error_info_t *error);
void neuron_list_free(neuron_list_t *list);

/* Appends the published neuron-record form (SUBJECT) or the record-set form (others) on one line,
 * without a newline; activations are printed so that they read back as the same float32. Bytes of a
 * token that are not UTF-8 become U+FFFD (the published files have them so too): what needs them
 * keeps neuron_codec's form. A puzzle's threshold is written out, since a record set has none of
 * its own. Returns false if the buffer's maximum was passed. */
bool neuron_json_write(const neuron_record_t *neuron, buffer_t *out);

#endif
