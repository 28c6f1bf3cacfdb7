/* request.h - what is asked, apart from where and when: made by a stage, sized and identified here,
 * written as a body.
 *
 * A stage begins a request, fills in messages, prompt or inputs and the parameters, and the caller
 * finishes it. From then on nothing of it changes: its identity names its answer in the store, its
 * bounds are what caps and limits count.
 */
#ifndef GLIA_ACTORS_SWEEP_REQUEST_H
#define GLIA_ACTORS_SWEEP_REQUEST_H

#include "actors/sweep/settings.h"
#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/base/money.h"
#include "core/llm/wire.h"

typedef struct {
    llm_kind_t kind;
    size_t model;            /* index in the settings: who is asked, and at what price */
    char *lineage;           /* owned */
    message_list_t messages; /* CHAT */
    buffer_t prompt;         /* COMPLETION */
    size_t input_count;
    char **inputs; /* EMBEDDING: [input_count] texts; owned, as is each */
    hash_t *keys;  /* EMBEDDING: [input_count] under which their vectors are kept; owned */
    llm_parameters_t parameters;
    /* the body as it stands, of somebody else's making; empty: it is made from the above */
    buffer_t written;
    int64_t sample;  /* 0, 1, ...: repeated questions are told apart by it */
    int64_t dropped; /* few-shot examples that were left out to fit the model's context */
    /* Made by request_finish. With `written`, id and output_maximum are its maker's to
     * fill in before. */
    hash_t id;
    int64_t input_bound, output_maximum;   /* tokens, at most */
    int64_t charge_estimate, charge_bound; /* tokens against tokens/min, see request_charge */
    money_t worst_case;                    /* at the model's price */
} request_t;

/* Starts a zeroed request to settings->models[model], of that model's lineage. */
void request_begin(request_t *request, const settings_t *settings, llm_kind_t kind, size_t model);
/* Adds a copy of a text to be embedded. */
void request_add_input(request_t *request, const char *text, hash_t key);
/* Works out identity, bounds and worst case. May be called again after a change, of the
 * sample for example. */
void request_finish(request_t *request, const settings_t *settings);
void request_clear(request_t *request); /* zeroes it, too */

/* Best guess of the input tokens, before or after request_finish. Not for one that is `written`. */
int64_t request_input_estimate(const request_t *request, const settings_t *settings);
/* Tokens that the endpoint counts against tokens/min (tpm_charge). */
int64_t request_charge(const request_t *request, const endpoint_settings_t *endpoint);
/* The body to send: `written`, or made in `made`, which the caller frees. Borrowed from either. */
const buffer_t *request_body(const request_t *request, const settings_t *settings, buffer_t *made);

#endif
