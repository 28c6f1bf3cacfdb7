/* provider_answer.c - requests read back from their bodies, and deterministic answers to them. */
#include "test/rehearsal/provider_answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/llm/tokens.h"

enum { CHUNK = 400, DIMENSIONS = 8 };

/* --- reading a request ------------------------------------------------------------------------ */

static double number_or_nan(const json_value_t *value) {
    double number;
    return json_as_number(value, &number) ? number : NAN;
}

static int64_t integer_or(const json_value_t *value, int64_t fallback) {
    int64_t integer;
    return json_as_integer(value, &integer) ? integer : fallback;
}

static char *string_of(const json_value_t *value) {
    size_t length;
    const char *text = json_as_string(value, &length);
    return text ? memory_copy(text, length) : NULL;
}

static bool read_asked(const json_value_t *root, asked_request_t *asked) {
    const json_value_t *list = json_get(root, asked->kind == LLM_CHAT ? "messages" : "input");
    switch (asked->kind) {
    case LLM_CHAT:
        for (size_t i = 0; i < json_count(list); i++) {
            const json_value_t *message = json_at(list, i);
            size_t length = 0;
            const char *role = json_as_string(json_get(message, "role"), NULL);
            const char *content = json_as_string(json_get(message, "content"), &length);
            if (!role || !content)
                return false;
            message_list_add(&asked->messages, role, content, length);
        }
        return asked->messages.count > 0;
    case LLM_COMPLETION: return (asked->prompt = string_of(json_get(root, "prompt"))) != NULL;
    case LLM_EMBEDDING:
        asked->inputs = MEMORY_NEW_ARRAY(json_count(list) + 1, char *);
        for (; asked->input_count < json_count(list); asked->input_count++)
            if (!(asked->inputs[asked->input_count] = string_of(json_at(list, asked->input_count))))
                return false;
        return asked->input_count > 0;
    }
    return false;
}

static void read_parameters(const json_value_t *root, asked_request_t *asked) {
    llm_parameters_t *parameters = &asked->parameters;
    const json_value_t *logprobs = json_get(root, "logprobs");
    parameters->temperature = number_or_nan(json_get(root, "temperature"));
    parameters->top_p = number_or_nan(json_get(root, "top_p"));
    parameters->modern_maximum = json_get(root, "max_completion_tokens") != NULL;
    parameters->max_output_tokens = integer_or(
        json_get(root, parameters->modern_maximum ? "max_completion_tokens" : "max_tokens"), 0);
    parameters->logprobs = logprobs != NULL;
    parameters->top_logprobs =
        (int)integer_or(asked->kind == LLM_CHAT ? json_get(root, "top_logprobs") : logprobs, 0);
    parameters->echo = json_get(root, "echo") != NULL;
    parameters->dimensions = integer_or(json_get(root, "dimensions"), 0);
}

bool asked_request_read(const char *url, const buffer_t *body, asked_request_t *asked) {
    *asked = (asked_request_t){.kind = text_ends_with(url, "/chat/completions") ? LLM_CHAT
                                       : text_ends_with(url, "/completions")    ? LLM_COMPLETION
                                                                                : LLM_EMBEDDING};
    json_value_t *root = json_parse(buffer_text(body), body->length, "request", JSON_PLAIN, NULL);
    asked->model = string_of(json_get(root, "model"));
    bool good = asked->model && read_asked(root, asked);
    read_parameters(root, asked);
    json_free(root);
    if (!good) {
        asked_request_clear(asked);
        return false;
    }
    asked->request = (llm_request_t){
        .kind = asked->kind,
        .messages = &asked->messages,
        .prompt = asked->prompt,
        .prompt_length = asked->prompt ? strlen(asked->prompt) : 0,
        .inputs = (const char *const *)asked->inputs,
        .input_count = asked->input_count,
        .parameters = asked->parameters,
    };
    return true;
}

