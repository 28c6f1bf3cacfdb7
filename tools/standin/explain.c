/* explain.c - tries every trait that a marked unit has, and pairs of the best ones. */
#include "tools/standin/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "tools/standin/traits.h"

enum { BEST = 8, TEXTS = 64, SHORT_SUFFIX = 2, LONG_SUFFIX = 4, SHORT_PREFIX = 3, EXAMPLES = 4 };

/* Marks below this count as silence when a trait holds there. */
static const double faint = 0.15;
/* A pair of traits must fit better by so much to be worth its longer phrase; no fit below `poor`
 * is worth saying. */
static const double gain_of_both = 0.06, gain_of_either = 0.10, poor = 0.28;
/* At temperature 1 an idea that fits worse by so much is chosen e times less often. */
static const double indifference = 0.05;

typedef enum { JOIN_NONE, JOIN_BOTH, JOIN_EITHER } join_t;

/* One thing that the explanation could say. */
typedef struct {
    standin_trait_t a, b;
    join_t join;
    double fit;
} idea_t;

typedef struct {
    const standin_lexicon_t *lexicon;
    const standin_records_t *records;
    double marked;                       /* sum of marks */
    idea_t contents[BEST], places[BEST]; /* best first */
    size_t content_count, place_count;
} search_t;

/* --- how well an idea fits --- */

static bool idea_holds(const idea_t *idea, const standin_passage_t *passage, size_t unit) {
    bool a = standin_trait_holds(&idea->a, passage, unit);
    if (idea->join == JOIN_NONE)
        return a;
    if (idea->join == JOIN_BOTH)
        return a && standin_trait_holds(&idea->b, passage, unit);
    return a || standin_trait_holds(&idea->b, passage, unit);
}

/* How far each kind of trait is to be trusted: a class of words is a better guess than three
 * common letters. */
static double trust(const standin_trait_t *trait) {
    switch (trait->kind) {
    case TRAIT_WORD: return 0.97;
    case TRAIT_SUFFIX: return 0.82;
    case TRAIT_PREFIX: return 0.80;
    case TRAIT_AFTER_WORD: return 0.92;
    case TRAIT_BEFORE_WORD: return 0.82;
    case TRAIT_AFTER_CLASS: return 0.88;
    default: return standin_trait_is_place(trait) ? 0.95 : 1;
    }
}

/* F1 of "holds" against "is marked", weighted by marks, times what so many cases are worth. */
static double measure(const search_t *search, const idea_t *idea) {
    double found = 0, held = 0;
    size_t cases = 0;
    for (size_t r = 0; r < search->records->count; r++) {
        const standin_passage_t *passage = &search->records->records[r].passage;
        for (size_t i = 0; i < passage->unit_count; i++) {
            if (!idea_holds(idea, passage, i))
                continue;
            double mark = passage->units[i].mark;
            found += mark;
            held += mark >= faint ? mark : 1;
            cases += mark >= faint;
        }
    }
    if (cases == 0)
        return 0;
    double precision = found / held, recall = found / search->marked;
    double evidence = (double)cases / ((double)cases + 0.4);
    double trusted = trust(&idea->a) * (idea->join == JOIN_NONE ? 1 : trust(&idea->b));
    return trusted * evidence * 2 * precision * recall / (precision + recall);
}

/* --- candidates --- */

static void keep(idea_t *best, size_t *count, const idea_t *idea) {
    size_t i = *count < BEST ? (*count)++ : BEST - 1;
    if (i == BEST - 1 && *count == BEST && best[i].fit >= idea->fit && best[i].fit > 0)
        return;
    while (i > 0 && best[i - 1].fit < idea->fit) {
        best[i] = best[i - 1];
        i--;
    }
    best[i] = *idea;
}

static void try_trait(search_t *search, standin_trait_t trait) {
    idea_t idea = {.a = trait, .join = JOIN_NONE};
    idea.fit = measure(search, &idea);
    if (idea.fit <= 0)
        return;
    if (standin_trait_is_place(&trait))
        keep(search->places, &search->place_count, &idea);
    else
        keep(search->contents, &search->content_count, &idea);
}

/* Texts that were tried already, by kind. */
typedef struct {
    standin_trait_t traits[TEXTS];
    size_t count;
} tried_t;

