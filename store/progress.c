/* progress.c - what a live run says of itself, written and read. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_GETLK */
#endif
#include "store/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "core/base/text.h"

enum { VERSION = 1, FIXED_ITEMS = 3 + 8, STAGE_ITEMS = 4 };

static bool read_stages(pack_reader_t *reader, progress_record_t *progress) {
    for (size_t i = 0; i < progress->stage_count; i++) {
        if (pack_read_array(reader) != STAGE_ITEMS)
            return false;
        struct progress_stage *stage = &progress->stages[i];
        stage->name = pack_read_text(reader);
        stage->done = pack_read_integer(reader);
        stage->total = pack_read_integer(reader);
        stage->failed = pack_read_integer(reader);
        if (!stage->name)
            return false;
    }
    return true;
}

/* A limit may be nil, which a reader of numbers does not take: `limited` says what to expect. */
static bool decode(const void *bytes, size_t size, bool limited, progress_record_t *progress) {
    *progress = (progress_record_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    size_t items = pack_read_array(reader);
    bool good = pack_read_integer(reader) == VERSION;
    progress->utc = pack_read_integer(reader);
    int64_t stages = pack_read_integer(reader);
    good = good && stages >= 0 && stages <= PROGRESS_MAX_STAGES &&
           items == FIXED_ITEMS + (size_t)stages;
    progress->stage_count = good ? (size_t)stages : 0;
    good = good && read_stages(reader, progress);
    progress->requests_per_second = pack_read_number(reader);
    progress->tokens_per_minute = pack_read_number(reader);
    progress->token_limit = limited ? pack_read_number(reader) : NAN;
    if (!limited)
        free(pack_read_text(reader));
    progress->settled.pico = pack_read_integer(reader);
    progress->doubts.pico = pack_read_integer(reader);
    progress->reserved.pico = pack_read_integer(reader);
    progress->cap.pico = pack_read_integer(reader);
    progress->eta = pack_read_number(reader);
    if (!(progress->eta >= 0))
        progress->eta = NAN;
    if (pack_reader_close(reader) && good)
        return true;
    progress_clear(progress);
    return false;
}

bool progress_decode(const void *bytes, size_t size, progress_record_t *progress) {
    return decode(bytes, size, true, progress) || decode(bytes, size, false, progress);
}

void progress_add_stage(progress_record_t *progress, const char *name, int64_t done, int64_t total,
                        int64_t failed) {
    if (progress->stage_count < PROGRESS_MAX_STAGES)
        progress->stages[progress->stage_count++] = (struct progress_stage){
            .name = memory_copy_string(name), .done = done, .total = total, .failed = failed};
}

void progress_encode(const progress_record_t *progress, buffer_t *out) {
    pack_array(out, FIXED_ITEMS + progress->stage_count);
    pack_integer(out, VERSION);
    pack_integer(out, progress->utc);
    pack_integer(out, (int64_t)progress->stage_count);
    for (size_t i = 0; i < progress->stage_count; i++) {
        const struct progress_stage *stage = &progress->stages[i];
        pack_array(out, STAGE_ITEMS);
        pack_text(out, stage->name);
        pack_integer(out, stage->done);
        pack_integer(out, stage->total);
        pack_integer(out, stage->failed);
    }
    pack_number(out, progress->requests_per_second);
    pack_number(out, progress->tokens_per_minute);
    if (isnan(progress->token_limit))
        pack_text(out, NULL);
    else
        pack_number(out, progress->token_limit);
    pack_integer(out, progress->settled.pico);
    pack_integer(out, progress->doubts.pico);
    pack_integer(out, progress->reserved.pico);
    pack_integer(out, progress->cap.pico);
    pack_number(out, isnan(progress->eta) ? -1 : progress->eta);
}

char *progress_key(uint32_t run) {
    return memory_format("progress:%u", run);
}

bool progress_read(store_txn_t *txn, uint32_t run, progress_record_t *progress) {
    char *key = progress_key(run);
    store_bytes_t value;
    bool found = store_get(txn, TABLE_META, key, strlen(key), &value);
    free(key);
    *progress = (progress_record_t){0};
    return found && progress_decode(value.data, value.size, progress);
}

void progress_clear(progress_record_t *progress) {
    for (size_t i = 0; i < progress->stage_count; i++)
        free(progress->stages[i].name);
    *progress = (progress_record_t){0};
}

bool progress_writer_lives(const char *directory, char holder[PROGRESS_HOLDER_SIZE]) {
    holder[0] = '\0';
    char *path = memory_format("%s/holder", directory);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (file < 0)
        return false;
    /* Asks for a share: those that only read may have one, too. */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool lives = fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    ssize_t length = lives ? pread(file, holder, PROGRESS_HOLDER_SIZE - 1, 0) : 0;
    holder[length > 0 ? length : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    close(file);
    return lives;
}

/* The writer may be another run, or an import. */
static bool is_holder(const char *holder, const run_info_t *run) {
    char *text = memory_format(": run %s", run->name);
    bool is = text_ends_with(holder, text);
    free(text);
    return is;
}

const char *progress_state_name(const char *directory, const run_info_t *run,
                                char holder[PROGRESS_HOLDER_SIZE]) {
    if (!progress_writer_lives(directory, holder) || !is_holder(holder, run))
        holder[0] = '\0';
    return run->state == RUN_RUNNING && !*holder ? "crashed" : run_state_name(run->state);
}
