/* actor_fixture.c - virtual time, played neighbours, executors that wait for the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "test/unit/actor_fixture.h"
#include "test/unit/store_dir.h"

enum { MOST_EVENTS = 1000 * 1000, MOST_ASSIGNMENTS = 16 };
static const int64_t NOON = INT64_C(1795348800) * CLOCK_SECOND; /* 2026-11-22 12:00 UTC */

static const char CONFIG[] =
    "[run]\nname = \"unit\"\n"
    "[budget]\ntotal_usd = 100\n"
    "[endpoints.a]\nbase_url = \"http://a.test/v1\"\n"
    "[endpoints.b]\nbase_url = \"http://b.test/v1\"\n"
    "[models.chat]\nendpoints = [\"a\", \"b\"]\ncontext_tokens = 16384\n"
    "price = { input = 0.50, cached_input = 0.25, output = 1.50 }\n"
    "[models.text]\nendpoints = [\"a\", \"b\"]\ncontext_tokens = 16384\n"
    "price = { input = 0.40, output = 2.00 }\n"
    "[models.embedding]\nendpoints = [\"a\", \"b\"]\nprice = { input = 0.02, output = 0.0 }\n"
    "[sets.puzzles]\nsource = \"puzzles:\"\n"
    "[explain]\nmodels = [\"chat\"]\n"
    "[simulate]\nmodel = \"text\"\n"
    "[adacs]\nmodel = \"embedding\"\n";

/* Freed with the fixture, the newest first: an executor, or settings. */
typedef struct fixture_part {
    executor_t *executor; /* of the world */
    held_t *held;
    settings_t *settings;
    struct fixture_part *next;
} fixture_part_t;

static fixture_part_t *add_part(fixture_t *fixture) {
    fixture_part_t *part = MEMORY_NEW(fixture_part_t);
    part->next = fixture->parts;
    fixture->parts = part;
    return part;
}

/* --- the fixture ------------------------------------------------------------------------------ */

static void keep_line(void *context, log_level_t level, const char *line) {
    (void)level;
    fixture_t *fixture = context;
    buffer_append_format(&fixture->lines, "%s\n", line);
}

static void check_invariant(void *context, const actor_t *actor, int kind) {
    (void)context;
    const char *broken = actor_broken(actor);
    if (broken)
        fail_msg("invariant of the %s after kind %d: %s", actor_name(actor), kind, broken);
}

fixture_t *fixture_create(void) {
    fixture_t *fixture = MEMORY_NEW(fixture_t);
    fixture->world = world_create(1, NOON);
    fixture->clock = world_clock(fixture->world);
    fixture->scheduler = scheduler_create(fixture->clock);
    scheduler_set_watch(fixture->scheduler, check_invariant, fixture);
    fixture->log = log_create(LOG_INFO, keep_line, fixture);
    return fixture;
}

static void held_free(held_t *held);

void fixture_free(fixture_t *fixture) {
    for (fixture_part_t *part = fixture->parts; part; part = part->next) {
        if (part->executor)
            world_executor_free(part->executor);
        held_free(part->held);
    }
    scheduler_free(fixture->scheduler);
    while (fixture->parts) {
        fixture_part_t *part = fixture->parts;
        fixture->parts = part->next;
        settings_free(part->settings);
        free(part);
    }
    store_close(fixture->store);
    if (fixture->directory)
        store_dir_remove(fixture->directory);
    log_free(fixture->log);
    buffer_free(&fixture->lines);
    world_free(fixture->world);
    free(fixture);
}

static void run_until(fixture_t *fixture, int64_t until) {
    uint64_t before = world_events(fixture->world);
    world_run(fixture->world, MOST_EVENTS, until);
    if (world_events(fixture->world) - before >= MOST_EVENTS)
        fail_msg("it does not come to rest");
}

void fixture_settle(fixture_t *fixture) {
    run_until(fixture, world_now(fixture->world));
}

void fixture_pass(fixture_t *fixture, int64_t duration) {
    int64_t until = world_now(fixture->world) + duration;
    run_until(fixture, until);
    world_sleep(fixture->world, until - world_now(fixture->world));
}

