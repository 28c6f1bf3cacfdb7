/* wire_answer.c - answers of an endpoint: usage, chat and text completions with
 * logprobs, embeddings.
 *
 * The bytes come from a peer and are not trusted: counts are compared before anything is allocated,
 * and what is allocated is in proportion to the body. Requests are written in wire.c.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/llm/wire.h"

enum { QUOTED_ERROR_BYTES = 200 };

static const int64_t MAX_USAGE = INT64_C(1) << 31;

/* servers round; a sum of probabilities may pass 1 by this much */
static const double LOGPROB_ROUNDING = 1e-3;

/* The root of a body, NULL with a FATAL error if it is no JSON object. Infinite numbers pass: a
 * server may write the logprob of an impossible token as -Infinity. */
static json_value_t *parse_body(const char *body, size_t length, error_info_t *error) {
    if (length > LLM_MAX_ANSWER) {
        error_set(error, ERROR_FATAL, "the answer has %zu bytes; at most %d are read", length,
                  LLM_MAX_ANSWER);
        return NULL;
    }
    json_value_t *root = json_parse(body, length, "answer", JSON_ALLOW_NONFINITE, error);
    if (!root) {
        if (error)
            error->class_ = ERROR_FATAL;
        return NULL;
    }
    if (!json_is(root, JSON_KIND_OBJECT)) {
        error_set(error, ERROR_FATAL, "the answer is not a JSON object");
        json_free(root);
        return NULL;
    }
    return root;
}

/* "choices is missing", with the endpoint's own words where it gave some. */
static bool refuse_missing(const json_value_t *root, const char *member, error_info_t *error) {
    size_t length = 0;
    const char *words = json_as_string(json_path(root, "error.message"), &length);
    if (!words)
        return error_set(error, ERROR_FATAL, "the answer has no %s", member);
    size_t shown =
        text_utf8_valid_prefix(words, length < QUOTED_ERROR_BYTES ? length : QUOTED_ERROR_BYTES);
    return error_set(error, ERROR_FATAL, "the answer has no %s; the endpoint says: %.*s", member,
                     (int)shown, words);
}

/* --- usage ------------------------------------------------------------------------------------ */

/* A count of tokens; an absent or null one is `fallback` (negative: it must be there). */
static bool read_count(const json_value_t *usage, const char *path, int64_t fallback,
                       int64_t *count) {
    const json_value_t *value = json_path(usage, path);
    if (json_is(value, JSON_KIND_NULL)) {
        *count = fallback;
        return fallback >= 0;
    }
    return json_as_integer(value, count) && *count >= 0 && *count <= MAX_USAGE;
}

static bool usage_from(const json_value_t *root, llm_usage_t *usage) {
    const json_value_t *object = json_get(root, "usage");
    /* An embedding has no output to count; of other answers both counts are needed. */
    int64_t no_output = json_get(root, "choices") ? -1 : 0;
    int64_t total = 0;
    if (!json_is(object, JSON_KIND_OBJECT) ||
        !read_count(object, "prompt_tokens", -1, &usage->prompt_tokens) ||
        !read_count(object, "completion_tokens", no_output, &usage->completion_tokens) ||
        !read_count(object, "total_tokens", 0, &total) ||
        !read_count(object, "prompt_tokens_details.cached_tokens", 0, &usage->cached_tokens) ||
        !read_count(object, "completion_tokens_details.reasoning_tokens", 0,
                    &usage->reasoning_tokens))
        return false;
    if (total - usage->prompt_tokens > usage->completion_tokens)
        usage->completion_tokens = total - usage->prompt_tokens;
    if (usage->cached_tokens > usage->prompt_tokens)
        usage->cached_tokens = usage->prompt_tokens;
    if (usage->reasoning_tokens > usage->completion_tokens)
        usage->reasoning_tokens = usage->completion_tokens;
    return true;
}

void llm_usage_read(const char *body, size_t length, llm_usage_t *usage) {
    json_value_t *root = parse_body(body, length, NULL);
    llm_usage_of(root, usage);
    json_free(root);
}

void llm_usage_of(const json_value_t *root, llm_usage_t *usage) {
    llm_usage_t found = {0};
    found.present = root && usage_from(root, &found);
    *usage = found.present ? found : (llm_usage_t){0};
}

/* --- logprobs --------------------------------------------------------------------------------- */

static bool read_logprob(const json_value_t *value, double *logprob) {
    return json_as_number(value, logprob) && *logprob <= LOGPROB_ROUNDING; /* false for NaN too */
}

static char *copy_json_string(const json_value_t *value, size_t *length) {
    size_t bytes = 0;
    const char *text = json_as_string(value, &bytes);
    if (!text)
        return NULL;
    if (length)
        *length = bytes;
    return memory_copy(text, bytes);
}

