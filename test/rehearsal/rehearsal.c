/* rehearsal.c - starts of glia in virtual time, and what befalls them. (The promises:
 * rehearsal_check.c.) */
#include "test/rehearsal/rehearsal.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/reporter.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/ledger.h"
#include "test/rehearsal/rehearsal_private.h"
#include "tools/cli/prepare.h"

static const int64_t DUSK = INT64_C(1795377600) * CLOCK_SECOND; /* 2026-11-22 20:00 UTC */
static const int64_t LONGEST = 10 * 24 * 60 * CLOCK_MINUTE;     /* of one start */
enum { MOST_EVENTS = 20 * 1000 * 1000, SLOWEST = 3000 };

/* --- a rehearsal ------------------------------------------------------------------------------ */

static void delivered(void *context, const delivery_t *delivery) {
    rehearsal_check_delivery(context, delivery);
}

static char *make_directory(void) {
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    char *path = memory_format("%s/glia-rehearsal-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
    return path;
}

rehearsal_t *rehearsal_create(const rehearsal_options_t *options) {
    rehearsal_t *rehearsal = MEMORY_NEW(rehearsal_t);
    rehearsal->options = *options;
    if (rehearsal->options.utc == 0)
        rehearsal->options.utc = DUSK;
    if (rehearsal->options.slowest_work == 0)
        rehearsal->options.slowest_work = SLOWEST;
    if (rehearsal->options.slowest_commit == 0)
        rehearsal->options.slowest_commit = SLOWEST;
    if (rehearsal->options.downtime == 0)
        rehearsal->options.downtime = 5 * CLOCK_SECOND;
    rehearsal->world = world_create(options->seed, rehearsal->options.utc);
    rehearsal->providers =
        provider_set_create(rehearsal->world, options->seed + 1, delivered, rehearsal);
    rehearsal->home = make_directory();
    rehearsal->directory = memory_format("%s/store", rehearsal->home);
    rehearsal->tracing = getenv("TRACE") != NULL;
    return rehearsal;
}

static void remove_directory(const char *path) {
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(path);
}

void rehearsal_free(rehearsal_t *rehearsal) {
    remove_directory(rehearsal->directory);
    remove_directory(rehearsal->home);
    provider_set_free(rehearsal->providers);
    world_free(rehearsal->world);
    rehearsal_forget_fates(rehearsal);
    for (size_t i = 0; i < rehearsal->assignment_count; i++)
        free(rehearsal->assignments[i]);
    free(rehearsal->directory);
    free(rehearsal->home);
    buffer_free(&rehearsal->problems);
    free(rehearsal);
}

const char *rehearsal_home(const rehearsal_t *rehearsal) {
    return rehearsal->home;
}

world_t *rehearsal_world(rehearsal_t *rehearsal) {
    return rehearsal->world;
}

provider_set_t *rehearsal_providers(rehearsal_t *rehearsal) {
    return rehearsal->providers;
}

void rehearsal_set(rehearsal_t *rehearsal, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t key = strcspn(text, "="), i = 0;
    while (i < rehearsal->assignment_count &&
           strncmp(rehearsal->assignments[i], text, key + 1) != 0)
        i++;
    if (i == ASSIGNMENTS)
        abort();
    if (i == rehearsal->assignment_count)
        rehearsal->assignment_count++;
    free(rehearsal->assignments[i]);
    rehearsal->assignments[i] = memory_copy_string(text);
}

void rehearsal_add_provider(rehearsal_t *rehearsal, const char *name, int64_t rpm, int64_t tpm) {
    static const char *const urls[] = {"http://a.test/v1", "http://b.test/v1", "http://c.test/v1"};
    const char *url = urls[name[0] - 'a'];
    provider_script_t script = {
        .name = name, .base_url = url, .rpm = rpm, .tpm = tpm, .transit = 40000, .think = 400000};
    provider_add(rehearsal->providers, &script);
}

char *rehearsal_config(int neurons, const char *formats, const char *mode, bool two) {
    const char *both = two ? "[\"a\", \"b\"]" : "[\"a\"]";
    return memory_format(
        "[run]\nname = \"rehearsal\"\nwindow = 48\n"
        "[budget]\ntotal_usd = 100\ndoubts_usd = 100\n"
        "[store]\nmin_free_mb = 0\n"
        "[endpoints.a]\nbase_url = \"http://a.test/v1\"\nconcurrency = 8\n%s"
        "[models.chat]\nendpoints = %s\ncontext_tokens = 16384\n"
        "price = { input = 0.50, cached_input = 0.25, output = 1.50 }\n"
        "[models.text]\nendpoints = %s\ncontext_tokens = 16384\n"
        "price = { input = 0.40, output = 2.00 }\n"
        "[models.embedding]\nendpoints = %s\nprice = { input = 0.02, output = 0.0 }\n"
        "[sets.puzzles]\nsource = \"puzzles:\"\nlimit = %d\n"
        "[explain]\nmodels = [\"chat\"]\nformats = %s\n"
        "[simulate]\nmodel = \"%s\"\nmode = \"%s\"\n"
        "[adacs]\nmodel = \"embedding\"\nbatch = 8\n",
        two ? "[endpoints.b]\nbase_url = \"http://b.test/v1\"\nconcurrency = 8\n" : "", both, both,
        both, neurons, formats, strcmp(mode, "echo") == 0 ? "text" : "chat", mode);
}

/* --- callbacks of one start ------------------------------------------------------------------- */

static void write_log(void *context, log_level_t level, const char *line) {
    (void)level;
    rehearsal_trace(context, "log: %s", line);
}

static void on_finished(void *context, const run_outcome_t *outcome) {
    rehearsal_t *rehearsal = context;
    rehearsal->outcome = *outcome;
    rehearsal->finished = true;
    rehearsal_trace(rehearsal, "finished: end %d %s", (int)outcome->end, outcome->message);
    world_stop(rehearsal->world);
}

static void power_off(rehearsal_t *rehearsal) {
    rehearsal->dead = true;
    world_stop(rehearsal->world);
}

static void on_fatal(void *context, const error_info_t *error) {
    rehearsal_t *rehearsal = context;
    rehearsal->broken = true;
    if (!rehearsal->dead)
        rehearsal_complain(rehearsal, "the archivist gave up: %s", error->message);
    world_stop(rehearsal->world);
}

static store_fate_t at_commit(void *context, store_point_t point) {
    rehearsal_t *rehearsal = context;
    const doom_t *doom = rehearsal->doom;
    if (rehearsal->dead)
        return STORE_CRASH;
    if (point == STORE_BEFORE_COMMIT) {
        rehearsal->commits++;
        if (doom->full_count && rehearsal->commits >= doom->full_from &&
            rehearsal->commits < doom->full_from + doom->full_count) {
            rehearsal->befallen.failed_commits++;
            return STORE_FAIL;
        }
    }
    rehearsal->committed = rehearsal->committed || point == STORE_AFTER_COMMIT;
    rehearsal->befallen.commits += point == STORE_AFTER_COMMIT;
    if (rehearsal->commits != doom->crash_commit || doom->after != (point == STORE_AFTER_COMMIT))
        return STORE_GO_ON;
    rehearsal_trace(rehearsal, "the power goes %s commit %llu", doom->after ? "after" : "before",
                    (unsigned long long)rehearsal->commits);
    *(doom->after ? &rehearsal->befallen.crashes_after : &rehearsal->befallen.crashes_before) += 1;
    power_off(rehearsal);
    return STORE_CRASH;
}

static void after_event(void *context) {
    rehearsal_t *rehearsal = context;
    int32_t day = text_day_of(clock_utc(world_clock(rehearsal->world)));
    rehearsal->befallen.midnights += day > rehearsal->day;
    rehearsal->day = day;
    if (!rehearsal->committed)
        return;
    rehearsal->committed = false;
    if (!store_has_crashed(rehearsal->store))
        rehearsal_check_commit(rehearsal);
}

static void crash_fires(void *context) {
    rehearsal_t *rehearsal = context;
    rehearsal_trace(rehearsal, "the power goes");
    rehearsal->befallen.crashes_between++;
    power_off(rehearsal);
}

static void interrupt_fires(void *context) {
    rehearsal_t *rehearsal = context;
    rehearsal_trace(rehearsal, "a signal");
    rehearsal->befallen.signals++;
    run_interrupt(rehearsal->live);
}

static void leave_fires(void *context) {
    rehearsal_t *rehearsal = context;
    rehearsal_trace(rehearsal, "a second signal: left at once");
    rehearsal->befallen.second_signals++;
    power_off(rehearsal);
}

static void step_fires(void *context) {
    rehearsal_t *rehearsal = context;
    rehearsal_trace(rehearsal, "the clock steps by %lld s",
                    (long long)(rehearsal->doom->step_by / CLOCK_SECOND));
    rehearsal->befallen.steps++;
    world_step_utc(rehearsal->world, rehearsal->doom->step_by);
}

/* --- the inspector: asks the accountant how it stands ----------------------------------------- */

static void inspector_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    rehearsal_check_facts(state, message->payload);
}

