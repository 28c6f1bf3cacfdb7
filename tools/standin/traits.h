/* traits.h - what tokens can have in common: what they are, and where they stand. Pure.
 *
 * The explainer looks for the trait that tells marked units from the others and says it in words;
 * the simulator reads traits out of an explanation's words and looks where they hold.
 */
#ifndef GLIA_STANDIN_TRAITS_H
#define GLIA_STANDIN_TRAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "tools/standin/lexicon.h"
#include "tools/standin/passage.h"

typedef enum {
    TRAIT_NONE,
    TRAIT_CLASS,       /* the unit is in lexicon class `index` */
    TRAIT_RULE,        /* rule `index` holds */
    TRAIT_WORD,        /* the unit is `text` */
    TRAIT_SUFFIX,      /* ends in `text` */
    TRAIT_PREFIX,      /* begins with `text` */
    TRAIT_AFTER_WORD,  /* the unit before it is `text` */
    TRAIT_BEFORE_WORD, /* the unit behind it is `text` */
    TRAIT_AFTER_CLASS, /* the unit before it is in class `index` */
} standin_trait_kind_t;

enum { TRAIT_TEXT = 32 };

typedef struct {
    standin_trait_kind_t kind;
    size_t index;
    char text[TRAIT_TEXT];
    uint64_t hash; /* of text */
} standin_trait_t;

standin_trait_t standin_trait_of_class(standin_trait_kind_t kind, size_t class_);
/* `text` is cut to TRAIT_TEXT - 1 bytes. */
standin_trait_t standin_trait_of_text(standin_trait_kind_t kind, const char *text, size_t length);
bool standin_trait_holds(const standin_trait_t *trait, const standin_passage_t *passage,
                         size_t unit);
/* Whether it says where a unit stands, rather than what it is. */
bool standin_trait_is_place(const standin_trait_t *trait);

size_t standin_rule_count(void);
standin_trait_t standin_trait_of_rule(size_t rule);
/* Whether the stems name the rule; if so, *used[i] becomes true for the stems that did. */
bool standin_rule_named(size_t rule, const char (*stems)[STEM_SIZE], size_t count, bool *used);

/* Appends "colours", "words that end in 'ly'", "the word right after a comma". */
void standin_trait_say(const standin_trait_t *trait, const standin_lexicon_t *lexicon,
                       size_t variant, buffer_t *out);
/* Appends only the place, to be put behind what a unit is: "right after a comma". */
void standin_trait_say_place(const standin_trait_t *trait, const standin_lexicon_t *lexicon,
                             buffer_t *out);

#endif