/* The bytes of a chat token or alternative; NULL if it has neither `bytes` nor `token`, or
 * bytes that are none. */
static char *copy_token_bytes(const json_value_t *entry, size_t *length) {
    const json_value_t *bytes = json_get(entry, "bytes");
    if (!json_is(bytes, JSON_KIND_ARRAY))
        return json_is(bytes, JSON_KIND_NULL) ? copy_json_string(json_get(entry, "token"), length)
                                              : NULL;
    *length = json_count(bytes);
    char *copy = memory_new(*length + 1, 1);
    for (size_t i = 0; i < *length; i++) {
        int64_t byte = 0;
        if (!json_as_integer(json_at(bytes, i), &byte) || byte < 0 || byte > 255) {
            free(copy);
            return NULL;
        }
        copy[i] = (char)(unsigned char)byte;
    }
    return copy;
}

static bool read_chat_alternatives(const json_value_t *list, llm_token_t *token) {
    if (json_is(list, JSON_KIND_NULL))
        return true;
    if (!json_is(list, JSON_KIND_ARRAY))
        return false;
    size_t count = json_count(list);
    token->top = MEMORY_NEW_ARRAY(count, llm_alternative_t);
    for (size_t i = 0; i < count; i++) {
        const json_value_t *entry = json_at(list, i);
        llm_alternative_t *alternative = &token->top[token->top_count];
        alternative->bytes = copy_token_bytes(entry, &alternative->length);
        if (!alternative->bytes)
            return false;
        token->top_count++; /* counted before the next check, so that llm_answer_clear finds it */
        if (!read_logprob(json_get(entry, "logprob"), &alternative->logprob))
            return false;
    }
    return true;
}

/* Chat: {"content": [{token, logprob, bytes, top_logprobs: [{token, logprob, bytes}]}]}. */
static bool read_chat_logprobs(const json_value_t *content, llm_answer_t *answer,
                               error_info_t *error) {
    size_t count = json_count(content);
    answer->tokens = MEMORY_NEW_ARRAY(count, llm_token_t);
    for (size_t i = 0; i < count; i++) {
        const json_value_t *entry = json_at(content, i);
        llm_token_t *token = &answer->tokens[i];
        token->text_offset = -1;
        token->bytes = copy_token_bytes(entry, &token->length);
        answer->token_count += token->bytes != NULL;
        if (!token->bytes)
            return error_set(error, ERROR_FATAL,
                             "logprobs.content[%zu] has no token or broken bytes", i);
        const json_value_t *logprob = json_get(entry, "logprob");
        token->has_logprob = !json_is(logprob, JSON_KIND_NULL);
        if (token->has_logprob && !read_logprob(logprob, &token->logprob))
            return error_set(error, ERROR_FATAL, "logprobs.content[%zu].logprob is not a logprob",
                             i);
        if (!read_chat_alternatives(json_get(entry, "top_logprobs"), token))
            return error_set(error, ERROR_FATAL, "logprobs.content[%zu].top_logprobs is broken", i);
    }
    return true;
}

/* {"token": logprob, ...} or null. */
static bool read_completion_alternatives(const json_value_t *object, llm_token_t *token) {
    if (json_is(object, JSON_KIND_NULL))
        return true;
    if (!json_is(object, JSON_KIND_OBJECT))
        return false;
    token->top = MEMORY_NEW_ARRAY(json_count(object), llm_alternative_t);
    json_iterator_t members = json_iterate(object);
    const char *key = "";
    const json_value_t *value = NULL;
    while (json_next(&members, &key, &value)) {
        double logprob = 0;
        if (!read_logprob(value, &logprob))
            return false;
        size_t length;
        key = json_member_name(value, &length);
        token->top[token->top_count++] = (llm_alternative_t){
            .bytes = memory_copy(key, length), .length = length, .logprob = logprob};
    }
    return true;
}

typedef struct {
    const json_value_t *tokens, *logprobs, *top, *offsets;
} completion_arrays_t;

static bool aligned(const json_value_t *array, size_t count, bool optional) {
    return (json_is(array, JSON_KIND_ARRAY) && json_count(array) == count) ||
           (optional && json_is(array, JSON_KIND_NULL));
}

static bool read_completion_token(const completion_arrays_t *arrays, size_t i, llm_token_t *token,
                                  error_info_t *error) {
    const json_value_t *logprob = json_at(arrays->logprobs, i);
    token->has_logprob = !json_is(logprob, JSON_KIND_NULL);
    if (token->has_logprob && !read_logprob(logprob, &token->logprob))
        return error_set(error, ERROR_FATAL, "logprobs.token_logprobs[%zu] is not a logprob", i);
    if (!read_completion_alternatives(json_at(arrays->top, i), token))
        return error_set(error, ERROR_FATAL, "logprobs.top_logprobs[%zu] is broken", i);
    token->text_offset = -1;
    if (json_is(arrays->offsets, JSON_KIND_ARRAY) &&
        (!json_as_integer(json_at(arrays->offsets, i), &token->text_offset) ||
         token->text_offset < 0 || token->text_offset > LLM_MAX_ANSWER))
        return error_set(error, ERROR_FATAL, "logprobs.text_offset[%zu] is not an offset", i);
    return true;
}

