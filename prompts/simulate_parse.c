/* simulate_parse.c - reads the activations that a simulator's answer predicts. (Prompts:
 * simulate_prompt.c.) */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "prompts/align.h"
#include "prompts/layout.h"
#include "prompts/simulate.h"

/* --- one place -------------------------------------------------------------------------------- */

/* A value as the model may write it in the place of a token that covers `prefix` and then the
 * value: the prefix, "0".."10", and then nothing or a newline. -1: something else. " 10" is not a
 * value, as in the published code. */
static int read_value(const char *bytes, size_t length, const char *prefix, size_t prefix_length) {
    if (length <= prefix_length || memcmp(bytes, prefix, prefix_length) != 0)
        return -1;
    const char *digits = bytes + prefix_length;
    size_t size = length - prefix_length;
    const char *end = memchr(digits, '\n', size);
    size = end ? (size_t)(end - digits) : size;
    if (size == 1 && digits[0] >= '0' && digits[0] <= '9')
        return digits[0] - '0';
    return size == 2 && digits[0] == '1' && digits[1] == '0' ? LAYOUT_MAX_VALUE : -1;
}

typedef struct {
    int value;
    double logprob;
} candidate_t;

/* The mean of the candidates' values under their probabilities, scaled to sum 1; false if there are
 * none. Servers write -9999 for an impossible token. */
static bool mean_value(const candidate_t *candidates, size_t count, double *expected) {
    static const double IMPOSSIBLE = -9999;
    double best = IMPOSSIBLE, total = 0, sum = 0;
    for (size_t i = 0; i < count; i++)
        best = fmax(best, candidates[i].logprob);
    if (!(best > IMPOSSIBLE))
        return false;
    for (size_t i = 0; i < count; i++) {
        double weight = exp(candidates[i].logprob - best);
        total += weight;
        sum += weight * candidates[i].value;
    }
    *expected = sum / total;
    return true;
}

/* The prediction at a token that covers `prefix` and then a value. `written` is the value that it
 * stands for itself, -1 if it stands for none ("unknown"). False: no value has a probability. */
static bool predict(const llm_token_t *token, const char *prefix, size_t prefix_length, int written,
                    double *expected) {
    candidate_t *candidates = MEMORY_NEW_ARRAY(token->top_count + 1, candidate_t);
    size_t count = 0;
    bool listed = false;
    for (size_t i = 0; i < token->top_count; i++) {
        const struct llm_alternative *top = &token->top[i];
        bool same =
            top->length == token->length && memcmp(top->bytes, token->bytes, token->length) == 0;
        listed = listed || same;
        int value = same && written >= 0
                        ? written
                        : read_value(top->bytes, top->length, prefix, prefix_length);
        if (value >= 0)
            candidates[count++] = (candidate_t){.value = value, .logprob = top->logprob};
    }
    if (written >= 0 && !listed && token->has_logprob)
        candidates[count++] = (candidate_t){.value = written, .logprob = token->logprob};
    bool found = mean_value(candidates, count, expected);
    free(candidates);
    return found;
}

/* The number of the token that covers byte `at`, from token `from` on; token_count: none. */
static size_t find_token(const llm_answer_t *answer, const size_t *starts, size_t from, size_t at) {
    while (from < answer->token_count && starts[from + 1] <= at)
        from++;
    return from < answer->token_count && starts[from] <= at ? from : answer->token_count;
}

/* --- echo ------------------------------------------------------------------------------------- */

/* The record as the prompt has it, up to its last "unknown"; places[i]: where that of
 * tokens[i] begins. */
static void build_record(const token_t *tokens, size_t count, buffer_t *record, size_t *places) {
    buffer_append_text(record, "<start>");
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(record, '\n');
        layout_append_token(record, &tokens[i], LAYOUT_RAW);
        buffer_append_char(record, '\t');
        places[i] = record->length;
        buffer_append_text(record, "unknown");
    }
}

/* Where `part` last stands in the text; SIZE_MAX: nowhere. */
static size_t find_last(const llm_answer_t *answer, const buffer_t *part) {
    if (part->length > answer->text_length)
        return SIZE_MAX;
    for (size_t at = answer->text_length - part->length + 1; at-- > 0;)
        if (memcmp(answer->text + at, part->data, part->length) == 0)
            return at;
    return SIZE_MAX;
}