static const actor_definition_t inspector_definition = {.name = "inspector",
                                                        .kinds = ACTOR_KIND(MSG_FACTS),
                                                        .mailbox = 64,
                                                        .receive = inspector_receive};

static void ask_accountant(rehearsal_t *rehearsal) {
    if (rehearsal->accountant)
        (void)actor_send(rehearsal->accountant, rehearsal->inspector, MSG_ASK, 0, NULL, NULL);
}

/* An invariant is about its actor's state alone, which only its own messages change: the receiver
 * is all that there is to ask. */
static void check_invariant(rehearsal_t *rehearsal, const actor_t *actor) {
    const char *broken = actor_broken(actor);
    if (broken)
        rehearsal_complain(rehearsal, "invariant of the %s: %s", actor_name(actor), broken);
}

static void on_message(void *context, const actor_t *actor, int kind) {
    rehearsal_t *rehearsal = context;
    check_invariant(rehearsal, actor);
    if (kind == MSG_ANSWERED || kind == MSG_RESERVED)
        rehearsal_check_acknowledged(rehearsal, kind);
    if (kind == MSG_ASK && strcmp(actor_name(actor), "accountant") == 0)
        rehearsal->accountant = (actor_t *)(uintptr_t)actor;
    else if (kind == MSG_TICK && strcmp(actor_name(actor), "reporter") == 0)
        ask_accountant(rehearsal);
}

