/* provider_answer.h - what a scripted provider answers: a function of the request's body alone. */
#ifndef GLIA_TEST_PROVIDER_ANSWER_H
#define GLIA_TEST_PROVIDER_ANSWER_H

#include "core/base/buffer.h"
#include "core/llm/wire.h"

/* A request, read again from its body. */
typedef struct {
    llm_kind_t kind;
    char *model;
    message_list_t messages;
    char *prompt;
    size_t input_count;
    char **inputs;
    llm_parameters_t parameters;
    /* the same as glia has it, apart from lineage and sample; borrows the above */
    llm_request_t request;
} asked_request_t;

/* False: the body is not one that glia writes. */
bool asked_request_read(const char *url, const buffer_t *body, asked_request_t *asked);
void asked_request_clear(asked_request_t *asked);

typedef enum {
    ANSWER_FINE,
    ANSWER_NO_USAGE,
    ANSWER_OVER_BOUND,
    ANSWER_NO_LOGPROBS,
    ANSWER_MISALIGNED
} answer_kind_t;

/* Appends the JSON body; *usage is what the provider bills, whether or not the body says so. */
void provider_answer(const asked_request_t *asked, answer_kind_t kind, buffer_t *body,
                     llm_usage_t *usage);

#endif
