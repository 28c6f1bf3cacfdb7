/* study_make.h - a new study from a run: which neurons, with whose explanations. */
#ifndef GLIA_TOOLS_VIEWER_STUDY_MAKE_H
#define GLIA_TOOLS_VIEWER_STUDY_MAKE_H

#include "tools/viewer/study_store.h"
#include "tools/viewer/view.h"

typedef struct {
    const char *raters; /* codes with commas between them */
    const char *set;    /* NULL: the first of the run */
    size_t neurons;     /* at most; 0: all */
    double overlap;     /* 0..1 */
    bool merge;
} study_wish_t;

/* Takes the neurons of the set that have an explanation (of its first explainer, sample 0) in every
 * format; of more than are wanted, some drawn with the run's seed, which is the study's too.
 * *skipped: how many lack an explanation. Errors: USAGE (codes, set), CONFIG (no neuron is ready;
 * there is a study already). */
study_t *study_make(const char *directory, store_t *store, const view_t *view,
                    const study_wish_t *wish, size_t *skipped, error_info_t *error);

#endif