/* Text completions: four arrays of one length. */
static bool read_completion_logprobs(const json_value_t *logprobs, llm_answer_t *answer,
                                     error_info_t *error) {
    completion_arrays_t arrays = {
        .tokens = json_get(logprobs, "tokens"),
        .logprobs = json_get(logprobs, "token_logprobs"),
        .top = json_get(logprobs, "top_logprobs"),
        .offsets = json_get(logprobs, "text_offset"),
    };
    size_t count = json_count(arrays.tokens);
    if (!json_is(arrays.tokens, JSON_KIND_ARRAY) || !json_is(arrays.logprobs, JSON_KIND_ARRAY))
        return error_set(error, ERROR_FATAL, "logprobs has no tokens or no token_logprobs");
    if (!aligned(arrays.logprobs, count, false) || !aligned(arrays.top, count, true) ||
        !aligned(arrays.offsets, count, true))
        return error_set(error, ERROR_FATAL,
                         "the arrays of logprobs differ in length: %zu tokens, %zu token_logprobs, "
                         "%zu top_logprobs, %zu text_offset",
                         count, json_count(arrays.logprobs), json_count(arrays.top),
                         json_count(arrays.offsets));
    answer->tokens = MEMORY_NEW_ARRAY(count, llm_token_t);
    for (size_t i = 0; i < count; i++) {
        llm_token_t *token = &answer->tokens[i];
        token->bytes = copy_json_string(json_at(arrays.tokens, i), &token->length);
        if (!token->bytes)
            return error_set(error, ERROR_FATAL, "logprobs.tokens[%zu] is not a string", i);
        answer->token_count++;
        if (!read_completion_token(&arrays, i, token, error))
            return false;
    }
    return true;
}

/* Told apart by what is there, not by the kind: some servers answer text completions in
 * the chat's form. */