void asked_request_clear(asked_request_t *asked) {
    free(asked->model);
    message_list_clear(&asked->messages);
    free(asked->prompt);
    for (size_t i = 0; i < asked->input_count; i++)
        free(asked->inputs[i]);
    free(asked->inputs);
    *asked = (asked_request_t){0};
}

/* What is asked, without parameters, as a seed. */
static rng_t rng_of(const asked_request_t *asked) {
    hash_builder_t *builder = hash_builder_create("scripted answer");
    hash_builder_add_text(builder, asked->model);
    for (size_t i = 0; i < asked->messages.count; i++)
        hash_builder_add_text(builder, asked->messages.messages[i].content);
    hash_builder_add_text(builder, asked->prompt);
    return rng_create(hash_low64(hash_builder_finish(builder)));
}

/* --- pieces of JSON --------------------------------------------------------------------------- */

static void write_usage(const llm_usage_t *usage, bool output, buffer_t *body) {
    buffer_append_format(
        body,
        ",\"usage\":{\"prompt_tokens\":%lld,\"prompt_tokens_details\":{\"cached_tokens\":%lld}",
        (long long)usage->prompt_tokens, (long long)usage->cached_tokens);
    if (output)
        buffer_append_format(
            body,
            ",\"completion_tokens\":%lld,\"completion_tokens_details\":{\"reasoning_tokens\":%lld}",
            (long long)usage->completion_tokens, (long long)usage->reasoning_tokens);
    buffer_append_format(body, ",\"total_tokens\":%lld}",
                         (long long)(usage->prompt_tokens + usage->completion_tokens));
}

/* Two values that could stand there, and what is left of the probability. */
static void write_values(rng_t *rng, buffer_t *body, bool chat) {
    unsigned a = (unsigned)rng_below(rng, 5), b = 5 + (unsigned)rng_below(rng, 6);
    double share = 0.5 + rng_unit(rng) / 2;
    const char *form =
        chat ? "[{\"token\":\"%u\",\"logprob\":%.6f},{\"token\":\"%u\",\"logprob\":%.6f}]"
             : "{\"%u\":%.6f,\"%u\":%.6f}";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buffer_append_format(body, form, a, log(share * 0.9), b, log((1 - share) * 0.9));
#pragma GCC diagnostic pop
}

/* --- completions with echo -------------------------------------------------------------------- */

/* The arrays of logprobs, token by token. */
typedef struct {
    buffer_t tokens, logprobs, top, offsets;
    size_t offset; /* characters */
    rng_t rng;
} echo_t;

static size_t characters(const char *text, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

static void echo_token(echo_t *echo, const char *text, size_t length) {
    const char *comma = echo->tokens.length ? "," : "";
    buffer_append_text(&echo->tokens, comma);
    json_write_string(&echo->tokens, text, length);
    buffer_append_format(&echo->logprobs, "%s%s", comma, *comma ? "-1.5" : "null");
    buffer_append_format(&echo->offsets, "%s%zu", comma, echo->offset);
    buffer_append_text(&echo->top, comma);
    if (length == strlen("unknown") && memcmp(text, "unknown", length) == 0)
        write_values(&echo->rng, &echo->top, false);
    else
        buffer_append_text(&echo->top, *comma ? "{\" the\":-1.5}" : "null");
    echo->offset += characters(text, length);
}

static size_t cut(const char *text, size_t length, size_t most) {
    return length <= most ? length : text_utf8_valid_prefix(text, most);
}

static const char *find_last(const char *text, const char *part) {
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, part)); at++)
        last = at;
    return last;
}

/* Coarse tokens up to the last record; in it, tokens that end before and after each "unknown". */
static void echo_text(echo_t *echo, const char *text) {
    size_t length = strlen(text);
    const char *record = find_last(text, "<start>"), *at = text, *end = text + length;
    while (at < (record ? record : end)) {
        size_t size = cut(at, (size_t)((record ? record : end) - at), record ? CHUNK : 5);
        echo_token(echo, at, size);
        at += size;
    }
    while (at < end) {
        const char *unknown = strstr(at, "unknown");
        size_t size = unknown == at ? strlen("unknown")
                      : unknown     ? (size_t)(unknown - at)
                                    : (size_t)(end - at);
        echo_token(echo, at, size);
        at += size;
    }
}

