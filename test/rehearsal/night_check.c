/* night_check.c - the promises: caps, reservations, deliveries, the bill, the results. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/fsck.h"
#include "store/ledger.h"
#include "store/responses.h"
#include "store/values.h"
#include "test/rehearsal/night_private.h"

enum { PROBLEMS_SHOWN = 20, DAYS = 16, MOST_PROBES = 4 };

void night_complain(night_t *night, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    night_trace(night, "BROKEN PROMISE: %s", text);
    if (++night->problem_count <= PROBLEMS_SHOWN)
        buffer_append_format(&night->problems, "start %d, %.3f s: %s\n", night->starts,
                             (double)world_now(night->world) / 1e6, text);
}

const char *night_problems(const night_t *night) {
    return buffer_text(&night->problems);
}

/* A view of the store, of the start's own or opened for it. txn NULL: the power went, nothing can be read. */
typedef struct {
    store_t *own;
    store_txn_t *txn;
} view_t;

static view_t view_open(night_t *night) {
    view_t view = {NULL, NULL};
    error_info_t error;
    if (night->store && store_has_crashed(night->store))
        return view;
    if (!night->store)
        view.own = store_open(night->directory, STORE_READ, NULL, &error);
    view.txn = night->store || view.own ? store_read_begin(night->store ? night->store : view.own, &error) : NULL;
    if (!view.txn) {
        fprintf(stderr, "rehearsal: cannot read the store: %s\n", error.message);
        abort();
    }
    return view;
}

static void view_close(view_t *view) {
    if (view->txn)
        store_read_end(view->txn);
    store_close(view->own);
}

/* --- requests --------------------------------------------------------------------------------------------- */

static request_fate_t *fate_of(night_t *night, hash_t request) {
    request_fate_t **link = &night->fates[hash_low64(request) % REQUEST_BUCKETS];
    while (*link && !hash_equal((*link)->request, request))
        link = &(*link)->next;
    if (!*link) {
        *link = MEMORY_NEW(request_fate_t);
        (*link)->request = request;
    }
    return *link;
}

void night_forget_fates(night_t *night) {
    for (size_t i = 0; i < REQUEST_BUCKETS; i++)
        while (night->fates[i]) {
            request_fate_t *fate = night->fates[i];
            night->fates[i] = fate->next;
            free(fate);
        }
}

static void read_new_attempts(night_t *night, store_txn_t *txn) {
    attempt_t attempt;
    for (; ledger_attempt_get(txn, night->last_attempt + 1, &attempt); night->last_attempt++) {
        fate_of(night, attempt.request)->attempts++;
        if (money_compare(attempt.worst_case, night->largest) > 0)
            night->largest = attempt.worst_case;
    }
}

/* The lineage under which glia asks; that of a probe as probe.c makes it. The caller frees. */
static char *lineage_of(const night_t *night, const delivery_t *delivery, const char **model_name) {
    const settings_t *settings = night->settings;
    for (size_t i = 0; i < settings->model_count; i++) {
        const model_settings_t *model = &settings->models[i];
        if (strcmp(model->wire_name, delivery->asked->model) != 0)
            continue;
        *model_name = model->name;
        return delivery->probe ? memory_format("probe %s %s %s %s", delivery->provider, delivery->base_url,
                                               model->lineage, model->wire_name)
                               : memory_copy_string(model->lineage);
    }
    return NULL;
}

static int64_t most_samples(const settings_t *settings) {
    int64_t most = 1;
    for (size_t i = 0; i < settings->set_count; i++)
        most = settings->sets[i].samples > most ? settings->sets[i].samples : most;
    return most;
}

/* Promises 1 and 3: each delivery has an attempt of its own in the store, and a request whose response is there is not
 * sent again. Samples of one request have the same body; of those the sum is compared. */
