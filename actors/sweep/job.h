/* job.h - one unit of work: what it is about, and what went wrong with it. Plain data, with one
 * owner at a time. */
#ifndef GLIA_ACTORS_SWEEP_JOB_H
#define GLIA_ACTORS_SWEEP_JOB_H

#include "actors/sweep/sweep.h"
#include "core/llm/wire.h"
#include "store/journal.h"
#include "store/ledger.h"

typedef enum { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_HANDED_BACK } job_outcome_t;

/* What went wrong with a job, until it is written to the journal. */
typedef struct {
    bool terminal;
    char verdict[32];
    int status;
    char code[LEDGER_CODE_SIZE];
    char message[LEDGER_MESSAGE_SIZE];
    int64_t tries;
} job_trouble_t;

typedef struct job {
    hash_t id;
    /* the how-manieth job of this start, counted by the director: who waits longer goes first */
    uint64_t order;
    job_stage_t stage;
    chain_t chain;
    hash_t neuron;     /* record; zero where the job is about no neuron */
    char *label;       /* for people */
    char *explanation; /* NULL: there is none yet */
    /* what the explanation is compared with; NULL: nothing, or not yet needed */
    char *baseline;
    size_t record;           /* of a record: index into valid records, then calibration records */
    size_t text_count;       /* of texts */
    char **texts;            /* [text_count] */
    hash_t *keys;            /* [text_count] the job id of each text; keys[0] == id */
    size_t model;            /* that answers; unused where nobody is asked */
    size_t endpoint;         /* PROBE: which */
    llm_kind_t probe;        /* PROBE: of what */
    struct batch_line *line; /* BATCH: actors/sweep/batch_line.h */
    job_outcome_t outcome;
    job_trouble_t trouble; /* FAILED */
    struct job *next;      /* lists of their present owner */
} job_t;

void job_free(void *job); /* NULL is fine */
/* Fills in trouble. */
void job_fail(job_t *job, bool terminal, const char *verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
