/* stage.h - a stage is a row: all that planner, estimate, report, exports and viewer know
 * of one kind of job.
 *
 * A row names its stage, says what its jobs belong to and who answers them, how their ids are made,
 * what must be there before, how a job becomes a request or a result (build), how an answer becomes
 * a result (derive), how a stored result is read (decode) and what it measures. chain_look.h says
 * of every job of a chain what became of it, from such rows alone.
 *
 * A new scorer is a file stage_NAME.c with build, derive (or none) and decode, its row, how it is
 * told of, and a line in stages.c.
 *
 * build and derive are pure functions of the job, the sweep and what the store holds; they run on
 * workers, with a read transaction of their own.
 */
#ifndef GLIA_ACTORS_SWEEP_STAGE_H
#define GLIA_ACTORS_SWEEP_STAGE_H

#include "actors/sweep/job.h"
#include "actors/sweep/request.h"

/* Numbers of the stages in the store; never used again for anything else. */
enum {
    STAGE_PROBE,
    STAGE_EXPLAIN,
    STAGE_SIMULATE,
    STAGE_SCORE,
    STAGE_EMBED,
    STAGE_ADACS,
    STAGE_BATCH,
    STAGE_NONE = 255
};

/* What a job belongs to. */
typedef enum {
    SCOPE_ENDPOINT, /* a model at an endpoint: does it have what a mode needs? */
    SCOPE_CHAIN,    /* a chain: one job */
    SCOPE_RECORD,   /* a record of a chain: one for each valid and calibration record */
    /* a text: one for the explanation of a chain, one for what it is compared with */
    SCOPE_TEXT,
    SCOPE_LINE, /* a line of a batch */
} stage_scope_t;

/* Who answers. NONE: nobody is asked, the result is made from what is stored. */
typedef enum { ROLE_NONE, ROLE_EXPLAINER, ROLE_SIMULATOR, ROLE_EMBEDDER, ROLE_OF_JOB } stage_role_t;

/* What a chain must have to get a job of the stage at all. */
enum {
    ABOUT_RECORDS = 1,  /* valid records to score on */
    ABOUT_BASELINE = 2, /* a text to compare with */
};

/* What the id of a job is made from; borrowed. */
typedef struct {
    const chain_t *chain;
    hash_t neuron;
    const char *explanation;           /* not of a stage that needs none */
    const char *baseline;              /* ABOUT_BASELINE */
    const activation_record_t *record; /* SCOPE_RECORD */
    const char *text;                  /* SCOPE_TEXT */
} stage_subject_t;

typedef struct {
    const sweep_t *sweep;
    /* of the job, where the caller has it already; NULL: build and derive read it */
    const neuron_record_t *neuron;
} stage_context_t;

/* What a step makes. */
typedef struct {
    buffer_t result;     /* encoded (results.h) */
    size_t vector_count; /* of a stage that keeps vectors */
    struct stage_vector {
        hash_t key;
        float *values; /* owned */
        size_t dimensions;
    } * vectors;
} stage_product_t;
/* Adds a vector; takes ownership of `values`. */
void stage_product_add_vector(stage_product_t *product, hash_t key, float *values,
                              size_t dimensions);
void stage_product_clear(stage_product_t *product);

/* An answer as it stands in the store, or as it came in just now. */
typedef struct {
    buffer_t *body;    /* the step may take it (leaving it empty) */
    uint64_t response; /* its number in the store; 0: to be looked up by the request */
} stage_answer_t;

typedef enum {
    STAGE_BUILT_REQUEST, /* the request is filled in, and not yet finished (request.h) */
    STAGE_BUILT_RESULT,  /* no answer is needed: the product is filled in */
    STAGE_BUILT_FAILURE, /* job_fail was called */
} stage_built_t;

typedef stage_built_t stage_build_t(const stage_context_t *context, store_txn_t *txn, job_t *job,
                                    request_t *request, stage_product_t *product);
/* False: job_fail was called. */
typedef bool stage_derive_t(const stage_context_t *context, store_txn_t *txn, job_t *job,
                            const request_t *request, stage_answer_t *answer,
                            stage_product_t *product);

enum { STAGE_MEASURES = 3, STAGE_COUNTS = 2 };

/* What all readers may ask of a stored result. */
typedef struct {
    int64_t version; /* of the form it is stored in */
    /* whose response it was derived from; zero: it has none of its own */
    hash_t request;
    /* jobs of the stage before that it stands for; 0: it does not say */
    int64_t parts;
    double values[STAGE_MEASURES]; /* by the measures of its telling; NaN: undefined */
    int64_t counts[STAGE_COUNTS];  /* likewise */
} stage_result_t;

