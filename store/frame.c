/* frame.c - the only file that includes zstd.h. */
#include "store/frame.h"

#define ZSTD_STATIC_LINKING_ONLY /* dictionaries by reference */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "core/base/embedded.h"
#include "core/base/memory.h"

enum {
    LEVEL = 3,
    SMALL = 16 << 10,        /* bytes; what is smaller is packed at ... */
    LEVEL_SMALL = -1,        /* a chat answer: half the time of level 1, a tenth more bytes */
    CONTEXTS_KEPT = 1 << 20, /* bytes; those of a response of some KB take a quarter */
    /* a block gives at most 128 KiB and takes more than one byte: a larger size is a lie */
    LARGEST_RATIO = 128 << 10,
};

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "glia: bug: zstd: %s\n", what);
    abort();
}

/* --- what is used again ----------------------------------------------------------------------- */

/* Preparing the dictionary costs twice what packing an answer does, making a context half as much.
 * So the former is done once in the life of the program, and never undone; each thread keeps a
 * context of either kind until it ends. Neither changes what a frame is. */
typedef struct {
    ZSTD_CCtx *packing;
    ZSTD_DCtx *unpacking;
} contexts_t;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static ZSTD_CDict *packing_dictionary, *packing_dictionary_small;
static ZSTD_DDict *unpacking_dictionary;

static void contexts_free(void *pointer) {
    contexts_t *contexts = pointer;
    ZSTD_freeCCtx(contexts->packing);
    ZSTD_freeDCtx(contexts->unpacking);
    free(contexts);
}

static void prepare(void) {
    embedded_file_t file;
    if (!embedded_find("store/response_dictionary.txt", &file))
        give_up("the response dictionary is not in this program");
    packing_dictionary = ZSTD_createCDict_byReference(file.data, file.size, LEVEL);
    packing_dictionary_small = ZSTD_createCDict_byReference(file.data, file.size, LEVEL_SMALL);
    unpacking_dictionary = ZSTD_createDDict_byReference(file.data, file.size);
    if (!packing_dictionary || !packing_dictionary_small || !unpacking_dictionary ||
        pthread_key_create(&contexts_key, contexts_free) != 0)
        give_up("out of memory");
}

/* Of this thread. */
static contexts_t *contexts_get(void) {
    pthread_once(&once, prepare);
    contexts_t *contexts = pthread_getspecific(contexts_key);
    if (!contexts) {
        contexts = MEMORY_NEW(contexts_t);
        contexts->packing = ZSTD_createCCtx();
        contexts->unpacking = ZSTD_createDCtx();
        if (!contexts->packing || !contexts->unpacking ||
            pthread_setspecific(contexts_key, contexts) != 0)
            give_up("out of memory");
    }
    return contexts;
}

/* A context grows with what goes through it; one that has seen a large body is not kept. */
static void contexts_trim(const contexts_t *contexts) {
    size_t size = ZSTD_sizeof_CCtx(contexts->packing) + ZSTD_sizeof_DCtx(contexts->unpacking);
    if (size > CONTEXTS_KEPT) {
        pthread_setspecific(contexts_key, NULL);
        contexts_free((void *)(uintptr_t)contexts);
    }
}

/* --- frames ----------------------------------------------------------------------------------- */

void frame_pack(const void *bytes, size_t size, frame_dictionary_t dictionary, buffer_t *out) {
    size_t bound = ZSTD_compressBound(size);
    void *frame = memory_resize(NULL, bound, 1);
    bool small = size <= SMALL;
    contexts_t *contexts = contexts_get();
    ZSTD_CCtx *context = contexts->packing;
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, small ? LEVEL_SMALL : LEVEL);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (dictionary == FRAME_RESPONSES)
        ZSTD_CCtx_refCDict(context, small ? packing_dictionary_small : packing_dictionary);
    size_t used = ZSTD_compress2(context, frame, bound, bytes, size);
    if (ZSTD_isError(used))
        give_up(ZSTD_getErrorName(used));
    contexts_trim(contexts);
    if (!buffer_append(out, frame, used))
        give_up("a frame does not fit its buffer");
    free(frame);
}

bool frame_content_size(const void *frame, size_t size, size_t *content) {
    unsigned long long stated =
        !frame ? ZSTD_CONTENTSIZE_ERROR : ZSTD_getFrameContentSize(frame, size);
    bool known =
        stated != ZSTD_CONTENTSIZE_ERROR && stated != ZSTD_CONTENTSIZE_UNKNOWN && stated < SIZE_MAX;
    *content = known ? (size_t)stated : 0;
    return known;
}

bool frame_unpack(const void *frame, size_t size, frame_dictionary_t dictionary, size_t maximum,
                  buffer_t *out) {
    size_t content;
    if (!frame_content_size(frame, size, &content) || content > maximum ||
        content / LARGEST_RATIO > size)
        return false;
    contexts_t *contexts = contexts_get();
    ZSTD_DCtx_reset(contexts->unpacking, ZSTD_reset_session_and_parameters);
    if (dictionary == FRAME_RESPONSES)
        ZSTD_DCtx_refDDict(contexts->unpacking, unpacking_dictionary);
    void *bytes = memory_resize(NULL, content + 1, 1);
    size_t used = ZSTD_decompressDCtx(contexts->unpacking, bytes, content, frame, size);
    contexts_trim(contexts);
    bool good = !ZSTD_isError(used) && used == content && buffer_append(out, bytes, used);
    free(bytes);
    return good;
}
