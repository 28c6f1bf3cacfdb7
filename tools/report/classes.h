/* classes.h - word classes of the shipped corpus: which one a neuron is selective for, and whether
 * an explanation names it. Pure; private to report/.
 *
 * classes.json (tools/dev/make_corpus.py writes it) lists classes: {"name", "kind",
 * "description", "keywords",
 * "values"}. A token is in a class of kind words       if the word that it is part of is one of the
 *                                                      values (lower
 * case); characters  if its bytes, spaces in front aside, are all in values[0]; breaks if it has a
 *                    line break;
 *   capitals    if its word has a capital letter, but does not begin a sentence;
 *   first       if its word begins a sentence (an excerpt may begin within one: its first word does
 *               not count);
 *   after       if the word or mark in front of its word is one of the values;
 *   within      if its word stands between the marks values[0] and values[1].
 * Classes overlap: of those that a neuron is selective for, the one that tells most is taken.
 */
#ifndef GLIA_TOOLS_REPORT_CLASSES_H
#define GLIA_TOOLS_REPORT_CLASSES_H

#include "core/base/error.h"
#include "core/neuron/neuron.h"

enum { CLASSES_MAX = 128, CLASSES_MAX_BYTES = 1 << 20 };

/* When a neuron is selective for a class: of its active tokens (above neuron_threshold, in its top
 * records), at least CLASSES_SUPPORT in CLASSES_RECORDS records, of a class of words CLASSES_WORDS
 * different ones, a share of at least CLASSES_SHARE is in the class, which is CLASSES_LIFT times
 * the share that is among all tokens of its random records.
 */
enum { CLASSES_SUPPORT = 10, CLASSES_RECORDS = 5, CLASSES_WORDS = 3 };
#define CLASSES_SHARE 0.8
#define CLASSES_LIFT  3.0

typedef struct word_classes word_classes_t;

/* Errors (CONFIG): no JSON, or not of the form above, naming the class; over CLASSES_MAX_BYTES
 * or CLASSES_MAX. */
word_classes_t *classes_parse(const char *json, size_t length, error_info_t *error);
void classes_free(word_classes_t *classes); /* NULL is fine */
size_t classes_count(const word_classes_t *classes);
const char *classes_name(const word_classes_t *classes, size_t index);

/* A set of classes. */
typedef struct {
    uint64_t bits[CLASSES_MAX / 64];
} class_set_t;
static inline bool class_set_has(const class_set_t *set, size_t index) {
    return (set->bits[index / 64] >> (index % 64) & 1) != 0;
}

/* The classes of every token of a record; the caller gives sets[record->count]. */
void classes_of_record(const word_classes_t *classes, const activation_record_t *record,
                       class_set_t *sets);

typedef struct {
    size_t class_;
    size_t active, members; /* active tokens, and those of them in the class */
    double base;            /* share of the class among all tokens of the random records */
} class_choice_t;

/* The class that the neuron is selective for. False: none; or nothing is known of its threshold, or
 * it has no random records. Of several: the one with the greatest likelihood ratio (members of
 * active, against the base rate). */
bool classes_select(const word_classes_t *classes, const neuron_record_t *neuron,
                    class_choice_t *choice);

/* The classes that an explanation names: one of the keywords is there, its words one behind the
 * other ("*" at the end of a word: any ending; else also a plural; articles in between do not
 * count). A word with "after", "inside" and the like shortly before it tells a place, so it names
 * classes of kind after, within and first only. */
class_set_t classes_named(const word_classes_t *classes, const char *explanation);

#endif
