/* reply.c - puts the mind's answers into response bodies. */
#include "tools/standin/reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "tools/standin/logprobs.h"
#include "tools/standin/tokenizer.h"

enum {
    /* tokens around each chat message, and PER_REPLY before the answer, as OpenAI counts them */
    PER_MESSAGE = 4,
    PER_REPLY = 3,
    /* an answer is a function of its request alone, so it cannot know the time */
    CREATED = 1750000000,
};

/* The part of an answer that fits into the output maximum. */
typedef struct {
    standin_token_t *tokens;
    size_t count;
    size_t length; /* bytes */
    bool cut;
} output_t;

static output_t cut_output(const standin_thought_t *thought, int64_t maximum) {
    output_t output = {0};
    size_t all;
    output.tokens = standin_tokenize(buffer_text(&thought->text), thought->text.length, &all);
    output.cut = all > (size_t)maximum;
    output.count = output.cut ? (size_t)maximum : all;
    output.length = output.cut ? output.tokens[output.count].offset : thought->text.length;
    return output;
}

static int64_t count_messages(const message_list_t *list) {
    size_t tokens = 0;
    for (size_t i = 0; i < list->count; i++)
        tokens += standin_token_count(list->messages[i].content, list->messages[i].length);
    return (int64_t)tokens;
}

static void write_head(const char *object, const char *id, const standin_ask_t *ask,
                       buffer_t *body) {
    char hash[HASH_TEXT_SIZE];
    hash_to_text(ask->hash, hash);
    buffer_append_format(
        body, "{\"object\":\"%s\",\"system_fingerprint\":\"glia-standin\",\"model\":", object);
    json_write_text(body, ask->model);
    if (id)
        buffer_append_format(body, ",\"id\":\"%s-%s\",\"created\":%d", id, hash, CREATED);
}

static void write_usage(const standin_reply_options_t *options, bool outputs, llm_usage_t *usage,
                        buffer_t *body) {
    usage->present = true;
    usage->cached_tokens = (int64_t)floor((double)usage->prompt_tokens * options->cached_share);
    if (options->no_usage)
        return;
    buffer_append_format(body, ",\"usage\":{\"prompt_tokens\":%lld",
                         (long long)usage->prompt_tokens);
    if (outputs)
        buffer_append_format(body, ",\"completion_tokens\":%lld",
                             (long long)usage->completion_tokens);
    buffer_append_format(body, ",\"total_tokens\":%lld",
                         (long long)(usage->prompt_tokens + usage->completion_tokens));
    if (outputs)
        buffer_append_format(body,
                             ",\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
                             "\"completion_tokens_details\":{\"reasoning_tokens\":0}",
                             (long long)usage->cached_tokens);
    buffer_append_char(body, '}');
}