static void write_completion(const asked_request_t *asked, answer_kind_t kind, buffer_t *body) {
    echo_t echo = {.rng = rng_of(asked)};
    static const char generated[] = " 0";
    echo_text(&echo, asked->prompt);
    echo_token(&echo, generated, strlen(generated));
    if (kind == ANSWER_MISALIGNED)
        buffer_append_text(&echo.logprobs, ",-1.0");
    char *text = memory_format("%s%s", asked->parameters.echo ? asked->prompt : "", generated);
    buffer_append_text(body, "\"choices\":[{\"index\":0,\"finish_reason\":\"length\",\"text\":");
    json_write_text(body, text);
    if (kind != ANSWER_NO_LOGPROBS)
        buffer_append_format(body,
                             ",\"logprobs\":{\"tokens\":[%s],\"token_logprobs\":[%s],\"top_"
                             "logprobs\":[%s],\"text_offset\":[%s]}",
                             buffer_text(&echo.tokens), buffer_text(&echo.logprobs),
                             buffer_text(&echo.top), buffer_text(&echo.offsets));
    buffer_append_text(body, "}]");
    free(text);
    buffer_free(&echo.tokens);
    buffer_free(&echo.logprobs);
    buffer_free(&echo.top);
    buffer_free(&echo.offsets);
}

/* --- chat ------------------------------------------------------------------------------------- */

static const char *const things[] = {"birds", "rivers", "commas", "verbs",  "prices", "metals",
                                     "games", "fear",   "music",  "plural", "travel", "weather"};

static void explain_text(rng_t *rng, buffer_t *text) {
    enum { COUNT = sizeof things / sizeof *things };
    buffer_append_format(text, " words about %s and %s.", things[rng_below(rng, COUNT)],
                         things[rng_below(rng, COUNT)]);
}

static void logprob_token(buffer_t *logprobs, const char *bytes, size_t length, rng_t *rng) {
    buffer_append_text(logprobs, logprobs->length ? ",{\"token\":" : "{\"token\":");
    json_write_string(logprobs, bytes, length);
    buffer_append_text(logprobs, ",\"logprob\":-0.5,\"top_logprobs\":");
    if (rng)
        write_values(rng, logprobs, true);
    else
        buffer_append_text(logprobs, "[]");
    buffer_append_char(logprobs, '}');
}

/* Repeats the last record of the conversation with values in the place of "unknown". */
static void repeat_text(rng_t *rng, const char *record, buffer_t *text, buffer_t *logprobs) {
    while (*record && strncmp(record, "<end>", 5) != 0) {
        const char *unknown = strstr(record, "unknown"), *line = strchr(record, '\n');
        if (!unknown || !line)
            break;
        size_t before = (size_t)(unknown - record);
        buffer_append(text, record, before);
        logprob_token(logprobs, record, before, NULL);
        char digit = (char)('0' + rng_below(rng, 10));
        buffer_append_char(text, digit);
        logprob_token(logprobs, &digit, 1, rng);
        record = unknown + strlen("unknown");
    }
    buffer_append_text(text, "\n<end>");
    logprob_token(logprobs, "\n<end>", 6, NULL);
}

static void write_chat(const asked_request_t *asked, answer_kind_t kind, buffer_t *body) {
    const message_t *last = &asked->messages.messages[asked->messages.count - 1];
    const char *record = find_last(last->content, "<start>\n");
    bool repeat = record && strstr(record, "\tunknown\n");
    rng_t rng = rng_of(asked);
    buffer_t text = BUFFER_EMPTY, logprobs = BUFFER_EMPTY;
    if (repeat)
        repeat_text(&rng, record, &text, &logprobs);
    else
        explain_text(&rng, &text);
    buffer_append_text(body, "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{"
                             "\"role\":\"assistant\",\"content\":");
    json_write_string(body, text.data, text.length);
    buffer_append_char(body, '}');
    if (asked->parameters.logprobs && repeat && kind != ANSWER_NO_LOGPROBS)
        buffer_append_format(body, ",\"logprobs\":{\"content\":[%s]}",
                             buffer_text(&logprobs) + (kind == ANSWER_MISALIGNED ? 1 : 0));
    buffer_append_text(body, "}]");
    buffer_free(&text);
    buffer_free(&logprobs);
}

