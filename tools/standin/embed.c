/* embed.c - the hashing trick over words, letters and classes. */
#include "tools/standin/embed.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"

enum { WORDS = 4096 };

static const double weight_word = 0.6, weight_letters = 0.15, weight_member = 0.9,
                    weight_name = 1.2;
static const double function_word = 0.2; /* of what another word weighs */

typedef struct {
    double *values;
    size_t dimensions;
} sum_t;

static void add(sum_t *sum, char kind, const char *bytes, size_t length, double weight) {
    uint64_t hash = hash_low64(hash_bytes(bytes, length)) + (uint64_t)kind * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 32;
    sum->values[(hash >> 1) % sum->dimensions] += (hash & 1) != 0 ? weight : -weight;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

static void add_letters(sum_t *sum, const char *stem, double weight) {
    char framed[STEM_SIZE + 2];
    size_t length = strlen(stem);
    framed[0] = '^';
    memcpy(framed + 1, stem, length);
    framed[length + 1] = '$';
    for (size_t i = 0; i + 3 <= length + 2; i++)
        add(sum, 'l', framed + i, 3, weight);
}

static size_t read_stems(const char *text, size_t length, char (*stems)[STEM_SIZE]) {
    size_t count = 0;
    for (size_t at = 0; at < length && count < WORDS;) {
        size_t word = 0;
        while (at + word < length && is_letter(text[at + word]))
            word++;
        if (word > 0)
            standin_stem(text + at, word, stems[count++]);
        at += word + (word == 0);
    }
    return count;
}

static void add_class(sum_t *sum, size_t class_, double weight) {
    unsigned char number = (unsigned char)class_;
    add(sum, 'c', (const char *)&number, 1, weight);
}

static void add_names(sum_t *sum, const standin_lexicon_t *lexicon, const char (*stems)[STEM_SIZE],
                      size_t count, size_t at) {
    size_t after = 0;
    standin_naming_t naming;
    while ((naming = standin_lexicon_naming(lexicon, stems, count, at, &after)).stems > 0)
        add_class(sum, naming.class_, weight_name);
}

static void add_members(sum_t *sum, const standin_lexicon_t *lexicon, const char *stem,
                        double weight) {
    standin_classes_t classes = standin_lexicon_look_up(lexicon, stem, strlen(stem));
    for (size_t i = 0; i < standin_lexicon_count(lexicon); i++)
        if (standin_classes_have(classes, i))
            add_class(sum, i, weight);
}

static bool is_function_word(const standin_lexicon_t *lexicon, const char *stem) {
    static const char *const names[] = {"articles", "prepositions", "conjunctions", "auxiliaries",
                                        "demonstratives"};
    standin_classes_t classes = standin_lexicon_look_up(lexicon, stem, strlen(stem));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t class_ = standin_lexicon_find(lexicon, names[i]);
        if (class_ < LEXICON_CLASSES && standin_classes_have(classes, class_))
            return true;
    }
    return strcmp(stem, "word") == 0 || strcmp(stem, "nam") == 0;
}

static void write_unit_vector(const sum_t *sum, float *vector) {
    double square = 0;
    for (size_t i = 0; i < sum->dimensions; i++)
        square += sum->values[i] * sum->values[i];
    for (size_t i = 0; i < sum->dimensions; i++)
        vector[i] = square > 0 ? (float)(sum->values[i] / sqrt(square)) : i == 0 ? 1.0f : 0.0f;
}

void standin_embed(const standin_lexicon_t *lexicon, const char *text, size_t length,
                   size_t dimensions, float *vector) {
    sum_t sum = {MEMORY_NEW_ARRAY(dimensions, double), dimensions};
    char(*stems)[STEM_SIZE] = memory_new(WORDS, STEM_SIZE);
    size_t count = read_stems(text, length, stems);
    for (size_t i = 0; i < count; i++) {
        double weight = is_function_word(lexicon, stems[i]) ? function_word : 1;
        add(&sum, 'w', stems[i], strlen(stems[i]), weight * weight_word);
        add_letters(&sum, stems[i], weight * weight_letters);
        if (weight >= 1)
            add_members(&sum, lexicon, stems[i], weight_member);
        add_names(&sum, lexicon, (const char(*)[STEM_SIZE])stems, count, i);
    }
    if (count == 0)
        add(&sum, 't', text, length, 1);
    write_unit_vector(&sum, vector);
    free(stems);
    free(sum.values);
}
