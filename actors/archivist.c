/* archivist.c - group commit of everything that a live run writes.
 *
 * Writes gather on a stack that the loop pushes to and the committer takes whole when it begins a
 * commit. While one is under way the next is already submitted, so the committer never waits for
 * the loop, and a commit holds all that came until it began.
 *
 * After a failure the committer does nothing more until the loop has seen it:
 * writes keep their order.
 */
#include "actors/archivist.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/batch_line.h"
#include "core/base/memory.h"
#include "store/responses.h"

enum {
    BATCH_WRITES = 512, /* writes in one transaction at most */
};
static const int64_t RETRY_PAUSE = 2 * CLOCK_SECOND;

/* READY --archivist_committed: one failed--> FAILING --see_to_failure: none is submitted---------.
 *   ^                                                                                             |
 *   |--try_again: what is not a reservation has room----------------------------------------------|
 *   '--archivist_tick: after a while---------- PAUSED <--wait_for_disk----------------------------|
 *                                              BROKEN <--waiting mends nothing; for good----------'
 */
typedef enum {
    ARCHIVIST_READY,
    ARCHIVIST_FAILING,
    ARCHIVIST_PAUSED,
    ARCHIVIST_BROKEN
} archivist_state_t;

typedef struct archivist archivist_t;

/* One transaction, from its submission until the loop has its outcome. */
typedef struct commit {
    archivist_t *archivist;
    write_t *batch; /* what it writes; set before only when it is tried again */
    bool low_on_space;
    bool more; /* was taken and did not fit in */
    error_info_t error;
} commit_t;

enum { COMMITS_MOST = 2 }; /* submitted: one under way, one to follow at once */

struct archivist {
    actor_t *self;
    archivist_options_t options;
    actor_t *director;
    archivist_fatal_t *fatal;
    void *fatal_context;
    clock_timer_t *timer;
    archivist_state_t state;
    _Atomic(write_t *) gathered; /* the newest first */
    /* there may be writes that no commit that is submitted will take */
    bool due;
    size_t submitted; /* commits */
    commit_t *failed; /* to be tried again: FAILING, PAUSED */
    bool told;        /* the director knows that the disk fails */
    /* reservations wait for room; what is written meanwhile does not end that */
    bool starved;
    uint64_t received; /* writes that came; those that went back are `writes` */
    uint64_t commits, writes;
    /* the committer's, while something is submitted */
    write_t *taken; /* the oldest first */
    bool halted;    /* by a failure that the loop has not seen to */
};

static bool apply_result(store_txn_t *txn, const archivist_t *archivist, const write_t *write,
                         error_info_t *error) {
    const job_t *job = write->job;
    if (job->line) /* its row is its result */
        return batch_line_record(job->line, txn, write->run, error) &&
               journal_forget_failure(txn, write->run, job->id, error);
    for (size_t i = 0; i < write->vector_count; i++)
        if (!embedding_put(txn, write->vectors[i].key, write->vectors[i].values,
                           write->vectors[i].dimensions, error))
            return false;
    for (size_t i = 0; i < job->text_count; i++)
        if (!journal_put_done(txn, write->run, job->keys[i], job->stage, "", 0, error))
            return false;
    if (job->text_count == 0 && !journal_put_done(txn, write->run, job->id, job->stage,
                                                  write->result.data, write->result.length, error))
        return false;
    if (archivist->options.keep_raw == KEEP_ALL || hash_is_zero(write->trim))
        return true;
    uint64_t response = response_find(txn, write->trim);
    return response == 0 || response_trim(txn, response, error);
}

static bool apply_failure(store_txn_t *txn, const write_t *write, error_info_t *error) {
    const job_t *job = write->job;
    const job_trouble_t *trouble = &job->trouble;
    job_failure_t failure = {
        .run = write->run,
        .stage = job->stage,
        .terminal = trouble->terminal,
        .verdict = (char *)(uintptr_t)trouble->verdict,
        .status = trouble->status,
        .code = (char *)(uintptr_t)trouble->code,
        .message = (char *)(uintptr_t)trouble->message,
        .label = job->label,
        .utc = write->utc,
        .tries = trouble->tries,
    };
    if (job->line && !batch_line_record(job->line, txn, write->run, error))
        return false;
    size_t count = job->text_count ? job->text_count : 1;
    for (size_t i = 0; i < count; i++)
        if (!journal_put_failed(txn, job->text_count ? job->keys[i] : job->id, &failure, error))
            return false;
    return true;
}