/* --- embeddings ------------------------------------------------------------------------------- */

static void write_embeddings(const asked_request_t *asked, buffer_t *body) {
    size_t dimensions =
        asked->parameters.dimensions > 0 ? (size_t)asked->parameters.dimensions : DIMENSIONS;
    buffer_append_text(body, "\"data\":[");
    /* in the reverse order: rows have their index */
    for (size_t n = asked->input_count; n-- > 0;) {
        rng_t rng = rng_create(hash_low64(hash_bytes(asked->inputs[n], strlen(asked->inputs[n]))));
        buffer_append_format(body, "{\"index\":%zu,\"embedding\":[", n);
        for (size_t i = 0; i < dimensions; i++)
            buffer_append_format(body, "%s%.4f", i ? "," : "", rng_unit(&rng) - 0.3);
        buffer_append_text(body, n ? "]}," : "]}");
    }
    buffer_append_char(body, ']');
}

/* --- the whole -------------------------------------------------------------------------------- */

static size_t asked_bytes(const asked_request_t *asked) {
    size_t bytes =
        message_list_bytes(&asked->messages) + (asked->prompt ? strlen(asked->prompt) : 0);
    for (size_t i = 0; i < asked->input_count; i++)
        bytes += strlen(asked->inputs[i]);
    return bytes;
}

/* A quarter of the bytes, part of it from the cache now and then; now and then all that glia sets
 * aside, never more. */
static llm_usage_t usage_of(const asked_request_t *asked, answer_kind_t kind) {
    rng_t rng = rng_of(asked);
    int64_t prompt = (int64_t)(asked_bytes(asked) + 3) / 4 + 3,
            most = asked->parameters.max_output_tokens;
    llm_usage_t usage = {.present = true, .prompt_tokens = prompt};
    if (rng_below(&rng, 3) == 0)
        usage.cached_tokens = prompt / 2;
    if (asked->kind != LLM_EMBEDDING)
        usage.completion_tokens = 1 + (int64_t)rng_below(&rng, (uint64_t)(most > 1 ? most : 1));
    if (asked->kind == LLM_CHAT)
        usage.reasoning_tokens = usage.completion_tokens / 3;
    if (rng_below(&rng, 10) == 0)
        usage = (llm_usage_t){.present = true,
                              .prompt_tokens = tokens_input_bound(&asked->request),
                              .completion_tokens = asked->kind == LLM_EMBEDDING ? 0 : most};
    if (kind == ANSWER_OVER_BOUND) {
        usage.prompt_tokens = tokens_input_bound(&asked->request) + 100;
        usage.completion_tokens += asked->kind == LLM_EMBEDDING ? 0 : most;
    }
    return usage;
}

void provider_answer(const asked_request_t *asked, answer_kind_t kind, buffer_t *body,
                     llm_usage_t *usage) {
    *usage = usage_of(asked, kind);
    buffer_append_text(body, "{\"object\":\"scripted\",\"model\":");
    json_write_text(body, asked->model);
    buffer_append_char(body, ',');
    switch (asked->kind) {
    case LLM_CHAT: write_chat(asked, kind, body); break;
    case LLM_COMPLETION: write_completion(asked, kind, body); break;
    case LLM_EMBEDDING: write_embeddings(asked, body); break;
    }
    if (kind != ANSWER_NO_USAGE)
        write_usage(usage, asked->kind != LLM_EMBEDDING, body);
    buffer_append_char(body, '}');
}
