/* record_stage.h - what `record`, `run` and `plan` share: the subject model and its excerpts
 * opened, the recording identified, and carried out if the store lacks it.
 */
#ifndef GLIA_TOOLS_CLI_RECORD_STAGE_H
#define GLIA_TOOLS_CLI_RECORD_STAGE_H

#include "actors/recorder/recorder.h"
#include "actors/sweep/settings.h"
#include "core/base/log.h"
#include "store/env.h"
#include "store/recordings.h"

/* The model, the tokenizer and the excerpts that [subject] and [record] name. Reads all of them:
 * blocks. Errors (CONFIG) name what is wrong with model, corpus or choice. Borrows settings. */
typedef struct record_subject record_subject_t;
record_subject_t *record_subject_open(const settings_t *settings, error_info_t *error);
void record_subject_free(record_subject_t *subject); /* NULL is fine */
/* The hash of model, tokenizer, excerpts, batch shape and all that is asked for: the same one,
 * the same records. */
hash_t record_subject_identity(const record_subject_t *subject);
/* "2,000 excerpts of 64 tokens, 1,024 neurons"; borrowed. */
const char *record_subject_about(const record_subject_t *subject);
typedef struct {
    bool quiet, plain;
    unsigned workers;        /* 0: as many as the machine has processors */
    recorder_times_t *times; /* zeroed: what took how long is added; NULL: nobody asks */
} record_how_t;

/* Records unless the store (STORE_WRITE) has the records already; *recorded: it had not. Goes on
 * from a checkpoint, if there is one. Returns an exit code: 0 done, 130 interrupted (the checkpoint
 * is saved), else *error says why. Says on stderr how it ended, unless nothing was to do. */
int record_stage(store_t *store, const record_subject_t *subject, const record_how_t *how,
                 bool *recorded, error_info_t *error);

#endif