void night_check_delivery(night_t *night, const delivery_t *delivery) {
    const char *model = "";
    char *lineage = delivery->asked ? lineage_of(night, delivery, &model) : NULL;
    night_trace(night, "%s gets a request for %s%s", delivery->provider, model, delivery->probe ? " (probe)" : "");
    if (!lineage) {
        night_complain(night, "%s got a request that nobody can have made", delivery->provider);
        return;
    }
    if (delivery->unwelcome)
        night_complain(night, "%s got a request for %s although it had asked for silence", delivery->provider, model);
    int64_t count = delivery->asked->kind == LLM_CHAT ? most_samples(night->settings) : 1;
    if (delivery->probe)
        count = MOST_PROBES;
    llm_request_t request = delivery->asked->request;
    request.lineage = lineage;
    uint64_t attempts = 0, arrivals = 0;
    int64_t stored = 0;
    view_t view = view_open(night);
    if (view.txn)
        read_new_attempts(night, view.txn);
    for (request.sample = 0; request.sample < count; request.sample++) {
        hash_t id = llm_request_identity(&request);
        request_fate_t *fate = fate_of(night, id);
        if (request.sample == 0)
            fate->arrivals++;
        attempts += fate->attempts;
        arrivals += fate->arrivals;
        stored += view.txn && response_find(view.txn, id) != 0;
    }
    view_close(&view);
    free(lineage);
    if (arrivals > attempts)
        night_complain(night, "%s got a request for %s without a durable reservation (delivery %llu, %llu attempts)",
                       delivery->provider, model, (unsigned long long)arrivals, (unsigned long long)attempts);
    if (stored == count)
        night_complain(night, "%s got a request for %s whose response is stored", delivery->provider, model);
}

/* Promises 1 and 2: a place is granted, and an answer handed on, when the store has the reservation, or the response.
 */
void night_check_acknowledged(night_t *night, int kind) {
    uint64_t count = kind == MSG_RESERVED ? ++night->granted : ++night->answered;
    view_t view = view_open(night);
    if (!view.txn)
        return;
    uint64_t before = kind == MSG_RESERVED ? night->books.attempts : night->books.responses;
    uint64_t stored = store_count(view.txn, kind == MSG_RESERVED ? TABLE_ATTEMPTS : TABLE_RESPONSES);
    view_close(&view);
    if (before + count > stored)
        night_complain(night, "%s was told before the commit", kind == MSG_RESERVED ? "a reservation" : "an answer");
}

/* --- caps ------------------------------------------------------------------------------------------------- */

typedef struct {
    night_t *night;
    money_t total, store;
    money_t *models; /* [model_count] */
    struct {
        int32_t day;
        money_t charged;
    } days[DAYS];
    size_t day_count;
} charges_t;

static bool add_row(void *context, uint32_t run, int32_t day, job_stage_t stage, const char *model,
                    const balance_t *balance) {
    (void)stage;
    charges_t *charges = context;
    const settings_t *settings = charges->night->settings;
    money_t charged = money_add(money_add(balance->settled, balance->doubts), balance->reserved);
    charges->store = money_add(charges->store, charged);
    if (run != charges->night->run.number)
        return true;
    charges->total = money_add(charges->total, charged);
    for (size_t i = 0; i < settings->model_count; i++)
        if (strcmp(settings->models[i].name, model) == 0)
            charges->models[i] = money_add(charges->models[i], charged);
    size_t i = 0;
    while (i < charges->day_count && charges->days[i].day != day)
        i++;
    if (i == charges->day_count && i < DAYS)
        charges->days[charges->day_count++].day = day;
    if (i < DAYS)
        charges->days[i].charged = money_add(charges->days[i].charged, charged);
    return true;
}

static void check_cap(night_t *night, const char *name, money_t charged, money_t cap) {
    money_t excess = provider_totals(night->providers)->bill_over_bound;
    char have[MONEY_TEXT_SIZE], may[MONEY_TEXT_SIZE];
    if (money_compare(charged, money_add(cap, excess)) > 0)
        night_complain(night, "%s: %s are charged, the cap is %s", name, money_format(charged, 9, have),
                       money_format(cap, 9, may));
}

