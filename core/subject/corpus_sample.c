/* corpus_sample.c - bottom-k sampling: the windows whose hashes are the smallest, kept in a heap
 * with the largest on top. */
#include "core/subject/corpus_sample.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

typedef struct {
    uint64_t rank; /* what is kept is what has the lowest; ties by window */
    uint64_t window;
    size_t slot; /* where its tokens are */
} kept_t;

struct corpus_sample {
    size_t length;
    uint64_t count;
    bool in_order;
    uint64_t seed;
    uint32_t *pending; /* [length]: the window that is not yet whole */
    size_t pending_count;
    uint64_t tokens_seen, windows_seen;
    kept_t *kept; /* [kept_count], a heap */
    size_t kept_count, capacity;
    uint32_t *tokens; /* [capacity][length] */
};

corpus_sample_t *corpus_sample_create(const corpus_options_t *options) {
    corpus_sample_t *sample = MEMORY_NEW(corpus_sample_t);
    sample->length = options->length;
    sample->count = options->count;
    sample->in_order = options->in_order;
    sample->seed = options->seed;
    sample->pending = MEMORY_NEW_ARRAY(options->length, uint32_t);
    return sample;
}

void corpus_sample_free(corpus_sample_t *sample) {
    if (!sample)
        return;
    free(sample->pending);
    free(sample->kept);
    free(sample->tokens);
    free(sample);
}

/* The same on every machine: the bytes that are hashed are little-endian. */
static uint64_t rank_of(const corpus_sample_t *sample, uint64_t window) {
    if (sample->in_order)
        return 0;
    uint8_t bytes[16];
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(sample->seed >> (8 * i));
        bytes[8 + i] = (uint8_t)(window >> (8 * i));
    }
    return hash_low64(hash_bytes(bytes, sizeof bytes));
}

static bool is_before(const kept_t *a, const kept_t *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->window < b->window;
}

static void sift_up(kept_t *heap, size_t at) {
    kept_t moved = heap[at];
    for (; at > 0 && is_before(&heap[(at - 1) / 2], &moved); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moved;
}

static void sift_down(kept_t *heap, size_t count) {
    kept_t moved = heap[0];
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && is_before(&heap[child], &heap[child + 1]);
        if (!is_before(&moved, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void put(corpus_sample_t *sample, size_t slot, const uint32_t *window) {
    memcpy(sample->tokens + slot * sample->length, window, sample->length * sizeof *window);
}

static void take_window(corpus_sample_t *sample, const uint32_t *window) {
    kept_t kept = {.rank = rank_of(sample, sample->windows_seen),
                   .window = sample->windows_seen,
                   .slot = sample->kept_count};
    sample->windows_seen++;
    if (sample->kept_count < sample->count) {
        if (sample->kept_count == sample->capacity) {
            sample->capacity = sample->capacity ? 2 * sample->capacity : 64;
            sample->kept = memory_resize(sample->kept, sample->capacity, sizeof *sample->kept);
            sample->tokens = memory_resize(sample->tokens, sample->capacity,
                                           sample->length * sizeof *sample->tokens);
        }
        put(sample, kept.slot, window);
        sample->kept[sample->kept_count++] = kept;
        sift_up(sample->kept, sample->kept_count - 1);
    } else if (is_before(&kept, &sample->kept[0])) {
        kept.slot = sample->kept[0].slot;
        put(sample, kept.slot, window);
        sample->kept[0] = kept;
        sift_down(sample->kept, sample->kept_count);
    }
}

void corpus_sample_add(corpus_sample_t *sample, const uint32_t *tokens, size_t count) {
    sample->tokens_seen += count;
    while (count > 0) {
        size_t room = sample->length - sample->pending_count;
        size_t step = count < room ? count : room;
        memcpy(sample->pending + sample->pending_count, tokens, step * sizeof *tokens);
        sample->pending_count += step;
        tokens += step;
        count -= step;
        if (sample->pending_count == sample->length) {
            sample->pending_count = 0;
            take_window(sample, sample->pending);
        }
    }
}

bool corpus_sample_is_done(const corpus_sample_t *sample) {
    return sample->in_order && sample->kept_count == sample->count;
}

uint64_t corpus_sample_tokens(const corpus_sample_t *sample) {
    return sample->tokens_seen;
}

uint64_t corpus_sample_windows(const corpus_sample_t *sample) {
    return sample->windows_seen;
}

static int compare_windows(const void *a, const void *b) {
    uint64_t left = ((const kept_t *)a)->window, right = ((const kept_t *)b)->window;
    return (left > right) - (left < right);
}

/* The same on every machine, too. */
static hash_t identify(const excerpts_t *excerpts) {
    hash_builder_t *builder = hash_builder_create("excerpts");
    hash_builder_add_integer(builder, (int64_t)excerpts->count);
    hash_builder_add_integer(builder, (int64_t)excerpts->length);
    uint8_t *bytes = MEMORY_NEW_ARRAY(excerpts->length * 4 + 1, uint8_t);
    for (size_t i = 0; i < excerpts->count; i++) {
        for (size_t k = 0; k < excerpts->length; k++)
            for (unsigned byte = 0; byte < 4; byte++)
                bytes[4 * k + byte] =
                    (uint8_t)(excerpts->tokens[i * excerpts->length + k] >> (8 * byte));
        hash_builder_add_hash(builder, hash_bytes(bytes, excerpts->length * 4));
    }
    free(bytes);
    return hash_builder_finish(builder);
}

void corpus_sample_finish(corpus_sample_t *sample, excerpts_t *excerpts) {
    size_t count = sample->kept_count, length = sample->length;
    if (count > 0)
        qsort(sample->kept, count, sizeof *sample->kept, compare_windows);
    *excerpts = (excerpts_t){.count = count, .length = length};
    excerpts->tokens = MEMORY_NEW_ARRAY(count * length + 1, uint32_t);
    excerpts->windows = MEMORY_NEW_ARRAY(count + 1, uint64_t);
    for (size_t i = 0; i < count; i++) {
        memcpy(excerpts->tokens + i * length, sample->tokens + sample->kept[i].slot * length,
               length * sizeof *excerpts->tokens);
        excerpts->windows[i] = sample->kept[i].window;
    }
    excerpts->corpus_tokens = sample->tokens_seen;
    excerpts->corpus_windows = sample->windows_seen;
    excerpts->identity = identify(excerpts);
}
