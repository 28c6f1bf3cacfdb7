/* card.h - a neuron's card: its statistics, excerpts and explanations as one text for a
 * terminal, or as JSON. Pure.
 *
 * Tokens and explanations come from others: what a terminal would act on (controls, bytes that are
 * not UTF-8) is written as \n, \t, \xNN, in JSON as \u00NN. The only escape sequences are the
 * colours of `colour`.
 */
#ifndef GLIA_TOOLS_CLI_CARD_H
#define GLIA_TOOLS_CLI_CARD_H

#include "actors/sweep/outcome.h"
#include "core/neuron/neuron.h"

typedef struct {
    const char *format, *explainer; /* borrowed */
    uint32_t sample;
    chain_state_t explained;
    /* if explained is DONE, else NULL; owned: card_clear */
    char *text;
    chain_measured_t measured[STAGES_MEASURED]; /* by the card's rows */
} card_explanation_t;

typedef struct {
    const char *run, *set, *id;    /* borrowed */
    const neuron_record_t *record; /* borrowed */
    /* what explanations are compared with; borrowed; NULL: nothing */
    const char *baseline;
    stages_measured_t measured; /* what explanations are measured by */
    size_t explanation_count;
    /* [explanation_count], in the order of the chains; owned: card_clear */
    card_explanation_t *explanations;
} card_t;

typedef struct {
    size_t most; /* excerpts a group; at least 1 */
    /* a 256-colour background from 0 to the highest activation; else [token] above the threshold */
    bool colour;
} card_options_t;

/* Releases the explanations. */
void card_clear(card_t *card);
/* Appends lines of at most WRAP_WIDTH columns (wrap.h) where tokens and words are short enough. */
void card_write_text(const card_t *card, const card_options_t *options, buffer_t *out);
/* Appends one line: {run, set, id, layer, neuron (null: no neuron of a subject model), mean,
 * variance, skewness, kurtosis, above_zero, quantiles, threshold, maximum, baseline, groups:
 * [{name, total, excerpts: [{maximum, tokens, activations}]}], explanations: [{format, explainer,
 * sample, explained, scored, compared, text, score, adacs}]}. What is not known is null. A token
 * whose bytes are not UTF-8 is an array of them. Explanations have a member "measures" (fields.h)
 * if there are other measured rows. */
void card_write_json(const card_t *card, size_t most, buffer_t *out);

#endif