store_t *fixture_store(fixture_t *fixture) {
    if (!fixture->store) {
        fixture->directory = store_dir_make();
        fixture->store = store_dir_open(fixture->directory, STORE_WRITE);
    }
    return fixture->store;
}

const settings_t *fixture_settings(fixture_t *fixture, ...) {
    const char *assignments[MOST_ASSIGNMENTS];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, fixture);
    for (const char *text; (text = va_arg(arguments, const char *));) {
        assert_true(count < MOST_ASSIGNMENTS);
        assignments[count++] = text;
    }
    va_end(arguments);
    error_info_t error = {0};
    settings_t *settings =
        settings_load(CONFIG, strlen(CONFIG), "unit.toml", assignments, count, true, &error);
    if (!settings)
        fail_msg("%s", error.message);
    add_part(fixture)->settings = settings;
    return settings;
}

job_t *fixture_job(fixture_t *fixture, job_stage_t stage) {
    job_t *job = MEMORY_NEW(job_t);
    job->label = memory_format("job %llu", (unsigned long long)++fixture->made);
    job->id = hash_bytes(job->label, strlen(job->label));
    job->stage = stage;
    return job;
}

ticket_t *fixture_ticket(fixture_t *fixture, size_t model, int64_t worst_case) {
    ticket_t *ticket = MEMORY_NEW(ticket_t);
    ticket->job = fixture_job(fixture, STAGE_EXPLAIN);
    ticket->request.model = model;
    ticket->pinned = ANY_ENDPOINT;
    char *name = memory_format("request %llu", (unsigned long long)fixture->made);
    ticket->request.id = hash_bytes(name, strlen(name));
    free(name);
    ticket->request.input_bound = 1000;
    ticket->request.output_maximum = 100;
    ticket->request.worst_case = (money_t){worst_case * 1000000};
    return ticket;
}

/* --- neighbours ------------------------------------------------------------------------------- */

static const char *const KINDS[] = {
    [MSG_JOB] = "JOB",
    [MSG_WORKED] = "WORKED",
    [MSG_TICKET] = "TICKET",
    [MSG_RESERVE] = "RESERVE",
    [MSG_RESERVED] = "RESERVED",
    [MSG_REFUSED] = "REFUSED",
    [MSG_FREED] = "FREED",
    [MSG_ENDED] = "ENDED",
    [MSG_SETTLED] = "SETTLED",
    [MSG_ANSWERED] = "ANSWERED",
    [MSG_RETURNED] = "RETURNED",
    [MSG_WRITE] = "WRITE",
    [MSG_WRITTEN] = "WRITTEN",
    [MSG_COMMITTED] = "COMMITTED",
    [MSG_JOB_DONE] = "JOB_DONE",
    [MSG_STALLED] = "STALLED",
    [MSG_DISK] = "DISK",
    [MSG_PLANNED] = "PLANNED",
    [MSG_INTERRUPT] = "INTERRUPT",
    [MSG_STOP] = "STOP",
    [MSG_TICK] = "TICK",
    [MSG_ASK] = "ASK",
    [MSG_FACTS] = "FACTS",
};

static void played_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    played_t *played = state;
    if (played->answer && played->answer(played, message))
        return;
    actor_message_t *kept = memory_copy(message, sizeof *message), **link = &played->first;
    message->payload = NULL;
    kept->next = NULL;
    while (*link)
        link = &(*link)->next;
    *link = kept;
}

static actor_message_t *unlink_first(played_t *played) {
    actor_message_t *message = played->first;
    played->first = message->next;
    return message;
}

void played_clear(played_t *played) {
    while (played->first) {
        actor_message_t *message = unlink_first(played);
        if (message->payload && message->release)
            message->release(message->payload);
        free(message);
    }
}

static void played_free(void *state) {
    played_clear(state);
    free(state);
}

played_t *played_create(fixture_t *fixture, const char *name) {
    played_t *played = MEMORY_NEW(played_t);
    played->fixture = fixture;
    played->definition = (actor_definition_t){.name = name,
                                              .kinds = UINT64_MAX,
                                              .mailbox = 4096,
                                              .receive = played_receive,
                                              .free = played_free};
    played->actor = actor_create(fixture->scheduler, &played->definition, played, 0);
    return played;
}