static void try_text(search_t *search, tried_t *tried, standin_trait_kind_t kind, const char *text,
                     size_t length) {
    standin_trait_t trait = standin_trait_of_text(kind, text, length);
    if (length >= TRAIT_TEXT || length == 0 || tried->count == TEXTS)
        return;
    for (size_t i = 0; i < tried->count; i++)
        if (tried->traits[i].hash == trait.hash)
            return;
    tried->traits[tried->count++] = trait;
    try_trait(search, trait);
}

static bool plain_word(const standin_unit_t *unit) {
    return unit->kind == UNIT_WORD && !unit->contraction;
}

static void try_texts_of(search_t *search, tried_t tried[], const standin_passage_t *passage,
                         size_t i) {
    const standin_unit_t *unit = &passage->units[i];
    if (unit->kind == UNIT_BREAK)
        return;
    try_text(search, &tried[TRAIT_WORD], TRAIT_WORD, unit->word, unit->length);
    if (i > 0 && passage->units[i - 1].kind == UNIT_WORD)
        try_text(search, &tried[TRAIT_AFTER_WORD], TRAIT_AFTER_WORD, unit[-1].word,
                 unit[-1].length);
    if (i + 1 < passage->unit_count && passage->units[i + 1].kind == UNIT_WORD)
        try_text(search, &tried[TRAIT_BEFORE_WORD], TRAIT_BEFORE_WORD, unit[1].word,
                 unit[1].length);
    for (size_t size = SHORT_SUFFIX;
         plain_word(unit) && size <= LONG_SUFFIX && size + 2 <= unit->length; size++)
        try_text(search, &tried[TRAIT_SUFFIX], TRAIT_SUFFIX, unit->word + unit->length - size,
                 size);
    if (plain_word(unit) && unit->length >= SHORT_PREFIX + 2)
        try_text(search, &tried[TRAIT_PREFIX], TRAIT_PREFIX, unit->word, SHORT_PREFIX);
}

static void try_texts(search_t *search) {
    tried_t *tried = MEMORY_NEW_ARRAY(TRAIT_AFTER_CLASS, tried_t);
    for (size_t r = 0; r < search->records->count; r++) {
        const standin_passage_t *passage = &search->records->records[r].passage;
        for (size_t i = 0; i < passage->unit_count; i++)
            if (passage->units[i].mark >= faint)
                try_texts_of(search, tried, passage, i);
    }
    free(tried);
}

/* The classes that any marked unit is in. */
static standin_classes_t marked_classes(const standin_records_t *records) {
    standin_classes_t all = {{0}};
    for (size_t r = 0; r < records->count; r++)
        for (size_t i = 0; i < records->records[r].passage.unit_count; i++) {
            const standin_unit_t *unit = &records->records[r].passage.units[i];
            for (size_t j = 0; unit->mark >= faint && j < LEXICON_CLASSES / 64; j++)
                all.bits[j] |= unit->classes.bits[j];
        }
    return all;
}

static void try_classes(search_t *search) {
    static const char *const openers[] = {"articles", "prepositions", "pronouns",    "auxiliaries",
                                          "modals",   "conjunctions", "possessives", "negations"};
    standin_classes_t classes = marked_classes(search->records);
    for (size_t i = 0; i < standin_lexicon_count(search->lexicon); i++)
        if (standin_classes_have(classes, i))
            try_trait(search, standin_trait_of_class(TRAIT_CLASS, i));
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++) {
        size_t class_ = standin_lexicon_find(search->lexicon, openers[i]);
        if (class_ < LEXICON_CLASSES)
            try_trait(search, standin_trait_of_class(TRAIT_AFTER_CLASS, class_));
    }
    for (size_t i = 0; i < standin_rule_count(); i++)
        try_trait(search, standin_trait_of_rule(i));
}

static idea_t joined(const search_t *search, const idea_t *a, const idea_t *b, join_t join) {
    idea_t idea = {.a = a->a, .b = b->a, .join = join};
    idea.fit = measure(search, &idea);
    return idea;
}