void night_check_commit(night_t *night) {
    const settings_t *settings = night->settings;
    view_t view = view_open(night);
    read_new_attempts(night, view.txn);
    charges_t charges = {.night = night, .models = MEMORY_NEW_ARRAY(settings->model_count + 1, money_t)};
    ledger_balances(view.txn, 0, add_row, &charges);
    view_close(&view);
    check_cap(night, "budget.total_usd", charges.total, settings->cap_total);
    if (settings->has_cap_store)
        check_cap(night, "budget.store_usd", charges.store, settings->cap_store);
    for (size_t i = 0; i < settings->model_count; i++)
        if (settings->models[i].capped)
            check_cap(night, settings->models[i].name, charges.models[i], settings->models[i].cap);
    for (size_t i = 0; settings->has_cap_daily && i < charges.day_count; i++)
        check_cap(night, "budget.daily_usd", charges.days[i].charged, settings->cap_daily);
    free(charges.models);
}

/* --- books ------------------------------------------------------------------------------------------------ */

static bool sum_row(void *context, uint32_t run, int32_t day, job_stage_t stage, const char *model,
                    const balance_t *balance) {
    (void)run;
    (void)day;
    (void)stage;
    (void)model;
    balance_add(context, balance);
    return true;
}

static night_books_t books_of(night_t *night, store_txn_t *txn) {
    balance_t sum = {0};
    ledger_balances(txn, 0, sum_row, &sum);
    return (night_books_t){
        .settled = sum.settled,
        .doubts = sum.doubts,
        .reserved = sum.reserved,
        .released = night->released,
        .largest = night->largest,
        .attempts = store_count(txn, TABLE_ATTEMPTS),
        .failures = store_count(txn, TABLE_FAILURES),
        .responses = store_count(txn, TABLE_RESPONSES),
        .prompt_tokens = sum.prompt_tokens,
    };
}

night_books_t night_books(night_t *night) {
    view_t view = view_open(night);
    night_books_t books = books_of(night, view.txn);
    view_close(&view);
    return books;
}

typedef struct {
    int32_t day;
    money_t charged;
} day_sum_t;

static bool sum_day(void *context, uint32_t run, int32_t day, job_stage_t stage, const char *model,
                    const balance_t *balance) {
    (void)run;
    (void)stage;
    (void)model;
    day_sum_t *sum = context;
    if (day == sum->day)
        sum->charged =
            money_add(sum->charged, money_add(money_add(balance->settled, balance->doubts), balance->reserved));
    return true;
}

money_t night_charged_on(night_t *night, int64_t utc) {
    day_sum_t sum = {text_day_of(utc), MONEY_ZERO};
    view_t view = view_open(night);
    ledger_balances(view.txn, 0, sum_day, &sum);
    view_close(&view);
    return sum.charged;
}

/* What the accountant believes; at rest it is what the store says. */
void night_check_facts(night_t *night, const facts_t *facts) {
    money_t charged = money_add(money_add(facts->settled, facts->doubts), facts->reserved);
    check_cap(night, "the accountant's total", charged, night->settings->cap_total);
    bool unwritten = night->outcome.end == END_WORLD && strstr(night->outcome.message, "cannot be written");
    if (!night->final_facts || night->doom->full_count > 0 || unwritten)
        return;
    balance_t books = {0};
    view_t view = view_open(night);
    ledger_balances(view.txn, night->run.number, sum_row, &books);
    view_close(&view);
    if (facts->settled.pico != books.settled.pico || facts->doubts.pico != books.doubts.pico ||
        facts->reserved.pico != books.reserved.pico)
        night_complain(night,
                       "at rest the accountant has settled %lld, doubts %lld, reserved %lld, the store %lld %lld %lld",
                       (long long)facts->settled.pico, (long long)facts->doubts.pico, (long long)facts->reserved.pico,
                       (long long)books.settled.pico, (long long)books.doubts.pico, (long long)books.reserved.pico);
}

typedef struct {
    night_t *night;
    uint64_t count;
} release_t;