static bool apply_end(store_txn_t *txn, write_t *write, error_info_t *error) {
    attempt_t end = *write->attempt;
    if (write->packed.length > 0 &&
        !response_put(txn, end.request, end.number, &write->packed, write->embed_keys,
                      write->embed_count, &end.response, error))
        return false;
    write->attempt->response = end.response;
    return ledger_end(txn, &end, error);
}

static bool apply_write(store_txn_t *txn, const archivist_t *archivist, write_t *write,
                        error_info_t *error) {
    switch (write->kind) {
    case WRITE_RESERVE: return ledger_reserve(txn, write->attempt, error);
    case WRITE_END: return apply_end(txn, write, error);
    case WRITE_RESULT: return apply_result(txn, archivist, write, error);
    case WRITE_FAILURE: return apply_failure(txn, write, error);
    case WRITE_META:
        return store_put(txn, TABLE_META, write->key, strlen(write->key), write->result.data,
                         write->result.length, error);
    case WRITE_APPLY: return write->apply(txn, write->context, error);
    }
    return error_set(error, ERROR_BUG, "a write of an unknown kind");
}

static bool apply_batch(store_txn_t *txn, void *context, error_info_t *error) {
    const commit_t *commit = context;
    for (write_t *write = commit->batch; write; write = write->next)
        if (!apply_write(txn, commit->archivist, write, error))
            return false;
    return true;
}

/* --- on the archivist's thread ---------------------------------------------------------------- */

/* All that was gathered, the oldest first. */
static write_t *take_gathered(archivist_t *archivist) {
    write_t *newest = atomic_exchange(&archivist->gathered, NULL), *ordered = NULL;
    while (newest) {
        write_t *next = newest->next;
        newest->next = ordered;
        ordered = newest;
        newest = next;
    }
    return ordered;
}

static write_t *take_batch(archivist_t *archivist) {
    if (!archivist->taken)
        archivist->taken = take_gathered(archivist);
    write_t *batch = archivist->taken, **link = &archivist->taken;
    for (int i = 0; i < BATCH_WRITES && *link; i++)
        link = &(*link)->next;
    archivist->taken = *link;
    *link = NULL;
    return batch;
}

static bool commit_write(commit_t *commit) {
    const archivist_options_t *options = &commit->archivist->options;
    bool reserves = false;
    for (const write_t *write = commit->batch; write && !reserves; write = write->next)
        reserves = write->kind == WRITE_RESERVE;
    commit->low_on_space =
        reserves && store_free_space(options->store) < (uint64_t)options->min_free;
    if (commit->low_on_space)
        return error_set(&commit->error, ERROR_RETRYABLE,
                         "less than %lld MB are free on the disk of %s; make room",
                         (long long)(options->min_free / 1000000), store_directory(options->store));
    if (!store_write(options->store, apply_batch, commit, &commit->error))
        return false;
    commit->error.class_ = ERROR_NONE; /* a first go may have left one, before the map grew */
    return true;
}

static void commit_work(void *context) {
    commit_t *commit = context;
    archivist_t *archivist = commit->archivist;
    if (archivist->halted)
        return;
    if (!commit->batch)
        commit->batch = take_batch(archivist);
    commit->more = archivist->taken != NULL;
    if (commit->batch && !commit_write(commit))
        archivist->halted = true;
}

static void free_writes(write_t *write) {
    while (write) {
        write_t *next = write->next;
        write_free(write);
        write = next;
    }
}

static void commit_free(void *pointer) {
    commit_t *commit = pointer;
    free_writes(commit->batch);
    free(commit);
}

