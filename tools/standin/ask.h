/* ask.h - a request body of the OpenAI-compatible interface, read and checked. Pure. */
#ifndef GLIA_STANDIN_ASK_H
#define GLIA_STANDIN_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/llm/message.h"

typedef enum { ASK_CHAT, ASK_COMPLETION, ASK_EMBEDDING } standin_ask_kind_t;

typedef struct {
    standin_ask_kind_t kind;
    char *model;
    hash_t hash;             /* of the body, byte for byte */
    message_list_t messages; /* CHAT; COMPLETION: one message "user" that holds the prompt */
    message_list_t inputs;   /* EMBEDDING: one message an input */
    double temperature;
    int64_t maximum; /* output tokens */
    bool logprobs;
    size_t top_logprobs; /* 0..20 */
    bool echo;
    size_t dimensions;
    bool base64;
} standin_ask_t;

/* Why a request is refused, in OpenAI's words. */
typedef struct {
    int status;
    const char *type;  /* "invalid_request_error" */
    const char *param; /* NULL: null */
    const char *code;  /* NULL: null */
    char message[512];
} standin_refusal_t;

/* Sets *refusal and returns false. */
bool standin_refuse(standin_refusal_t *refusal, int status, const char *type, const char *param,
                    const char *code, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Appends {"error": {...}}. */
void standin_refusal_write(const standin_refusal_t *refusal, buffer_t *out);

/* The caller clears *ask whatever the result. */
bool standin_ask_read(standin_ask_kind_t kind, const char *body, size_t length, standin_ask_t *ask,
                      standin_refusal_t *refusal);
void standin_ask_clear(standin_ask_t *ask);
/* What counts against tokens per minute: bytes / 4 + output maximum, at least 1. */
int64_t standin_ask_charge(const standin_ask_t *ask);

#endif