static bool apply_release(store_txn_t *txn, void *context, error_info_t *error) {
    release_t *release = context;
    money_t amount;
    int64_t utc = clock_utc(world_clock(release->night->world));
    if (!ledger_release(txn, 0, 0, utc, "rehearsal", &release->count, &amount, error))
        return false;
    release->night->released = money_add(release->night->released, amount);
    return true;
}

void night_release(night_t *night) {
    store_options_t options = {.no_sync = true};
    error_info_t error;
    release_t release = {night, 0};
    store_t *store = store_open(night->directory, STORE_WRITE, &options, &error);
    if (!store || !store_write(store, apply_release, &release, &error))
        night_complain(night, "release: %s", error.message);
    store_close(store);
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static void check_bill(night_t *night) {
    night_books_t books = night_books(night);
    money_t bill = provider_totals(night->providers)->bill;
    /* Usage above the bound may be part of an answer that was lost: no promise covers it. */
    money_t excess = provider_totals(night->providers)->bill_over_bound;
    money_t most = money_add(money_add(money_add(books.settled, books.doubts), books.released), excess);
    char a[MONEY_TEXT_SIZE], b[MONEY_TEXT_SIZE];
    if (money_compare(books.settled, bill) > 0)
        night_complain(night, "settled %s, but the provider's bill is %s", money_format(books.settled, 12, a),
                       money_format(bill, 12, b));
    if (money_compare(bill, most) > 0)
        night_complain(night, "the provider's bill is %s, but settled and in doubt are %s", money_format(bill, 12, a),
                       money_format(most, 12, b));
    if (books.reserved.pico != 0)
        night_complain(night, "attempts are still open");
}

void night_check_end(night_t *night) {
    check_bill(night);
    error_info_t error;
    fsck_report_t report = {0};
    store_t *store = store_open(night->directory, STORE_READ, NULL, &error);
    if (!store || !fsck_run(store, &report, &error))
        night_complain(night, "fsck: %s", error.message);
    if (report.problems > 0)
        night_complain(night, "fsck finds %llu problems: %.300s", (unsigned long long)report.problems,
                       buffer_text(&report.lines));
    fsck_report_clear(&report);
    store_close(store);
}

/* --- results ---------------------------------------------------------------------------------------------- */

static void write_hex(buffer_t *out, const void *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        buffer_append_char(out, digits[b[i] >> 4]);
        buffer_append_char(out, digits[b[i] & 15]);
    }
}

void night_results(night_t *night, buffer_t *out) {
    view_t view = view_open(night);
    store_walk_t jobs = {0}, embeddings = {0};
    while (store_walk_next(view.txn, TABLE_JOBS, &jobs)) {
        job_entry_t entry;
        if (!journal_job_decode(jobs.value.data, jobs.value.size, &entry) || entry.state != JOB_DONE)
            continue;
        buffer_append_format(out, "%s ", stage_name(&stages_shipped, entry.stage));
        write_hex(out, jobs.key.data, jobs.key.size);
        buffer_append_char(out, ' ');
        write_hex(out, entry.result, entry.result_size);
        buffer_append_char(out, '\n');
    }
    while (store_walk_next(view.txn, TABLE_EMBEDDINGS, &embeddings)) {
        buffer_append_text(out, "embedding ");
        write_hex(out, embeddings.key.data, embeddings.key.size);
        buffer_append_char(out, ' ');
        write_hex(out, embeddings.value.data, embeddings.value.size);
        buffer_append_char(out, '\n');
    }
    view_close(&view);
}

/* Both in the order of the store's keys, so one pass through `whole` will do for each kind; lines are unique. */
bool night_results_within(const buffer_t *part, const buffer_t *whole) {
    const char *text = buffer_text(whole), *at = text;
    for (const char *line = buffer_text(part); *line;) {
        size_t length = strcspn(line, "\n");
        while (*at && (strncmp(at, line, length) != 0 || at[length] != '\n'))
            at += strcspn(at, "\n") + 1;
        if (!*at)
            return false;
        line += length + 1;
    }
    return true;
}
