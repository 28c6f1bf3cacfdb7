/* class_tally.c - counts explanations that name a class. */
#include "tools/report/class_tally.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

void class_tally_add(class_tally_t *tally, const word_classes_t *classes,
                     const class_choice_t *choice, const char *explanation) {
    tally->neurons += explanation != NULL;
    tally->selective += choice != NULL;
    if (!choice || !explanation)
        return;
    if (tally->count == tally->capacity) {
        tally->capacity = tally->capacity ? 2 * tally->capacity : 16;
        tally->explained =
            memory_resize(tally->explained, tally->capacity, sizeof *tally->explained);
    }
    tally->explained[tally->count].class_ = choice->class_;
    tally->explained[tally->count++].named = classes_named(classes, explanation);
}

void class_tally_clear(class_tally_t *tally) {
    free(tally->explained);
    *tally = (class_tally_t){0};
}

uint64_t class_tally_named(const class_tally_t *tally) {
    uint64_t named = 0;
    for (size_t i = 0; i < tally->count; i++)
        named += class_set_has(&tally->explained[i].named, tally->explained[i].class_);
    return named;
}

double class_tally_by_chance(const class_tally_t *tally) {
    if (tally->count < 2)
        return (double)NAN;
    uint64_t namers[CLASSES_MAX] = {0}, sum = 0;
    for (size_t i = 0; i < tally->count; i++)
        for (size_t c = 0; c < CLASSES_MAX; c++)
            namers[c] += class_set_has(&tally->explained[i].named, c);
    for (size_t i = 0; i < tally->count; i++)
        sum += namers[tally->explained[i].class_] -
               class_set_has(&tally->explained[i].named, tally->explained[i].class_);
    return (double)sum / (double)(tally->count - 1);
}