/* --- one start -------------------------------------------------------------------------------- */

static bool load_settings(rehearsal_t *rehearsal) {
    rehearsal->settings =
        settings_load(rehearsal->options.config, strlen(rehearsal->options.config),
                      "rehearsal.toml", (const char *const *)rehearsal->assignments,
                      rehearsal->assignment_count, false, &rehearsal->error);
    for (size_t i = 0; rehearsal->settings && i < rehearsal->settings->model_count; i++)
        provider_price(rehearsal->providers, rehearsal->settings->models[i].wire_name,
                       rehearsal->settings->models[i].price);
    return rehearsal->settings != NULL;
}

static bool set_up(rehearsal_t *rehearsal) {
    store_options_t options = {.no_sync = true,
                               .initial_map = rehearsal->options.initial_map,
                               .largest_map = rehearsal->doom->largest_map};
    prepare_taken_t taken;
    rehearsal->log = log_create(LOG_WARN, write_log, rehearsal);
    if (!load_settings(rehearsal) ||
        !(rehearsal->store =
              store_open(rehearsal->directory, STORE_WRITE, &options, &rehearsal->error)))
        return false;
    store_set_hook(rehearsal->store, at_commit, rehearsal);
    int64_t utc = clock_utc(world_clock(rehearsal->world));
    if (!prepare_take_up(rehearsal->settings, rehearsal->store, rehearsal->doom->retry_failed, utc,
                         &rehearsal->run, &taken, &rehearsal->error))
        return false;
    after_event(rehearsal);
    rehearsal->books = rehearsal_books(rehearsal);
    rehearsal->workers =
        world_executor_create(rehearsal->world, WORLD_SHUFFLED, rehearsal->options.slowest_work);
    rehearsal->committer =
        world_executor_create(rehearsal->world, WORLD_FIFO, rehearsal->options.slowest_commit);
    ports_t ports = {.clock = world_clock(rehearsal->world),
                     .http = provider_open(rehearsal->providers),
                     .workers = rehearsal->workers,
                     .committer = rehearsal->committer,
                     .store = rehearsal->store,
                     .log = rehearsal->log};
    run_options_t run_options = {.settings = rehearsal->settings,
                                 .stages = &stages_shipped,
                                 .run = &rehearsal->run,
                                 .quiet = CLOCK_MINUTE,
                                 .finished = on_finished,
                                 .fatal = on_fatal,
                                 .context = rehearsal};
    rehearsal->live = run_create(&ports, &run_options, &rehearsal->error);
    if (!rehearsal->live)
        return false;
    scheduler_t *scheduler = run_scheduler(rehearsal->live);
    rehearsal->inspector = actor_create(scheduler, &inspector_definition, rehearsal, 0);
    scheduler_set_watch(scheduler, on_message, rehearsal);
    return true;
}