static bool read_echo(const llm_answer_t *answer, const size_t *starts, const size_t *places,
                      size_t count, double *expected, size_t *unseen, error_info_t *error) {
    size_t index = 0;
    *unseen = 0;
    for (size_t i = 0; i < count; i++) {
        index = find_token(answer, starts, index, places[i]);
        if (index == answer->token_count)
            return error_set(error, ERROR_FATAL, "no logprobs for token %zu of the record's %zu",
                             i + 1, count);
        const llm_token_t *token = &answer->tokens[index];
        if (token->top_count == 0)
            return error_set(error, ERROR_FATAL,
                             "no top_logprobs for token %zu of the record's %zu; the endpoint must "
                             "give logprobs of the prompt (echo)",
                             i + 1, count);
        expected[i] = 0;
        *unseen += !predict(token, answer->text + starts[index], places[i] - starts[index], -1,
                            &expected[i]);
    }
    if (*unseen == count)
        return error_set(error, ERROR_FATAL,
                         "none of the record's %zu tokens has a probability for 0 to 10 in its "
                         "place; the simulator does not follow the prompt, or its tokenizer joins "
                         "values with what stands before them",
                         count);
    return true;
}

/* Sets places[i] to the byte of the text at which the "unknown" of tokens[i] begins. */
static bool find_places(const llm_answer_t *answer, const token_t *tokens, size_t count,
                        size_t *places, error_info_t *error) {
    buffer_t record = BUFFER_EMPTY;
    build_record(tokens, count, &record, places);
    size_t at = find_last(answer, &record);
    buffer_free(&record);
    if (at == SIZE_MAX)
        return error_set(error, ERROR_FATAL,
                         "the answer's text does not have the record; the echo mode needs an "
                         "endpoint that echoes the prompt");
    for (size_t i = 0; i < count; i++)
        places[i] += at;
    return true;
}

bool simulate_echo_parse(const llm_answer_t *answer, const token_t *tokens, size_t count,
                         double *expected, size_t *unseen, error_info_t *error) {
    size_t unused;
    if (answer->token_count == 0)
        return error_set(
            error, ERROR_FATAL,
            "the answer has no logprobs; the echo mode needs an endpoint that gives them");
    size_t *places = MEMORY_NEW_ARRAY(count, size_t);
    size_t *starts = MEMORY_NEW_ARRAY(answer->token_count + 1, size_t);
    bool done =
        find_places(answer, tokens, count, places, error) && align_tokens(answer, starts, error) &&
        read_echo(answer, starts, places, count, expected, unseen ? unseen : &unused, error);
    free(starts);
    free(places);
    return done;
}

bool simulate_token_parse(const llm_answer_t *answer, double *expected, size_t *unseen,
                          error_info_t *error) {
    if (answer->token_count == 0 || answer->tokens[0].top_count == 0)
        return error_set(
            error, ERROR_FATAL,
            "the answer has no logprobs; the per_token mode needs an endpoint that gives them");
    *expected = 0;
    bool seen = predict(&answer->tokens[0], "", 0, -1, expected);
    if (unseen)
        *unseen = !seen;
    return true;
}

/* --- repeat ----------------------------------------------------------------------------------- */

/* A line without its newline, and without white space at its end. */
typedef struct {
    const char *bytes;
    size_t length; /* without white space at the end */
    size_t next;   /* where the next line begins; past the text: there is none */
} line_t;

static line_t read_line(const llm_answer_t *answer, size_t at) {
    const char *bytes = answer->text + at;
    const char *end = memchr(bytes, '\n', answer->text_length - at);
    size_t length = end ? (size_t)(end - bytes) : answer->text_length - at;
    line_t line = {.bytes = bytes, .next = at + length + 1};
    while (length > 0 &&
           (bytes[length - 1] == ' ' || bytes[length - 1] == '\t' || bytes[length - 1] == '\r'))
        length--;
    line.length = length;
    return line;
}

static bool is_marker(const line_t *line, const char *marker) {
    size_t skipped = 0;
    while (skipped < line->length && line->bytes[skipped] == ' ')
        skipped++;
    size_t length = line->length - skipped;
    return length == strlen(marker) && memcmp(line->bytes + skipped, marker, length) == 0;
}