/* Finds the best idea and the runner-up. */
static void find_ideas(search_t *search, idea_t best[BEST], size_t *count) {
    try_classes(search);
    try_texts(search);
    *count = 0;
    for (size_t i = 0; i < search->content_count; i++)
        keep(best, count, &search->contents[i]);
    for (size_t i = 0; i < search->place_count; i++)
        keep(best, count, &search->places[i]);
    if (*count == 0)
        return;
    double single = best[0].fit;
    for (size_t i = 0; i < search->content_count; i++) {
        for (size_t j = 0; j < search->place_count; j++) {
            idea_t both = joined(search, &search->contents[i], &search->places[j], JOIN_BOTH);
            if (both.fit > single + gain_of_both)
                keep(best, count, &both);
        }
        for (size_t j = 0; j < i; j++) {
            idea_t either = joined(search, &search->contents[j], &search->contents[i], JOIN_EITHER);
            if (either.fit > single + gain_of_either)
                keep(best, count, &either);
        }
    }
}

/* --- saying it --- */

static void say_idea(const search_t *search, const idea_t *idea, size_t variant, buffer_t *out) {
    standin_trait_say(&idea->a, search->lexicon, variant, out);
    if (idea->join == JOIN_BOTH) {
        buffer_append_char(out, ' ');
        standin_trait_say_place(&idea->b, search->lexicon, out);
    } else if (idea->join == JOIN_EITHER) {
        buffer_append_text(out, " and ");
        standin_trait_say(&idea->b, search->lexicon, variant, out);
    }
}

/* Nothing fits: names the most strongly marked words. */
static void say_examples(const search_t *search, buffer_t *out) {
    const standin_unit_t *best[EXAMPLES] = {NULL};
    for (size_t r = 0; r < search->records->count; r++) {
        const standin_passage_t *passage = &search->records->records[r].passage;
        for (size_t i = 0; i < passage->unit_count; i++) {
            const standin_unit_t *unit = &passage->units[i];
            bool known = unit->kind == UNIT_BREAK || unit->mark < faint;
            for (size_t j = 0; j < EXAMPLES && best[j]; j++)
                known = known || best[j]->hash == unit->hash;
            for (size_t j = 0; j < EXAMPLES && !known; j++) {
                if (best[j] && best[j]->mark >= unit->mark)
                    continue;
                memmove(best + j + 1, best + j, (EXAMPLES - 1 - j) * sizeof *best);
                best[j] = unit;
                known = true;
            }
        }
    }
    buffer_append_text(out, best[0] ? "words such as" : "nothing in particular");
    for (size_t j = 0; j < EXAMPLES && best[j]; j++)
        buffer_append_format(out, "%s '%s'",
                             j == 0                              ? ""
                             : j + 1 == EXAMPLES || !best[j + 1] ? " and"
                                                                 : ",",
                             best[j]->word);
}

/* Draws an idea: the better it fits, and the lower the temperature, the likelier. */
static size_t choose(const idea_t *best, size_t count, double temperature, rng_t *rng) {
    double weights[BEST], sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i] = exp((best[i].fit - best[0].fit) / (indifference * temperature));
    double draw = rng_unit(rng) * sum;
    for (size_t i = 0; i < count; i++)
        if ((draw -= weights[i]) < 0)
            return i;
    return 0;
}

void standin_explain(const standin_lexicon_t *lexicon, const standin_records_t *records,
                     double temperature, uint64_t seed, buffer_t *out) {
    static const char *const frames[] = {"", "", "", "mentions of ", "occurrences of "};
    search_t *search = MEMORY_NEW(search_t);
    idea_t best[BEST] = {{.fit = 0}};
    size_t count = 0, choice = 0, variant = 0, frame = 0;
    rng_t rng = rng_create(seed);
    search->lexicon = lexicon;
    search->records = records;
    for (size_t i = 0; i < records->count; i++)
        search->marked += records->records[i].passage.marked;
    if (search->marked > 0)
        find_ideas(search, best, &count);
    if (temperature > 0) {
        choice = choose(best, count, temperature, &rng);
        variant = (size_t)rng_below(&rng, 12);
        frame = (size_t)rng_below(&rng, sizeof frames / sizeof frames[0]);
    }
    if (count == 0 || best[choice].fit < poor) {
        say_examples(search, out);
    } else {
        buffer_append_text(out, frames[frame]);
        say_idea(search, &best[choice], variant, out);
    }
    free(search);
}