/* One number that a result has. */
typedef struct {
    const char *key;   /* in JSON and CSV: "rsquared" */
    const char *label; /* for people: "r-squared" */
    bool is_terse;     /* of less weight: tables show its mean without the standard error */
    bool is_aside;     /* of tables and exports alone, not of the JSON of a neuron */
} stage_measure_t;

/* What stands around a table of the report that has the mean of each measure for
 * each prompt format. */
typedef struct {
    const char *key;   /* "scores" */
    const char *title; /* "Scores: simulated against real activations" */
    const char *note;  /* what the columns mean */
} stage_heading_t;

/* How readers tell of the results of a stage that measures something. All texts of a report, an
 * export and a page. */
typedef struct {
    /* The first one stands for the result where there is room for one number: it is undefined
     * if that is NaN, formats are compared and ranked by it, more is better. A key NULL:
     * there are no more. */
    stage_measure_t measures[STAGE_MEASURES];
    const char *counts[STAGE_COUNTS]; /* names in exports; NULL: there are no more */
    /* "scored": the column of how many are, and of the state in exports */
    const char *done;
    /* Its numbers are members of JSON objects by their keys, and columns of exports before the
     * explanation, as they were when there were no others. False, as for all that came later: they
     * stand in an array "measures", and in columns behind. */
    bool has_members;
    const char *noun; /* "scores": "3 of 9 scores are missing" */
    stage_heading_t table;
    /* The table of sets of puzzles, where explanations are compared with the truth: with the error
     * of the first measure clustered by puzzle. A key NULL: they have the table of all others. */
    stage_heading_t truth;
    /* Title of the table of averages over sets; its key is that of `table` and "_average". */
    const char *average;
    /* The drawing of how the first measure, at most 1, is distributed. A key NULL: none. */
    struct stage_plot {
        const char *key, *title, *axis;
    } plot;
} stage_telling_t;

typedef struct stage {
    job_stage_t number;
    const char *name;
    const char *actor; /* who carries its jobs out; rows that name the same one share its mailbox */
    stage_scope_t scope;
    stage_role_t role;
    job_stage_t needs; /* the stage whose jobs of this chain have to be done before; STAGE_NONE */
    unsigned about;    /* ABOUT_* */
    bool (*is_wanted)(const settings_t *settings); /* by the config */
    hash_t (*identify)(const sweep_t *sweep, const stage_subject_t *subject);
    stage_build_t *build;
    stage_derive_t *derive; /* NULL: nobody is ever asked */
    bool derives_at_once; /* derive takes no time worth a trip to a worker and needs no transaction
                             (NULL) when answer->response is set: it runs on the loop */
    bool trims;           /* store.keep_raw may drop its responses: the result says all */
    int64_t typical_output; /* tokens that an answer has, for estimates; 0: the maximum */
    double typical_share;   /* of the maximum, in a chat; 0: all of it */
    /* the result is a vector under the job's id (responses.h), not an entry of the journal */
    bool keeps_vectors;
    int64_t version; /* of the form that build and derive make */
    /* Reads that form and every older one, from untrusted bytes; false: it cannot be read. NULL:
     * keeps_vectors, or nothing is kept but that the job is done. */
    bool (*decode)(const void *bytes, size_t size, stage_result_t *result);
    /* NULL: its results are means to an end, and not told of one by one */
    const stage_telling_t *telling;
} stage_t;

/* Rows in the order in which a chain needs them: what a row needs stands before it. */
typedef struct stage_table {
    size_t count;
    const stage_t *const *rows;
} stage_table_t;

/* The stages that glia comes with. */
extern const stage_table_t stages_shipped;
/* NULL: there is none of this number. */
const stage_t *stage_find(const stage_table_t *table, job_stage_t number);
/* "explain", or "?" . */
const char *stage_name(const stage_table_t *table, job_stage_t number);
/* Jobs of it are shown and counted, for each chain that they serve; others (probes, embeddings) are
 * means to an end. */
bool stage_is_counted(const stage_t *stage);

/* The rows that have a telling, in the order of their table; each has a decoder and one job for a
 * chain (SCOPE_CHAIN). There are at most STAGES_MEASURED: more are left out. */
enum { STAGES_MEASURED = 8 };
typedef struct {
    size_t count;
    const stage_t *rows[STAGES_MEASURED];
} stages_measured_t;
stages_measured_t stages_measured(const stage_table_t *table);
/* Its index among them; SIZE_MAX: it is none of them. */
size_t stages_measured_index(const stages_measured_t *measured, job_stage_t number);

/* The index of the model that answers; unused where nobody is asked. */
size_t stage_model(const stage_t *stage, const settings_t *settings, const chain_t *chain);

#endif