typedef struct {
    int value;
    size_t place; /* byte of the text at which the value is written */
} reply_t;

/* Reads tokens and "<end>" from byte `at`; returns how many tokens were right, count + 1 if
 * "<end>" was too. */
static size_t read_replies(const llm_answer_t *answer, size_t at, const token_t *tokens,
                           size_t count, reply_t *replies) {
    buffer_t shown = BUFFER_EMPTY;
    size_t done = 0;
    for (; done <= count && at < answer->text_length; done++) {
        line_t line = read_line(answer, at);
        if (done == count) {
            done += is_marker(&line, "<end>");
            break;
        }
        buffer_clear(&shown);
        layout_append_token(&shown, &tokens[done], LAYOUT_VISIBLE);
        buffer_append_char(&shown, '\t');
        int value = read_value(line.bytes, line.length, buffer_text(&shown), shown.length);
        if (value < 0)
            break;
        replies[done] = (reply_t){.value = value, .place = at + shown.length};
        at = line.next;
    }
    buffer_free(&shown);
    return done;
}

static bool refuse_reply(const llm_answer_t *answer, bool started, size_t right,
                         const token_t *tokens, size_t count, error_info_t *error) {
    const char *reason = answer->finish_reason ? answer->finish_reason : "not given";
    if (!started)
        return error_set(error, ERROR_FATAL, "the reply has no line <start> (finish_reason %s)",
                         reason);
    if (right == count)
        return error_set(error, ERROR_FATAL,
                         "the reply has no line <end> behind its %zu tokens (finish_reason %s)",
                         count, reason);
    buffer_t shown = BUFFER_EMPTY;
    layout_append_token(&shown, &tokens[right], LAYOUT_VISIBLE);
    error_set(error, ERROR_FATAL,
              "the reply does not repeat the record: token %zu of %zu, \"%s\", a tab and an "
              "integer from 0 to 10 are not where they should be (finish_reason %s)",
              right + 1, count, buffer_text(&shown), reason);
    buffer_free(&shown);
    return false;
}

static bool find_replies(const llm_answer_t *answer, const token_t *tokens, size_t count,
                         reply_t *replies, error_info_t *error) {
    bool started = false;
    size_t best = 0;
    for (size_t at = 0; at < answer->text_length;) {
        line_t line = read_line(answer, at);
        at = line.next;
        if (!is_marker(&line, "<start>"))
            continue;
        size_t right = read_replies(answer, at, tokens, count, replies);
        if (right > count)
            return true;
        best = right > best ? right : best;
        started = true;
    }
    return refuse_reply(answer, started, best, tokens, count, error);
}

static bool read_reply_logprobs(const llm_answer_t *answer, const reply_t *replies, size_t count,
                                double *expected, error_info_t *error) {
    size_t *starts = MEMORY_NEW_ARRAY(answer->token_count + 1, size_t);
    bool done = align_tokens(answer, starts, error);
    for (size_t i = 0, index = 0; done && i < count; i++) {
        index = find_token(answer, starts, index, replies[i].place);
        if (index == answer->token_count)
            done = error_set(error, ERROR_FATAL, "no logprobs for token %zu of the record's %zu",
                             i + 1, count);
        else if (answer->tokens[index].top_count > 0)
            predict(&answer->tokens[index], answer->text + starts[index],
                    replies[i].place - starts[index], replies[i].value, &expected[i]);
    }
    free(starts);
    return done;
}

bool simulate_repeat_parse(const llm_answer_t *answer, const token_t *tokens, size_t count,
                           double *expected, error_info_t *error) {
    if (answer->refusal)
        return error_set(error, ERROR_FATAL, "the simulator refused: %s", answer->refusal);
    reply_t *replies = MEMORY_NEW_ARRAY(count, reply_t);
    bool done = find_replies(answer, tokens, count, replies, error);
    for (size_t i = 0; done && i < count; i++)
        expected[i] = replies[i].value;
    if (done && answer->token_count > 0)
        done = read_reply_logprobs(answer, replies, count, expected, error);
    free(replies);
    return done;
}