void played_tell(played_t *played, actor_t *to, int kind, void *payload,
                 void (*release)(void *payload)) {
    actor_tell(to, played->actor, kind, 0, payload, release);
}

static void kinds_append(const played_t *played, buffer_t *out) {
    for (const actor_message_t *message = played->first; message; message = message->next)
        buffer_append_format(out, "%s%s", out->length ? " " : "", KINDS[message->kind]);
}

static void fail_at(const played_t *played, const char *expected, const char *file, int line) {
    buffer_t kinds = BUFFER_EMPTY;
    kinds_append(played, &kinds);
    print_error("the %s was sent \"%s\", not \"%s\"\n", played->definition.name,
                buffer_text(&kinds), expected);
    buffer_free(&kinds);
    _fail(file, line);
}

void played_assert_at(const played_t *played, const char *kinds, const char *file, int line) {
    buffer_t have = BUFFER_EMPTY;
    kinds_append(played, &have);
    bool same = strcmp(buffer_text(&have), kinds) == 0;
    buffer_free(&have);
    if (!same)
        fail_at(played, kinds, file, line);
}

size_t played_count(const played_t *played, int kind) {
    size_t count = 0;
    for (const actor_message_t *message = played->first; message; message = message->next)
        count += message->kind == kind;
    return count;
}

void *played_take_at(played_t *played, int kind, const char *file, int line) {
    if (!played->first || played->first->kind != kind)
        fail_at(played, KINDS[kind], file, line);
    actor_message_t *message = unlink_first(played);
    void *payload = message->payload;
    free(message);
    return payload;
}

/* --- executors -------------------------------------------------------------------------------- */

executor_t *fixture_executor(fixture_t *fixture, world_order_t order, int64_t slowest) {
    return add_part(fixture)->executor = world_executor_create(fixture->world, order, slowest);
}

typedef struct held_task {
    executor_work_t *work;
    executor_done_t *done;
    void *context;
    struct held_task *next;
} held_task_t;

struct held {
    executor_t port; /* first member */
    fixture_t *fixture;
    held_task_t *waiting, *worked; /* the oldest first */
};

static void append_task(held_task_t **list, held_task_t *task) {
    task->next = NULL;
    while (*list)
        list = &(*list)->next;
    *list = task;
}

static held_task_t *take_task(held_task_t **list) {
    held_task_t *task = *list;
    assert_non_null(task);
    *list = task->next;
    return task;
}

static void held_submit(executor_t *port, executor_work_t *work, executor_done_t *done,
                        void *context) {
    held_t *held = (held_t *)port;
    held_task_t *task = MEMORY_NEW(held_task_t);
    *task = (held_task_t){.work = work, .done = done, .context = context};
    append_task(&held->waiting, task);
}

held_t *held_create(fixture_t *fixture) {
    held_t *held = MEMORY_NEW(held_t);
    *held = (held_t){.port = {held_submit}, .fixture = fixture};
    return add_part(fixture)->held = held;
}

executor_t *held_executor(held_t *held) {
    return &held->port;
}

static size_t count_tasks(const held_task_t *task) {
    size_t count = 0;
    for (; task; task = task->next)
        count++;
    return count;
}

size_t held_waiting(const held_t *held) {
    return count_tasks(held->waiting);
}

size_t held_worked(const held_t *held) {
    return count_tasks(held->worked);
}

void held_work(held_t *held) {
    held_task_t *task = take_task(&held->waiting);
    task->work(task->context);
    append_task(&held->worked, task);
}

static void tell_done(held_t *held) {
    held_task_t *task = take_task(&held->worked);
    task->done(task->context);
    free(task);
}

void held_done(held_t *held) {
    tell_done(held);
    fixture_settle(held->fixture);
}

/* As any executor: what was submitted is worked, and said to be done. */
static void held_free(held_t *held) {
    while (held && held->waiting)
        held_work(held);
    while (held && held->worked)
        tell_done(held);
    free(held);
}
