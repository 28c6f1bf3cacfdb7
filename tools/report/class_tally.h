/* class_tally.h - how often explanations name the class that their neuron is selective for. Pure;
 * private to report/.
 */
#ifndef GLIA_TOOLS_REPORT_CLASS_TALLY_H
#define GLIA_TOOLS_REPORT_CLASS_TALLY_H

#include "tools/report/classes.h"

/* The explanations of one prompt format. */
typedef struct {
    uint64_t neurons;   /* explained, selective or not */
    uint64_t selective; /* those that are selective for a class, explained or not */
    size_t count, capacity;
    struct {
        size_t class_;     /* that the neuron is selective for */
        class_set_t named; /* by its explanation */
    } * explained;         /* [count]; owned: class_tally_clear */
} class_tally_t;

/* Takes in one chain. `choice`: the class that its neuron is selective for, NULL: none.
 * `explanation`: NULL if there is none (yet). */
void class_tally_add(class_tally_t *tally, const word_classes_t *classes,
                     const class_choice_t *choice, const char *explanation);
void class_tally_clear(class_tally_t *tally);

/* Of the explained selective neurons: how many explanations name the neuron's class. */
uint64_t class_tally_named(const class_tally_t *tally);
/* How many it would be if explanations went to neurons at random: the sum over neurons of the share
 * of the other explanations that name the neuron's class. NaN with fewer than two. */
double class_tally_by_chance(const class_tally_t *tally);

#endif
