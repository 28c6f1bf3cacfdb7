/* logprobs.c - log-probabilities of tokens, believed at spots, made up elsewhere. */
#include "tools/standin/logprobs.h"

#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/json.h"

enum { MOST = 21 };

/* of the word "unknown", and of anything else that is no value */
static const double OTHER_PROBABILITY = 1e-4;

static const char *const common_tokens[MOST] = {
    " the", ",",   ".",    " and", " of", " to",   " a",  " in", "\n",  " is", " that",
    " for", " it", " was", " on",  " as", " with", " he", " by", " at", " not"};
static const char *const value_tokens[STANDIN_VALUES] = {"0", "1", "2", "3", "4", "5",
                                                         "6", "7", "8", "9", "10"};

/* Log-probabilities are whole millionths: quick to write (a reply holds tens of thousands), and the
 * same everywhere. */
typedef struct {
    const char *bytes;
    size_t length;
    int64_t logprob;
} alternative_t;

/* The alternatives at one place, most probable first, the token itself at `own` (count if it is
 * not among them). */
typedef struct {
    alternative_t items[MOST + 1];
    size_t count;
    size_t own;
    int64_t own_logprob;
} place_t;

static int64_t millionths(double logprob) {
    return llround(logprob * 1e6);
}

/* Logprobs are never positive. */
static void write_logprob(int64_t logprob, buffer_t *out) {
    char text[32], *at = text + sizeof text;
    int64_t left = logprob < 0 ? -logprob : 0;
    for (int digit = 0; digit < 6; digit++, left /= 10)
        *--at = (char)('0' + left % 10);
    *--at = '.';
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (logprob < 0)
        *--at = '-';
    buffer_append(out, at, (size_t)(text + sizeof text - at));
}

static bool same(const standin_token_t *token, const alternative_t *alternative) {
    return token->length == alternative->length &&
           memcmp(token->bytes, alternative->bytes, token->length) == 0;
}

static void find_own(place_t *place, const standin_token_t *token) {
    place->own = 0;
    while (place->own < place->count && !same(token, &place->items[place->own]))
        place->own++;
}

static place_t place_of_value(const standin_token_t *token, double score, size_t top) {
    double probabilities[STANDIN_VALUES];
    bool taken[STANDIN_VALUES] = {false};
    place_t place = {.own_logprob = millionths(log(OTHER_PROBABILITY))};
    standin_belief(score, probabilities);
    for (size_t rank = 0; rank < STANDIN_VALUES; rank++) {
        size_t best = 0;
        for (size_t value = 0; value < STANDIN_VALUES; value++)
            if (!taken[value] && (taken[best] || probabilities[value] > probabilities[best]))
                best = value;
        taken[best] = true;
        double probability = fmax(probabilities[best] * (1 - 2 * OTHER_PROBABILITY), 1e-12);
        alternative_t item = {.bytes = value_tokens[best],
                              .length = strlen(value_tokens[best]),
                              .logprob = millionths(log(probability))};
        if (same(token, &item))
            place.own_logprob = item.logprob;
        if (rank < top)
            place.items[place.count++] = item;
    }
    if (place.count < top && token->length == 7 && memcmp(token->bytes, "unknown", 7) == 0)
        place.items[place.count++] = (alternative_t){
            .bytes = token->bytes, .length = token->length, .logprob = place.own_logprob};
    find_own(&place, token);
    return place;
}

static place_t place_of_word(const standin_token_t *token, size_t top) {
    uint64_t noise =
        hash_low64(hash_bytes(token->bytes, token->length)) ^ (token->offset * 0x9E3779B97F4A7C15u);
    double surprise = (double)(noise >> 40) / (double)(1 << 24);
    place_t place = {.own_logprob = millionths(-0.01 - 1.2 * surprise * surprise)};
    if (top > 0)
        place.items[place.count++] = (alternative_t){
            .bytes = token->bytes, .length = token->length, .logprob = place.own_logprob};
    size_t start = (size_t)(noise % MOST);
    int64_t logprob = place.own_logprob - 1500000 - millionths(surprise);
    for (size_t i = 0; place.count < top && i < MOST; i++, logprob -= 450000) {
        const char *common = common_tokens[(start + i) % MOST];
        alternative_t item = {.bytes = common, .length = strlen(common), .logprob = logprob};
        if (!same(token, &item))
            place.items[place.count++] = item;
    }
    find_own(&place, token);
    return place;
}

