/* lexicon.h - classes of words and what they are called; read from lexicon.txt,
 * immutable afterwards. */
#ifndef GLIA_STANDIN_LEXICON_H
#define GLIA_STANDIN_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

enum { LEXICON_CLASSES = 128, STEM_SIZE = 48 };

/* A set of classes. */
typedef struct {
    uint64_t bits[LEXICON_CLASSES / 64];
} standin_classes_t;

static inline bool standin_classes_have(standin_classes_t set, size_t class_) {
    return (set.bits[class_ / 64] >> (class_ % 64) & 1) != 0;
}

typedef struct standin_lexicon standin_lexicon_t;

/* Errors (CONFIG): "lexicon.txt:LINE: what". */
standin_lexicon_t *standin_lexicon_create(const char *text, size_t length, error_info_t *error);
void standin_lexicon_free(standin_lexicon_t *lexicon);

size_t standin_lexicon_count(const standin_lexicon_t *lexicon);
/* Number of the class of that name; LEXICON_CLASSES if there is none. */
size_t standin_lexicon_find(const standin_lexicon_t *lexicon, const char *name);
/* The classes of a lower-case word. */
standin_classes_t standin_lexicon_look_up(const standin_lexicon_t *lexicon, const char *word,
                                          size_t length);
/* Phrase `variant` (modulo the number of phrases) of a class. */
const char *standin_lexicon_phrase(const standin_lexicon_t *lexicon, size_t class_, size_t variant);

/* The class that an explanation names at stems[at], and how many stems the name takes (0: none).
 * Several classes may have the same name: *after is where to go on looking, 0 at first; the
 * result's class is LEXICON_CLASSES at the end.
 */
typedef struct {
    size_t class_;
    size_t stems;
} standin_naming_t;
standin_naming_t standin_lexicon_naming(const standin_lexicon_t *lexicon,
                                        const char (*stems)[STEM_SIZE], size_t count, size_t at,
                                        size_t *after);

/* Lower-cases ASCII and takes off inflections (plural, -ed, -ing, -ly); always terminated. */
void standin_stem(const char *word, size_t length, char stem[STEM_SIZE]);

#endif
