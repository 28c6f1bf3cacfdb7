/* bench_responses.c - what the dictionary of store/frame.h is worth on chat answers of about one
 * kilobyte, and what packing costs. `make benches` builds it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/base/buffer.h"
#include "core/base/rng.h"
#include "store/frame.h"

enum { ANSWERS = 2000 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Words that the dictionary has and, mostly, words that it has not. */
static void append_sentence(buffer_t *out, rng_t *rng, size_t words) {
    static const char *const list[] = {
        "the",      "of",        "words",     "related",  "to",       "and",
        "phrases",  "river",     "harbour",   "cooking",  "verdict",  "orbit",
        "stitched", "a",         "in",        "followed", "by",       "baseball",
        "cloudy",   "procedure", "ordinals",  "before",   "markdown", "enzymes",
        "plural",   "nouns",     "railway",   "sorrow",   "currency", "headline",
        "optics",   "verses",    "genealogy", "kernel",   "pottery",  "tax",
    };
    for (size_t i = 0; i < words; i++)
        buffer_append_format(out, "%s%s", i == 0 ? "" : " ",
                             list[rng_below(rng, sizeof list / sizeof list[0])]);
}

static void append_id(buffer_t *out, rng_t *rng, size_t length) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < length; i++)
        buffer_append_char(out, letters[rng_below(rng, sizeof letters - 1)]);
}

static void make_answer(buffer_t *out, rng_t *rng) {
    uint64_t prompt = 300 + rng_below(rng, 2000), completion = 10 + rng_below(rng, 50);
    buffer_append_text(out, "{\n  \"id\": \"chatcmpl-");
    append_id(out, rng, 29);
    buffer_append_format(
        out,
        "\",\n  \"object\": \"chat.completion\",\n  \"created\": %" PRIu64
        ",\n  \"model\": \"gpt-4o-2024-08-06\",\n  \"choices\": [\n    {\n      \"index\": 0,\n"
        "      \"message\": {\n        \"role\": \"assistant\",\n        \"content\": \"",
        1700000000 + rng_below(rng, 100000000));
    append_sentence(out, rng, 20 + rng_below(rng, 30));
    buffer_append_format(out,
                         "\",\n        \"refusal\": null,\n        \"annotations\": []\n      },\n "
                         "     \"logprobs\": null,\n"
                         "      \"finish_reason\": \"stop\"\n    }\n  ],\n  \"usage\": {\n    "
                         "\"prompt_tokens\": %" PRIu64 ",\n    \"completion_tokens\": %" PRIu64
                         ",\n    \"total_tokens\": %" PRIu64
                         ",\n    \"prompt_tokens_details\": {\n      \"cached_tokens\": 0,\n      "
                         "\"audio_tokens\": 0\n    },\n"
                         "    \"completion_tokens_details\": {\n      \"reasoning_tokens\": 0,\n   "
                         "   \"audio_tokens\": 0,\n"
                         "      \"accepted_prediction_tokens\": 0,\n      "
                         "\"rejected_prediction_tokens\": 0\n    }\n  },\n"
                         "  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_",
                         prompt, completion, prompt + completion);
    append_id(out, rng, 10);
    buffer_append_text(out, "\"\n}\n");
}

static void measure(const char *name, frame_dictionary_t dictionary) {
    rng_t rng = rng_create(1);
    size_t raw = 0, packed = 0;
    double packing = 0, unpacking = 0;
    for (int i = 0; i < ANSWERS; i++) {
        buffer_t answer = BUFFER_EMPTY, frame = BUFFER_EMPTY, again = BUFFER_EMPTY;
        make_answer(&answer, &rng);
        double start = now();
        frame_pack(answer.data, answer.length, dictionary, &frame);
        double middle = now();
        if (!frame_unpack(frame.data, frame.length, dictionary, answer.length, &again))
            printf("a frame cannot be read\n");
        unpacking += now() - middle;
        packing += middle - start;
        raw += answer.length;
        packed += frame.length;
        buffer_free(&answer);
        buffer_free(&frame);
        buffer_free(&again);
    }
    printf("%-20s %5.0f bytes -> %4.0f (ratio %.1f), pack %.0f us, unpack %.0f us\n", name,
           (double)raw / ANSWERS, (double)packed / ANSWERS, (double)raw / (double)packed,
           packing / ANSWERS * 1e6, unpacking / ANSWERS * 1e6);
}

int main(void) {
    measure("without dictionary", FRAME_PLAIN);
    measure("with dictionary", FRAME_RESPONSES);
    return 0;
}