static void write_chat(const standin_mind_t *mind, const standin_ask_t *ask,
                       const standin_reply_options_t *options, buffer_t *body, llm_usage_t *usage) {
    standin_thought_t thought = {0};
    standin_mind_answer(mind, &ask->messages, ask->temperature, hash_low64(ask->hash), &thought);
    output_t output = cut_output(&thought, ask->maximum);
    write_head("chat.completion", "chatcmpl", ask, body);
    buffer_append_text(body, options->bad_type ? ",\"choices\":{\"0\":" : ",\"choices\":[");
    buffer_append_text(body, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    json_write_string(body, buffer_text(&thought.text), output.length);
    buffer_append_text(body, ",\"refusal\":null},\"logprobs\":");
    if (ask->logprobs && !options->no_logprobs)
        standin_logprobs_chat(output.tokens, output.count, &thought, ask->top_logprobs, body);
    else
        buffer_append_text(body, "null");
    buffer_append_format(body, ",\"finish_reason\":\"%s\"}%c", output.cut ? "length" : "stop",
                         options->bad_type ? '}' : ']');
    usage->prompt_tokens =
        count_messages(&ask->messages) + (int64_t)(PER_MESSAGE * ask->messages.count) + PER_REPLY;
    usage->completion_tokens = (int64_t)output.count;
    write_usage(options, true, usage, body);
    buffer_append_text(body, "}\n");
    free(output.tokens);
    standin_thought_clear(&thought);
}

/* Joins the echoed prompt and the answer into one thought. */
static void prepend_prompt(const message_t *prompt, standin_thought_t *echo,
                           const standin_thought_t *answer, size_t answer_length) {
    buffer_append(&echo->text, prompt->content, prompt->length);
    buffer_append(&echo->text, buffer_text(&answer->text), answer_length);
    size_t count = echo->spot_count + answer->spot_count;
    if (answer->spot_count == 0)
        return;
    echo->spots = memory_resize(echo->spots, count, sizeof *echo->spots);
    for (size_t i = 0; i < answer->spot_count; i++)
        echo->spots[echo->spot_count + i] = (standin_spot_t){
            .offset = prompt->length + answer->spots[i].offset, .score = answer->spots[i].score};
    echo->spot_count = count;
}

static void write_completion(const standin_mind_t *mind, const standin_ask_t *ask,
                             const standin_reply_options_t *options, buffer_t *body,
                             llm_usage_t *usage) {
    const message_t *prompt = &ask->messages.messages[0];
    standin_thought_t answer = {0}, echo = {0};
    if (ask->maximum > 0)
        standin_mind_answer(mind, &ask->messages, ask->temperature, hash_low64(ask->hash), &answer);
    output_t output = cut_output(&answer, ask->maximum);
    standin_thought_t *shown = &answer;
    size_t shown_length = output.length, shown_count = output.count;
    standin_token_t *shown_tokens = output.tokens, *all_tokens = NULL;
    if (ask->echo) {
        if (ask->logprobs && !options->no_logprobs)
            standin_mind_echo(mind, prompt->content, prompt->length, &echo);
        prepend_prompt(prompt, &echo, &answer, output.length);
        shown = &echo;
        shown_length = echo.text.length;
        shown_tokens = all_tokens =
            standin_tokenize(buffer_text(&echo.text), shown_length, &shown_count);
    }
    write_head("text_completion", "cmpl", ask, body);
    buffer_append_text(body, options->bad_type ? ",\"choices\":{\"0\":" : ",\"choices\":[");
    buffer_append_text(body, "{\"text\":");
    json_write_string(body, buffer_text(&shown->text), shown_length);
    buffer_append_text(body, ",\"index\":0,\"logprobs\":");
    if (ask->logprobs && !options->no_logprobs)
        standin_logprobs_completion(shown_tokens, shown_count, shown, ask->top_logprobs, ask->echo,
                                    body);
    else
        buffer_append_text(body, "null");
    buffer_append_format(body, ",\"finish_reason\":\"%s\"}%c",
                         output.cut || ask->maximum == 0 ? "length" : "stop",
                         options->bad_type ? '}' : ']');
    usage->prompt_tokens = count_messages(&ask->messages);
    usage->completion_tokens = (int64_t)output.count;
    write_usage(options, true, usage, body);
    buffer_append_text(body, "}\n");
    free(all_tokens);
    free(output.tokens);
    standin_thought_clear(&echo);
    standin_thought_clear(&answer);
}

static void write_base64(const unsigned char *bytes, size_t length, buffer_t *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        unsigned long group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (i + j < length ? bytes[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            buffer_append_char(out, i + j <= length ? digits[group >> (18 - 6 * j) & 63] : '=');
    }
}

static void write_vector(const float *vector, size_t count, bool base64, buffer_t *body) {
    if (base64) {
        unsigned char *bytes = MEMORY_NEW_ARRAY(4 * count, unsigned char);
        for (size_t i = 0; i < count; i++) {
            uint32_t bits;
            memcpy(&bits, &vector[i], sizeof bits);
            for (size_t j = 0; j < 4; j++)
                bytes[4 * i + j] = (unsigned char)(bits >> (8 * j));
        }
        buffer_append_char(body, '"');
        write_base64(bytes, 4 * count, body);
        buffer_append_char(body, '"');
        free(bytes);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(body, i == 0 ? '[' : ',');
        json_write_float(body, vector[i]);
    }
    buffer_append_char(body, ']');
}

static void write_embeddings(const standin_mind_t *mind, const standin_ask_t *ask,
                             const standin_reply_options_t *options, buffer_t *body,
                             llm_usage_t *usage) {
    write_head("list", NULL, ask, body);
    buffer_append_text(body, options->bad_type ? ",\"data\":{\"0\":[" : ",\"data\":[");
    float *vector = MEMORY_NEW_ARRAY(ask->dimensions, float);
    for (size_t i = 0; i < ask->inputs.count; i++) {
        const message_t *input = &ask->inputs.messages[i];
        standin_mind_embed(mind, input->content, input->length, ask->dimensions, vector);
        buffer_append_format(
            body, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i > 0 ? "," : "", i);
        write_vector(vector, ask->dimensions, ask->base64, body);
        buffer_append_char(body, '}');
    }
    free(vector);
    buffer_append_text(body, options->bad_type ? "]}" : "]");
    usage->prompt_tokens = count_messages(&ask->inputs);
    write_usage(options, false, usage, body);
    buffer_append_text(body, "}\n");
}

void standin_reply_write(const standin_mind_t *mind, const standin_ask_t *ask,
                         const standin_reply_options_t *options, buffer_t *body,
                         llm_usage_t *usage) {
    *usage = (llm_usage_t){0};
    switch (ask->kind) {
    case ASK_CHAT: write_chat(mind, ask, options, body, usage); break;
    case ASK_COMPLETION: write_completion(mind, ask, options, body, usage); break;
    case ASK_EMBEDDING: write_embeddings(mind, ask, options, body, usage); break;
    }
}
