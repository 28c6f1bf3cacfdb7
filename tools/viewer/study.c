/* study.c - who rates which neurons, in which order, under which names. */
#include "tools/viewer/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/rng.h"

static hash_t identity(const char *domain, uint64_t seed, size_t rater, size_t item, size_t place) {
    hash_builder_t *builder = hash_builder_create(domain);
    hash_builder_add_integer(builder, (int64_t)seed);
    hash_builder_add_integer(builder, (int64_t)rater);
    hash_builder_add_integer(builder, (int64_t)item);
    hash_builder_add_integer(builder, (int64_t)place);
    return hash_builder_finish(builder);
}

static void shuffle(const char *domain, uint64_t seed, size_t rater, size_t item, size_t *indices,
                    size_t count) {
    rng_t rng = rng_create(hash_low64(identity(domain, seed, rater, item, 0)));
    rng_shuffle(&rng, indices, count);
}

size_t study_shared(size_t items, double overlap) {
    return (size_t)llround((double)items * overlap);
}

size_t study_deal(uint64_t seed, size_t items, size_t raters, double overlap, size_t rater,
                  size_t *order) {
    size_t *deck = MEMORY_NEW_ARRAY(items + 1, size_t);
    for (size_t i = 0; i < items; i++)
        deck[i] = i;
    shuffle("study deck", seed, 0, 0, deck, items);
    size_t shared = study_shared(items, overlap), count = 0;
    for (size_t i = 0; i < items; i++)
        if (i < shared || (i - shared) % raters == rater)
            order[count++] = deck[i];
    shuffle("study pages", seed, rater, 0, order, count);
    free(deck);
    return count;
}

void study_order(uint64_t seed, size_t rater, size_t item, size_t count, size_t *order) {
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    shuffle("study order", seed, rater, item, order, count);
}

void study_name(uint64_t seed, size_t rater, size_t item, size_t place,
                char name[STUDY_NAME_SIZE]) {
    char text[HASH_TEXT_SIZE];
    hash_to_text(identity("study name", seed, rater, item, place), text);
    memcpy(name, text, STUDY_NAME_SIZE - 1);
    name[STUDY_NAME_SIZE - 1] = '\0';
}

size_t study_group(const char *const *texts, size_t count, size_t *groups) {
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        groups[i] = i;
        for (size_t k = 0; k < i && groups[i] == i; k++)
            if (strcmp(texts[k], texts[i]) == 0)
                groups[i] = groups[k];
        different += groups[i] == i;
    }
    return different;
}

bool study_code_is_valid(const char *code) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t length = strlen(code);
    return length >= 1 && length <= 64 && strspn(code, allowed) == length;
}