/* In the order of cmd_run.c's. After a crash nothing of it reaches the store. */
static void tear_down(rehearsal_t *rehearsal) {
    provider_close(rehearsal->providers);
    if (rehearsal->workers)
        world_executor_free(rehearsal->workers);
    if (rehearsal->committer)
        world_executor_free(rehearsal->committer);
    run_free(rehearsal->live);
    run_info_clear(&rehearsal->run);
    store_close(rehearsal->store);
    settings_free(rehearsal->settings);
    log_free(rehearsal->log);
    rehearsal->workers = rehearsal->committer = NULL;
    rehearsal->live = NULL;
    rehearsal->inspector = rehearsal->accountant = NULL;
    rehearsal->store = NULL;
    rehearsal->settings = NULL;
    rehearsal->log = NULL;
}

typedef struct {
    rehearsal_t *rehearsal;
    clock_fire_t *fire;
    world_event_t **slot;
} appointment_t;

static void appointment_fires(void *context) {
    appointment_t *appointment = context;
    *appointment->slot = NULL;
    appointment->fire(appointment->rehearsal);
}

static world_end_t run_world(rehearsal_t *rehearsal) {
    const doom_t *doom = rehearsal->doom;
    const struct {
        int64_t in;
        clock_fire_t *fire;
    } rows[] = {{doom->crash_in, crash_fires},
                {doom->interrupt_in, interrupt_fires},
                {doom->leave_in, leave_fires},
                {doom->step_in, step_fires}};
    world_event_t *events[4] = {NULL};
    appointment_t appointments[4];
    int64_t now = world_now(rehearsal->world);
    for (size_t i = 0; i < 4; i++) {
        appointments[i] = (appointment_t){rehearsal, rows[i].fire, &events[i]};
        if (rows[i].in > 0)
            events[i] = world_schedule(rehearsal->world, now + rows[i].in, appointment_fires,
                                       &appointments[i]);
    }
    world_set_watch(rehearsal->world, after_event, rehearsal);
    world_end_t end = world_run(rehearsal->world, MOST_EVENTS, now + LONGEST);
    if (rehearsal->finished && !rehearsal->dead) { /* a last word from the accountant */
        ask_accountant(rehearsal);
        rehearsal->final_facts = true;
        world_run(rehearsal->world, 100, world_now(rehearsal->world) + CLOCK_SECOND / 10);
    }
    world_set_watch(rehearsal->world, NULL, NULL);
    for (size_t i = 0; i < 4; i++)
        if (events[i])
            world_cancel(rehearsal->world, events[i]);
    return end;
}

/* As cmd_run.c records it. */
static bool record_end(rehearsal_t *rehearsal) {
    run_info_t *run = &rehearsal->run;
    bool done = rehearsal->outcome.end == END_DONE || rehearsal->outcome.end == END_FAILURES;
    run->state = done ? RUN_DONE : RUN_PAUSED;
    run->ended_utc = clock_utc(world_clock(rehearsal->world));
    buffer_t progress = BUFFER_EMPTY;
    reporter_progress_encode(&stages_shipped, &rehearsal->outcome.facts, run->ended_utc, 0, -1,
                             &progress);
    bool ok = prepare_save_run(rehearsal->store, run, &progress, &rehearsal->error);
    buffer_free(&progress);
    after_event(rehearsal);
    return ok;
}