static void commit_done(void *context) {
    commit_t *commit = context;
    actor_tell(commit->archivist->self, commit->archivist->self, MSG_COMMITTED, 0, commit,
               commit_free);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void submit(archivist_t *archivist, commit_t *commit) {
    archivist->submitted++;
    executor_submit(archivist->options.committer, commit_work, commit_done, commit);
}

static void archivist_begin(archivist_t *archivist) {
    if (archivist->state != ARCHIVIST_READY || !archivist->due ||
        archivist->submitted == COMMITS_MOST)
        return;
    commit_t *commit = MEMORY_NEW(commit_t);
    commit->archivist = archivist;
    archivist->due = false;
    submit(archivist, commit);
}

static void gather(archivist_t *archivist, write_t *write) {
    write->next = atomic_load(&archivist->gathered);
    while (!atomic_compare_exchange_weak(&archivist->gathered, &write->next, write))
        ;
}

static size_t answers_of(const write_t *write) {
    size_t answers = 0;
    for (; write; write = write->next)
        answers += write->packed.length > 0;
    return answers;
}

/* Failing: nothing is submitted, so all writes can be looked at. */
static void tell_disk(archivist_t *archivist, bool failing) {
    if (!archivist->told && !failing)
        return;
    archivist->told = failing;
    disk_t *disk = MEMORY_NEW(disk_t);
    disk->failing = failing;
    if (failing) {
        disk->answers = answers_of(archivist->failed->batch) + answers_of(archivist->taken) +
                        answers_of(atomic_load(&archivist->gathered));
        snprintf(disk->message, sizeof disk->message, "%.250s", archivist->failed->error.message);
    }
    if (!archivist->director ||
        !actor_send(archivist->director, archivist->self, MSG_DISK, 0, disk, free))
        free(disk);
}

static write_t **end_of(write_t **list) {
    while (*list)
        list = &(*list)->next;
    return list;
}

/* Writes that only need room for what is already paid go first when reservations have to wait. */
static void put_reservations_behind(archivist_t *archivist) {
    write_t *paid = NULL, **paid_tail = &paid, *reserves = NULL, **reserves_tail = &reserves;
    for (write_t *write = archivist->failed->batch, *next; write; write = next) {
        next = write->next;
        write->next = NULL;
        write_t ***tail = write->kind == WRITE_RESERVE ? &reserves_tail : &paid_tail;
        **tail = write;
        *tail = &write->next;
    }
    archivist->failed->batch = paid;
    *reserves_tail = archivist->taken;
    archivist->taken = reserves;
    *end_of(&archivist->taken) = take_gathered(archivist);
}

static void try_again(archivist_t *archivist) {
    commit_t *commit = archivist->failed;
    archivist->failed = NULL;
    archivist->halted = false;
    archivist->state = ARCHIVIST_READY;
    submit(archivist, commit);
}

static void wait_for_disk(archivist_t *archivist) {
    archivist->state = ARCHIVIST_PAUSED;
    clock_port_t *clock = actor_clock(archivist->self);
    clock_timer_start(clock, archivist->timer, clock_now(clock) + RETRY_PAUSE);
}

/* No commit is submitted any more. */
static void see_to_failure(archivist_t *archivist) {
    commit_t *commit = archivist->failed;
    if (commit->error.class_ != ERROR_RETRYABLE) {
        archivist->state = ARCHIVIST_BROKEN;
        archivist->fatal(archivist->fatal_context, &commit->error);
        return;
    }
    log_line(archivist->options.log, LOG_WARN, "cannot write to the store, trying again: %s",
             commit->error.message);
    tell_disk(archivist, true);
    if (commit->low_on_space) {
        archivist->starved = true;
        put_reservations_behind(archivist);
        if (commit->batch) {
            try_again(archivist);
            return;
        }
    }
    wait_for_disk(archivist);
}

static void acknowledge(archivist_t *archivist, write_t *write) {
    for (write_t *next; write; write = next) {
        next = write->next;
        write->next = NULL;
        archivist->writes++;
        archivist->starved = archivist->starved && write->kind != WRITE_RESERVE;
        if (write->reply_to)
            actor_tell(write->reply_to, archivist->self, MSG_WRITTEN, 0, write, write_free);
        else
            write_free(write);
    }
}

static void archivist_committed(archivist_t *archivist, commit_t *commit) {
    archivist->submitted--;
    archivist->due = archivist->due || commit->more;
    if (commit->error.class_ != ERROR_NONE) {
        archivist->state = ARCHIVIST_FAILING;
        archivist->failed = commit;
        archivist->due = true; /* the commit behind it took nothing */
    } else if (commit->batch) {
        archivist->commits++;
        acknowledge(archivist, commit->batch);
        free(commit);
        if (!archivist->starved)
            tell_disk(archivist, false);
    } else {
        free(commit);
    }
    if (archivist->state == ARCHIVIST_FAILING && archivist->submitted == 0)
        see_to_failure(archivist);
    archivist_begin(archivist);
}

/* What holds while nothing is submitted: then all is the loop's, and can be looked at. */
static const char *rest_broken(const archivist_t *archivist) {
    if (archivist->halted != (archivist->state != ARCHIVIST_READY))
        return "the committer is halted, or not, against the state";
    if (archivist->state == ARCHIVIST_FAILING)
        return "nothing is submitted, and the failure is not seen to";
    if (archivist->state != ARCHIVIST_READY)
        return NULL;
    if (archivist->taken || atomic_load(&archivist->gathered) || archivist->due)
        return "writes wait, and no commit that takes them is submitted";
    if (archivist->received != archivist->writes)
        return "a write was lost: nothing waits, and not all that came went back";
    return NULL;
}

static const char *archivist_broken(const void *state) {
    const archivist_t *archivist = state;
    if (archivist->submitted > COMMITS_MOST)
        return "too many commits are submitted";
    if (archivist->writes > archivist->received)
        return "more writes went back than came";
    if ((archivist->failed != NULL) != (archivist->state != ARCHIVIST_READY))
        return "a failed commit is kept, or not, against the state";
    if (archivist->state != ARCHIVIST_READY && !archivist->due)
        return "nothing is said to be due behind a failure";
    if (archivist->state == ARCHIVIST_PAUSED && !archivist->told)
        return "it waits for the disk, and the director was not told";
    if (archivist->starved && !archivist->told)
        return "reservations wait for the disk, and the director was not told";
    if (archivist->state >= ARCHIVIST_PAUSED && archivist->submitted > 0)
        return "commits are submitted while it waits";
    if (archivist->state >= ARCHIVIST_PAUSED &&
        (archivist->failed->error.class_ == ERROR_RETRYABLE) !=
            (archivist->state == ARCHIVIST_PAUSED))
        return "it waits for what does not mend, or gave up what does";
    return archivist->submitted == 0 ? rest_broken(archivist) : NULL;
}

static void archivist_tick(archivist_t *archivist) {
    if (archivist->state == ARCHIVIST_PAUSED)
        try_again(archivist);
}

static void archivist_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    archivist_t *archivist = state;
    switch (message->kind) {
    case MSG_WRITE: {
        write_t *write = message->payload;
        message->payload = NULL;
        archivist->received++;
        gather(archivist, write);
        archivist->due = true;
        archivist_begin(archivist);
        break;
    }
    case MSG_COMMITTED: {
        commit_t *commit = message->payload;
        message->payload = NULL;
        archivist_committed(archivist, commit);
        break;
    }
    case MSG_TICK: archivist_tick(archivist); break;
    default: break;
    }
}