static bool read_logprobs(const json_value_t *logprobs, llm_answer_t *answer, error_info_t *error) {
    if (json_is(logprobs, JSON_KIND_NULL))
        return true;
    if (!json_is(logprobs, JSON_KIND_OBJECT))
        return error_set(error, ERROR_FATAL, "logprobs is not an object");
    const json_value_t *content = json_get(logprobs, "content");
    if (json_is(content, JSON_KIND_ARRAY))
        return read_chat_logprobs(content, answer, error);
    if (json_get(logprobs, "tokens"))
        return read_completion_logprobs(logprobs, answer, error);
    return content || json_get(logprobs, "refusal")
               ? true /* a chat refusal: {"content": null, "refusal": [...]} */
               : error_set(error, ERROR_FATAL, "logprobs has neither content nor tokens");
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool read_text(llm_kind_t kind, const json_value_t *choice, llm_answer_t *answer,
                      error_info_t *error) {
    const json_value_t *holder = kind == LLM_CHAT ? json_get(choice, "message") : choice;
    const char *member = kind == LLM_CHAT ? "content" : "text";
    if (!json_is(holder, JSON_KIND_OBJECT))
        return error_set(error, ERROR_FATAL, "the answer has no choices[0].message");
    answer->refusal = copy_json_string(json_get(holder, "refusal"), NULL);
    const json_value_t *text = json_get(holder, member);
    if (!text && !answer->refusal)
        return error_set(error, ERROR_FATAL, "the answer's first choice has no %s", member);
    answer->text = json_is(text, JSON_KIND_NULL) ? memory_copy_string("")
                                                 : copy_json_string(text, &answer->text_length);
    if (!answer->text)
        return error_set(error, ERROR_FATAL, "the %s of the answer's first choice is not a string",
                         member);
    return true;
}

static bool read_answer(llm_kind_t kind, const json_value_t *root, llm_answer_t *answer,
                        error_info_t *error) {
    const json_value_t *choices = json_get(root, "choices");
    const json_value_t *choice = json_is(choices, JSON_KIND_ARRAY) ? json_at(choices, 0) : NULL;
    if (!json_is(choice, JSON_KIND_OBJECT))
        return refuse_missing(root, "choices", error);
    answer->finish_reason = copy_json_string(json_get(choice, "finish_reason"), NULL);
    return read_text(kind, choice, answer, error) &&
           read_logprobs(json_get(choice, "logprobs"), answer, error);
}

bool llm_answer_parse(llm_kind_t kind, const char *body, size_t length, llm_answer_t *answer,
                      error_info_t *error) {
    *answer = (llm_answer_t){0};
    json_value_t *root = parse_body(body, length, error);
    if (!root)
        return false;
    bool done = read_answer(kind, root, answer, error);
    json_free(root);
    if (!done)
        llm_answer_clear(answer);
    return done;
}

void llm_answer_clear(llm_answer_t *answer) {
    for (size_t i = 0; i < answer->token_count; i++) {
        llm_token_t *token = &answer->tokens[i];
        for (size_t j = 0; j < token->top_count; j++)
            free(token->top[j].bytes);
        free(token->top);
        free(token->bytes);
    }
    free(answer->tokens);
    free(answer->text);
    free(answer->finish_reason);
    free(answer->refusal);
    *answer = (llm_answer_t){0};
}

/* --- embeddings ------------------------------------------------------------------------------- */

/* Index and width of row `i` of the text; the numbers are read when all rows are known to fit. */
static bool check_row(const json_value_t *row, size_t i, size_t expected, size_t *index,
                      size_t *width, error_info_t *error) {
    int64_t at = -1;
    if (!json_as_integer(json_get(row, "index"), &at))
        return error_set(error, ERROR_FATAL, "embedding %zu of the answer has no index", i);
    if (at < 0 || (uint64_t)at >= expected)
        return error_set(error, ERROR_FATAL,
                         "embedding %zu of the answer has index %lld; %zu inputs were sent", i,
                         (long long)at, expected);
    const json_value_t *numbers = json_get(row, "embedding");
    if (!json_is(numbers, JSON_KIND_ARRAY))
        return error_set(error, ERROR_FATAL,
                         "embedding %zu of the answer is not an array; the endpoint must take "
                         "encoding_format float",
                         i);
    *index = (size_t)at;
    *width = json_count(numbers);
    return *width > 0 || error_set(error, ERROR_FATAL, "embedding %zu of the answer is empty", i);
}

/* One pass over the rows without numbers, so that the matrix is no larger than what
 * the body holds. */
static bool check_rows(const json_value_t *data, size_t expected, size_t *dimensions,
                       error_info_t *error) {
    bool *seen = MEMORY_NEW_ARRAY(expected + 1, bool);
    bool done = true;
    *dimensions = 0;
    for (size_t i = 0; done && i < expected; i++) {
        size_t index = 0, width = 0;
        done = check_row(json_at(data, i), i, expected, &index, &width, error);
        if (done && seen[index])
            done = error_set(error, ERROR_FATAL, "index %zu is repeated in the answer's embeddings",
                             index);
        if (done && *dimensions != 0 && width != *dimensions)
            done = error_set(error, ERROR_FATAL,
                             "embedding %zu of the answer has %zu dimensions; others have %zu", i,
                             width, *dimensions);
        if (done) {
            seen[index] = true;
            *dimensions = width;
        }
    }
    free(seen);
    return done;
}

static bool read_row(const json_value_t *numbers, size_t dimensions, float *row) {
    for (size_t i = 0; i < dimensions; i++) {
        double number = 0;
        if (!json_as_number(json_at(numbers, i), &number) || !(fabs(number) <= (double)FLT_MAX))
            return false; /* NaN too */
        row[i] = (float)number;
    }
    return true;
}

static float *read_rows(const json_value_t *data, size_t expected, size_t dimensions,
                        error_info_t *error) {
    float *rows = MEMORY_NEW_ARRAY(expected * dimensions, float);
    for (size_t i = 0; i < expected; i++) {
        const json_value_t *entry = json_at(data, i);
        int64_t index = 0;
        json_as_integer(json_get(entry, "index"), &index);
        if (!read_row(json_get(entry, "embedding"), dimensions,
                      rows + (size_t)index * dimensions)) {
            error_set(error, ERROR_FATAL,
                      "the embedding of input %lld holds something that is not a finite number",
                      (long long)index);
            free(rows);
            return NULL;
        }
    }
    return rows;
}

float *llm_embedding_parse(const char *body, size_t length, size_t expected, size_t *dimensions,
                           error_info_t *error) {
    *dimensions = 0;
    json_value_t *root = parse_body(body, length, error);
    if (!root)
        return NULL;
    const json_value_t *data = json_get(root, "data");
    float *rows = NULL;
    if (!json_is(data, JSON_KIND_ARRAY))
        refuse_missing(root, "data", error);
    else if (json_count(data) != expected || expected == 0)
        error_set(error, ERROR_FATAL, "the answer has %zu embeddings; %zu inputs were sent",
                  json_count(data), expected);
    else if (check_rows(data, expected, dimensions, error))
        rows = read_rows(data, expected, *dimensions, error);
    if (!rows)
        *dimensions = 0;
    json_free(root);
    return rows;
}