/* `next` walks over the spots as the tokens go by. */
static place_t place_of(const standin_token_t *token, const standin_thought_t *thought,
                        size_t *next, size_t top) {
    while (*next < thought->spot_count && thought->spots[*next].offset < token->offset)
        ++*next;
    if (*next < thought->spot_count && thought->spots[*next].offset == token->offset)
        return place_of_value(token, thought->spots[*next].score, top);
    return place_of_word(token, top);
}

static void write_chat_item(const char *bytes, size_t length, int64_t logprob, buffer_t *out) {
    buffer_append_text(out, "{\"token\":");
    json_write_string(out, bytes, length);
    buffer_append_text(out, ",\"logprob\":");
    write_logprob(logprob, out);
    for (size_t i = 0; i < length; i++)
        buffer_append_format(out, "%s%d", i == 0 ? ",\"bytes\":[" : ",", (unsigned char)bytes[i]);
    buffer_append_char(out, ']');
}

void standin_logprobs_chat(const standin_token_t *tokens, size_t count,
                           const standin_thought_t *thought, size_t top, buffer_t *out) {
    buffer_append_text(out, "{\"content\":[");
    for (size_t i = 0, next = 0; i < count; i++) {
        place_t place = place_of(&tokens[i], thought, &next, top);
        if (i > 0)
            buffer_append_char(out, ',');
        write_chat_item(tokens[i].bytes, tokens[i].length, place.own_logprob, out);
        buffer_append_text(out, ",\"top_logprobs\":[");
        for (size_t j = 0; j < place.count; j++) {
            if (j > 0)
                buffer_append_char(out, ',');
            write_chat_item(place.items[j].bytes, place.items[j].length, place.items[j].logprob,
                            out);
            buffer_append_char(out, '}');
        }
        buffer_append_text(out, "]}");
    }
    buffer_append_text(out, "],\"refusal\":null}");
}

static void write_member(const alternative_t *item, buffer_t *out) {
    json_write_string(out, item->bytes, item->length);
    buffer_append_char(out, ':');
    write_logprob(item->logprob, out);
}

static void write_place(const place_t *place, const standin_token_t *token, buffer_t *out) {
    buffer_append_char(out, '{');
    for (size_t j = 0; j < place->count; j++) {
        if (j > 0)
            buffer_append_char(out, ',');
        write_member(&place->items[j], out);
    }
    if (place->own == place->count) {
        alternative_t own = {
            .bytes = token->bytes, .length = token->length, .logprob = place->own_logprob};
        if (place->count > 0)
            buffer_append_char(out, ',');
        write_member(&own, out);
    }
    buffer_append_char(out, '}');
}

void standin_logprobs_completion(const standin_token_t *tokens, size_t count,
                                 const standin_thought_t *thought, size_t top, bool echoed,
                                 buffer_t *out) {
    buffer_t logprobs = BUFFER_EMPTY, tops = BUFFER_EMPTY, offsets = BUFFER_EMPTY;
    buffer_append_text(out, "{\"tokens\":[");
    for (size_t i = 0, next = 0; i < count; i++) {
        place_t place = place_of(&tokens[i], thought, &next, top);
        if (i > 0) {
            buffer_append_char(out, ',');
            buffer_append_char(&logprobs, ',');
            buffer_append_char(&tops, ',');
            buffer_append_char(&offsets, ',');
        }
        json_write_string(out, tokens[i].bytes, tokens[i].length);
        json_write_integer(&offsets, (int64_t)tokens[i].character_offset);
        if (echoed && i == 0) {
            buffer_append_text(&logprobs, "null");
            buffer_append_text(&tops, "null");
            continue;
        }
        write_logprob(place.own_logprob, &logprobs);
        write_place(&place, &tokens[i], &tops);
    }
    buffer_append_text(out, "],\"token_logprobs\":[");
    buffer_append(out, logprobs.data, logprobs.length);
    buffer_append_text(out, "],\"top_logprobs\":[");
    buffer_append(out, tops.data, tops.length);
    buffer_append_text(out, "],\"text_offset\":[");
    buffer_append(out, offsets.data, offsets.length);
    buffer_append_text(out, "]}");
    buffer_free(&logprobs);
    buffer_free(&tops);
    buffer_free(&offsets);
}
