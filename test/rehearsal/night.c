/* night.c - starts of glia in virtual time, and what befalls them. (The promises: night_check.c.) */
#include "test/rehearsal/night.h"

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
#include "test/rehearsal/night_private.h"
#include "tools/cli/prepare.h"

static const int64_t DUSK = INT64_C(1795377600) * CLOCK_SECOND; /* 2026-11-22 20:00 UTC */
static const int64_t LONGEST = 10 * 24 * 60 * CLOCK_MINUTE;     /* of one start */
enum { MOST_EVENTS = 20 * 1000 * 1000, SLOWEST = 3000 };

/* --- a night ---------------------------------------------------------------------------------------------- */

static void delivered(void *context, const delivery_t *delivery) {
    night_check_delivery(context, delivery);
}

static char *make_directory(void) {
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    char *path = memory_format("%s/glia-night-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
    return path;
}

night_t *night_create(const night_options_t *options) {
    night_t *night = MEMORY_NEW(night_t);
    night->options = *options;
    if (night->options.utc == 0)
        night->options.utc = DUSK;
    if (night->options.slowest_work == 0)
        night->options.slowest_work = SLOWEST;
    if (night->options.slowest_commit == 0)
        night->options.slowest_commit = SLOWEST;
    if (night->options.downtime == 0)
        night->options.downtime = 5 * CLOCK_SECOND;
    night->world = world_create(options->seed, night->options.utc);
    night->providers = provider_set_create(night->world, options->seed + 1, delivered, night);
    night->home = make_directory();
    night->directory = memory_format("%s/store", night->home);
    night->tracing = getenv("TRACE") != NULL;
    return night;
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

void night_free(night_t *night) {
    remove_directory(night->directory);
    remove_directory(night->home);
    provider_set_free(night->providers);
    world_free(night->world);
    night_forget_fates(night);
    for (size_t i = 0; i < night->assignment_count; i++)
        free(night->assignments[i]);
    free(night->directory);
    free(night->home);
    buffer_free(&night->problems);
    free(night);
}

const char *night_home(const night_t *night) {
    return night->home;
}

world_t *night_world(night_t *night) {
    return night->world;
}

provider_set_t *night_providers(night_t *night) {
    return night->providers;
}

void night_set(night_t *night, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t key = strcspn(text, "="), i = 0;
    while (i < night->assignment_count && strncmp(night->assignments[i], text, key + 1) != 0)
        i++;
    if (i == ASSIGNMENTS)
        abort();
    if (i == night->assignment_count)
        night->assignment_count++;
    free(night->assignments[i]);
    night->assignments[i] = memory_copy_string(text);
}

void night_add_provider(night_t *night, const char *name, int64_t rpm, int64_t tpm) {
    static const char *const urls[] = {"http://a.test/v1", "http://b.test/v1", "http://c.test/v1"};
    const char *url = urls[name[0] - 'a'];
    provider_script_t script = {
        .name = name, .base_url = url, .rpm = rpm, .tpm = tpm, .transit = 40000, .think = 400000};
    provider_add(night->providers, &script);
}

char *night_config(int neurons, const char *formats, const char *mode, bool two) {
    const char *both = two ? "[\"a\", \"b\"]" : "[\"a\"]";
    return memory_format("[run]\nname = \"night\"\nwindow = 48\n"
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

/* --- callbacks of one start ------------------------------------------------------------------------------- */

static void write_log(void *context, log_level_t level, const char *line) {
    (void)level;
    night_trace(context, "log: %s", line);
}

static void on_finished(void *context, const run_outcome_t *outcome) {
    night_t *night = context;
    night->outcome = *outcome;
    night->finished = true;
    night_trace(night, "finished: end %d %s", (int)outcome->end, outcome->message);
    world_stop(night->world);
}

static void power_off(night_t *night) {
    night->dead = true;
    world_stop(night->world);
}

static void on_fatal(void *context, const error_info_t *error) {
    night_t *night = context;
    night->broken = true;
    if (!night->dead)
        night_complain(night, "the archivist gave up: %s", error->message);
    world_stop(night->world);
}

static store_fate_t at_commit(void *context, store_point_t point) {
    night_t *night = context;
    const doom_t *doom = night->doom;
    if (night->dead)
        return STORE_CRASH;
    if (point == STORE_BEFORE_COMMIT) {
        night->commits++;
        if (doom->full_count && night->commits >= doom->full_from &&
            night->commits < doom->full_from + doom->full_count) {
            night->befallen.failed_commits++;
            return STORE_FAIL;
        }
    }
    night->committed = night->committed || point == STORE_AFTER_COMMIT;
    night->befallen.commits += point == STORE_AFTER_COMMIT;
    if (night->commits != doom->crash_commit || doom->after != (point == STORE_AFTER_COMMIT))
        return STORE_GO_ON;
    night_trace(night, "the power goes %s commit %llu", doom->after ? "after" : "before",
                (unsigned long long)night->commits);
    *(doom->after ? &night->befallen.crashes_after : &night->befallen.crashes_before) += 1;
    power_off(night);
    return STORE_CRASH;
}

static void after_event(void *context) {
    night_t *night = context;
    int32_t day = text_day_of(clock_utc(world_clock(night->world)));
    night->befallen.midnights += day > night->day;
    night->day = day;
    if (!night->committed)
        return;
    night->committed = false;
    if (!store_has_crashed(night->store))
        night_check_commit(night);
}

static void crash_fires(void *context) {
    night_t *night = context;
    night_trace(night, "the power goes");
    night->befallen.crashes_between++;
    power_off(night);
}

static void interrupt_fires(void *context) {
    night_t *night = context;
    night_trace(night, "a signal");
    night->befallen.signals++;
    experiment_interrupt(night->experiment);
}

static void leave_fires(void *context) {
    night_t *night = context;
    night_trace(night, "a second signal: left at once");
    night->befallen.second_signals++;
    power_off(night);
}

static void step_fires(void *context) {
    night_t *night = context;
    night_trace(night, "the clock steps by %lld s", (long long)(night->doom->step_by / CLOCK_SECOND));
    night->befallen.steps++;
    world_step_utc(night->world, night->doom->step_by);
}

/* --- the inspector: asks the accountant how it stands ----------------------------------------------------- */

static void inspector_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    night_check_facts(state, message->payload);
}

static const actor_definition_t inspector_definition = {
    .name = "inspector", .kinds = ACTOR_KIND(MSG_FACTS), .mailbox = 64, .receive = inspector_receive};

static void ask_accountant(night_t *night) {
    if (night->accountant)
        (void)actor_send(night->accountant, night->inspector, MSG_ASK, 0, NULL, NULL);
}

/* An invariant is about its actor's state alone, which only its own messages change: the receiver is all that there is
 * to ask. */
static void check_invariant(night_t *night, const actor_t *actor) {
    const char *broken = actor_broken(actor);
    if (broken)
        night_complain(night, "invariant of the %s: %s", actor_name(actor), broken);
}

static void on_message(void *context, const actor_t *actor, int kind) {
    night_t *night = context;
    check_invariant(night, actor);
    if (kind == MSG_ANSWERED || kind == MSG_RESERVED)
        night_check_acknowledged(night, kind);
    if (kind == MSG_ASK && strcmp(actor_name(actor), "accountant") == 0) {
        night->accountant = (actor_t *)(uintptr_t)actor;
    } else if (kind == MSG_TICK && strcmp(actor_name(actor), "reporter") == 0) {
        ask_accountant(night);
    }
}

/* --- one start -------------------------------------------------------------------------------------------- */

static bool load_settings(night_t *night) {
    night->settings =
        settings_load(night->options.config, strlen(night->options.config), "night.toml",
                      (const char *const *)night->assignments, night->assignment_count, false, &night->error);
    for (size_t i = 0; night->settings && i < night->settings->model_count; i++)
        provider_price(night->providers, night->settings->models[i].wire_name, night->settings->models[i].price);
    return night->settings != NULL;
}

static bool set_up(night_t *night) {
    store_options_t options = {
        .no_sync = true, .initial_map = night->options.initial_map, .largest_map = night->doom->largest_map};
    prepare_taken_t taken;
    night->log = log_create(LOG_WARN, write_log, night);
    if (!load_settings(night) || !(night->store = store_open(night->directory, STORE_WRITE, &options, &night->error)))
        return false;
    store_set_hook(night->store, at_commit, night);
    int64_t utc = clock_utc(world_clock(night->world));
    if (!prepare_take_up(night->settings, night->store, night->doom->retry_failed, utc, &night->run, &taken,
                         &night->error))
        return false;
    after_event(night);
    night->books = night_books(night);
    night->workers = world_executor_create(night->world, WORLD_SHUFFLED, night->options.slowest_work);
    night->committer = world_executor_create(night->world, WORLD_FIFO, night->options.slowest_commit);
    ports_t ports = {world_clock(night->world),
                     provider_open(night->providers),
                     night->workers,
                     night->committer,
                     night->store,
                     night->log};
    experiment_options_t experiment = {.settings = night->settings,
                                       .stages = &stages_shipped,
                                       .run = &night->run,
                                       .quiet = CLOCK_MINUTE,
                                       .finished = on_finished,
                                       .fatal = on_fatal,
                                       .context = night};
    night->experiment = experiment_create(&ports, &experiment, &night->error);
    if (!night->experiment)
        return false;
    scheduler_t *scheduler = experiment_scheduler(night->experiment);
    night->inspector = actor_create(scheduler, &inspector_definition, night, 0);
    scheduler_set_watch(scheduler, on_message, night);
    return true;
}

/* In the order of cmd_run.c's. After a crash nothing of it reaches the store. */
static void tear_down(night_t *night) {
    provider_close(night->providers);
    if (night->workers)
        world_executor_free(night->workers);
    if (night->committer)
        world_executor_free(night->committer);
    experiment_free(night->experiment);
    run_info_clear(&night->run);
    store_close(night->store);
    settings_free(night->settings);
    log_free(night->log);
    night->workers = night->committer = NULL;
    night->experiment = NULL;
    night->inspector = night->accountant = NULL;
    night->store = NULL;
    night->settings = NULL;
    night->log = NULL;
}

typedef struct {
    night_t *night;
    clock_fire_t *fire;
    world_event_t **slot;
} appointment_t;

static void appointment_fires(void *context) {
    appointment_t *appointment = context;
    *appointment->slot = NULL;
    appointment->fire(appointment->night);
}

static world_end_t run_world(night_t *night) {
    const doom_t *doom = night->doom;
    const struct {
        int64_t in;
        clock_fire_t *fire;
    } rows[] = {{doom->crash_in, crash_fires},
                {doom->interrupt_in, interrupt_fires},
                {doom->leave_in, leave_fires},
                {doom->step_in, step_fires}};
    world_event_t *events[4] = {NULL};
    appointment_t appointments[4];
    int64_t now = world_now(night->world);
    for (size_t i = 0; i < 4; i++) {
        appointments[i] = (appointment_t){night, rows[i].fire, &events[i]};
        if (rows[i].in > 0)
            events[i] = world_schedule(night->world, now + rows[i].in, appointment_fires, &appointments[i]);
    }
    world_set_watch(night->world, after_event, night);
    world_end_t end = world_run(night->world, MOST_EVENTS, now + LONGEST);
    if (night->finished && !night->dead) { /* a last word from the accountant */
        ask_accountant(night);
        night->final_facts = true;
        world_run(night->world, 100, world_now(night->world) + CLOCK_SECOND / 10);
    }
    world_set_watch(night->world, NULL, NULL);
    for (size_t i = 0; i < 4; i++)
        if (events[i])
            world_cancel(night->world, events[i]);
    return end;
}

/* As cmd_run.c records it. */
static bool record_end(night_t *night) {
    run_info_t *run = &night->run;
    bool done = night->outcome.end == END_DONE || night->outcome.end == END_FAILURES;
    run->state = done ? RUN_DONE : RUN_PAUSED;
    run->ended_utc = clock_utc(world_clock(night->world));
    buffer_t progress = BUFFER_EMPTY;
    reporter_progress_encode(&stages_shipped, &night->outcome.facts, run->ended_utc, 0, -1, &progress);
    bool ok = prepare_save_run(night->store, run, &progress, &night->error);
    buffer_free(&progress);
    after_event(night);
    return ok;
}

static night_end_t carry_out(night_t *night) {
    if (!set_up(night))
        return night->dead ? NIGHT_CRASHED : NIGHT_REFUSED;
    world_end_t end = run_world(night);
    if (night->dead || night->broken)
        return NIGHT_CRASHED;
    if (!night->finished) {
        night_complain(night, end == WORLD_EMPTY ? "nothing is left to happen, and the run has not finished"
                                                 : "the run does not come to an end");
        return NIGHT_STUCK;
    }
    if (!record_end(night))
        return night->dead ? NIGHT_CRASHED : NIGHT_REFUSED;
    return NIGHT_FINISHED;
}

night_end_t night_start(night_t *night, const doom_t *doom) {
    static const doom_t none;
    night->doom = doom ? doom : &none;
    night->dead = night->finished = night->broken = night->committed = night->final_facts = false;
    night->commits = night->answered = night->granted = 0;
    night->day = text_day_of(clock_utc(world_clock(night->world)));
    if (night->doom->low_disk)
        night_set(night, "store.min_free_mb=1000000");
    night->starts++;
    provider_grace(night->providers, CLOCK_SECOND);
    night->outcome = (run_outcome_t){0};
    night_trace(night, "start %d", night->starts);
    night_end_t end = carry_out(night);
    night_trace(night, "end %d after %llu commits %s", (int)end, (unsigned long long)night->commits,
                end == NIGHT_REFUSED ? night->error.message : "");
    night->dead = true; /* for what tear_down still tries to write */
    tear_down(night);
    if (night->doom->low_disk)
        night_set(night, "store.min_free_mb=0");
    world_sleep(night->world, world_draw(night->world, night->options.downtime));
    return end;
}

const run_outcome_t *night_outcome(const night_t *night) {
    return &night->outcome;
}

const night_befallen_t *night_befallen(const night_t *night) {
    return &night->befallen;
}

uint64_t night_store_bytes(const night_t *night) {
    char *path = memory_format("%s/data.mdb", night->directory);
    struct stat status;
    uint64_t bytes = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    free(path);
    return bytes;
}

const char *night_error(const night_t *night) {
    return night->error.message;
}

uint64_t night_commits(const night_t *night) {
    return night->commits;
}

night_end_t night_finish(night_t *night, int most) {
    night_end_t end = NIGHT_STUCK;
    for (int i = 0; i < most; i++) {
        end = night_start(night, NULL);
        if (end == NIGHT_FINISHED && (night->outcome.end == END_DONE || night->outcome.end == END_FAILURES))
            return end;
    }
    night_complain(night, "not done after %d starts: end %d, outcome %d: %s", most, (int)end, (int)night->outcome.end,
                   end == NIGHT_REFUSED ? night->error.message : night->outcome.message);
    return end;
}

void night_trace(night_t *night, const char *format, ...) {
    if (!night->tracing)
        return;
    va_list arguments;
    fprintf(stderr, "%12.6f  ", (double)world_now(night->world) / 1e6);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