static rehearsal_end_t carry_out(rehearsal_t *rehearsal) {
    if (!set_up(rehearsal))
        return rehearsal->dead ? REHEARSAL_CRASHED : REHEARSAL_REFUSED;
    world_end_t end = run_world(rehearsal);
    if (rehearsal->dead || rehearsal->broken)
        return REHEARSAL_CRASHED;
    if (!rehearsal->finished) {
        rehearsal_complain(rehearsal,
                           end == WORLD_EMPTY
                               ? "nothing is left to happen, and the run has not finished"
                               : "the run does not come to an end");
        return REHEARSAL_STUCK;
    }
    if (!record_end(rehearsal))
        return rehearsal->dead ? REHEARSAL_CRASHED : REHEARSAL_REFUSED;
    return REHEARSAL_FINISHED;
}

rehearsal_end_t rehearsal_start(rehearsal_t *rehearsal, const doom_t *doom) {
    static const doom_t none;
    rehearsal->doom = doom ? doom : &none;
    rehearsal->dead = rehearsal->finished = rehearsal->broken = rehearsal->committed =
        rehearsal->final_facts = false;
    rehearsal->commits = rehearsal->answered = rehearsal->granted = 0;
    rehearsal->day = text_day_of(clock_utc(world_clock(rehearsal->world)));
    if (rehearsal->doom->low_disk)
        rehearsal_set(rehearsal, "store.min_free_mb=1000000");
    rehearsal->starts++;
    provider_grace(rehearsal->providers, CLOCK_SECOND);
    rehearsal->outcome = (run_outcome_t){0};
    rehearsal_trace(rehearsal, "start %d", rehearsal->starts);
    rehearsal_end_t end = carry_out(rehearsal);
    rehearsal_trace(rehearsal, "end %d after %llu commits %s", (int)end,
                    (unsigned long long)rehearsal->commits,
                    end == REHEARSAL_REFUSED ? rehearsal->error.message : "");
    rehearsal->dead = true; /* for what tear_down still tries to write */
    tear_down(rehearsal);
    if (rehearsal->doom->low_disk)
        rehearsal_set(rehearsal, "store.min_free_mb=0");
    world_sleep(rehearsal->world, world_draw(rehearsal->world, rehearsal->options.downtime));
    return end;
}

const run_outcome_t *rehearsal_outcome(const rehearsal_t *rehearsal) {
    return &rehearsal->outcome;
}

const rehearsal_befallen_t *rehearsal_befallen(const rehearsal_t *rehearsal) {
    return &rehearsal->befallen;
}

uint64_t rehearsal_store_bytes(const rehearsal_t *rehearsal) {
    char *path = memory_format("%s/data.mdb", rehearsal->directory);
    struct stat status;
    uint64_t bytes = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    free(path);
    return bytes;
}

const char *rehearsal_error(const rehearsal_t *rehearsal) {
    return rehearsal->error.message;
}

uint64_t rehearsal_commits(const rehearsal_t *rehearsal) {
    return rehearsal->commits;
}

rehearsal_end_t rehearsal_finish(rehearsal_t *rehearsal, int most) {
    rehearsal_end_t end = REHEARSAL_STUCK;
    for (int i = 0; i < most; i++) {
        end = rehearsal_start(rehearsal, NULL);
        if (end == REHEARSAL_FINISHED &&
            (rehearsal->outcome.end == END_DONE || rehearsal->outcome.end == END_FAILURES))
            return end;
    }
    rehearsal_complain(rehearsal, "not done after %d starts: end %d, outcome %d: %s", most,
                       (int)end, (int)rehearsal->outcome.end,
                       end == REHEARSAL_REFUSED ? rehearsal->error.message
                                                : rehearsal->outcome.message);
    return end;
}

void rehearsal_trace(rehearsal_t *rehearsal, const char *format, ...) {
    if (!rehearsal->tracing)
        return;
    va_list arguments;
    fprintf(stderr, "%12.6f  ", (double)world_now(rehearsal->world) / 1e6);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