static void retry_fire(void *context) {
    archivist_t *archivist = context;
    actor_tell(archivist->self, archivist->self, MSG_TICK, 0, NULL, NULL);
}

static void archivist_start(actor_t *self, void *state) {
    archivist_t *archivist = state;
    archivist->timer = clock_timer_create(actor_clock(self), retry_fire, archivist);
}

static void archivist_free(void *state) {
    archivist_t *archivist = state;
    clock_timer_free(archivist->self ? actor_clock(archivist->self) : NULL, archivist->timer);
    free_writes(archivist->gathered);
    free_writes(archivist->taken);
    if (archivist->failed)
        commit_free(archivist->failed);
    free(archivist);
}

static const actor_definition_t archivist_definition = {
    .name = "archivist",
    .kinds = ACTOR_KIND(MSG_WRITE) | ACTOR_KIND(MSG_COMMITTED) | ACTOR_KIND(MSG_TICK),
    .mailbox = 1024,
    .start = archivist_start,
    .receive = archivist_receive,
    .free = archivist_free,
    .broken = archivist_broken,
};

actor_t *archivist_create(scheduler_t *scheduler, const archivist_options_t *options,
                          size_t mailbox, archivist_fatal_t *fatal, void *context) {
    archivist_t *archivist = MEMORY_NEW(archivist_t);
    archivist->options = *options;
    archivist->fatal = fatal;
    archivist->fatal_context = context;
    archivist->self = actor_create(scheduler, &archivist_definition, archivist, mailbox);
    return archivist->self;
}

void archivist_set_director(actor_t *archivist_actor, actor_t *director) {
    ((archivist_t *)actor_state(archivist_actor))->director = director;
}

void archivist_counts(const actor_t *archivist_actor, uint64_t *commits, uint64_t *writes) {
    const archivist_t *archivist = actor_state(archivist_actor);
    *commits = archivist->commits;
    *writes = archivist->writes;
}
