/* rehearsal_check.c - the promises: caps, reservations, deliveries, the bill, the results. */
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
#include "test/rehearsal/rehearsal_private.h"

enum { PROBLEMS_SHOWN = 20, DAYS = 16, MOST_PROBES = 4 };

void rehearsal_complain(rehearsal_t *rehearsal, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rehearsal_trace(rehearsal, "BROKEN PROMISE: %s", text);
    if (++rehearsal->problem_count <= PROBLEMS_SHOWN)
        buffer_append_format(&rehearsal->problems, "start %d, %.3f s: %s\n", rehearsal->starts,
                             (double)world_now(rehearsal->world) / 1e6, text);
}

const char *rehearsal_problems(const rehearsal_t *rehearsal) {
    return buffer_text(&rehearsal->problems);
}

/* A view of the store, of the start's own or opened for it. txn NULL: the power went,
 * nothing can be read. */
typedef struct {
    store_t *own;
    store_txn_t *txn;
} view_t;

static view_t view_open(rehearsal_t *rehearsal) {
    view_t view = {NULL, NULL};
    error_info_t error;
    if (rehearsal->store && store_has_crashed(rehearsal->store))
        return view;
    if (!rehearsal->store)
        view.own = store_open(rehearsal->directory, STORE_READ, NULL, &error);
    view.txn = rehearsal->store || view.own
                   ? store_read_begin(rehearsal->store ? rehearsal->store : view.own, &error)
                   : NULL;
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

/* --- requests --------------------------------------------------------------------------------- */

static request_fate_t *fate_of(rehearsal_t *rehearsal, hash_t request) {
    request_fate_t **link = &rehearsal->fates[hash_low64(request) % REQUEST_BUCKETS];
    while (*link && !hash_equal((*link)->request, request))
        link = &(*link)->next;
    if (!*link) {
        *link = MEMORY_NEW(request_fate_t);
        (*link)->request = request;
    }
    return *link;
}

void rehearsal_forget_fates(rehearsal_t *rehearsal) {
    for (size_t i = 0; i < REQUEST_BUCKETS; i++)
        while (rehearsal->fates[i]) {
            request_fate_t *fate = rehearsal->fates[i];
            rehearsal->fates[i] = fate->next;
            free(fate);
        }
}

static void read_new_attempts(rehearsal_t *rehearsal, store_txn_t *txn) {
    attempt_t attempt;
    for (; ledger_attempt_get(txn, rehearsal->last_attempt + 1, &attempt);
         rehearsal->last_attempt++) {
        fate_of(rehearsal, attempt.request)->attempts++;
        if (money_compare(attempt.worst_case, rehearsal->largest) > 0)
            rehearsal->largest = attempt.worst_case;
    }
}

/* The lineage under which glia asks; that of a probe as probe.c makes it. The caller frees. */
static char *lineage_of(const rehearsal_t *rehearsal, const delivery_t *delivery,
                        const char **model_name) {
    const settings_t *settings = rehearsal->settings;
    for (size_t i = 0; i < settings->model_count; i++) {
        const model_settings_t *model = &settings->models[i];
        if (strcmp(model->wire_name, delivery->asked->model) != 0)
            continue;
        *model_name = model->name;
        return delivery->probe ? memory_format("probe %s %s %s %s", delivery->provider,
                                               delivery->base_url, model->lineage, model->wire_name)
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

/* Promises 1 and 3: each delivery has an attempt of its own in the store, and a request whose
 * response is there is not sent again. Samples of one request have the same body; of those the
 * sum is compared. */
void rehearsal_check_delivery(rehearsal_t *rehearsal, const delivery_t *delivery) {
    const char *model = "";
    char *lineage = delivery->asked ? lineage_of(rehearsal, delivery, &model) : NULL;
    rehearsal_trace(rehearsal, "%s gets a request for %s%s", delivery->provider, model,
                    delivery->probe ? " (probe)" : "");
    if (!lineage) {
        rehearsal_complain(rehearsal, "%s got a request that nobody can have made",
                           delivery->provider);
        return;
    }
    if (delivery->unwelcome)
        rehearsal_complain(rehearsal, "%s got a request for %s although it had asked for silence",
                           delivery->provider, model);
    int64_t count = delivery->asked->kind == LLM_CHAT ? most_samples(rehearsal->settings) : 1;
    if (delivery->probe)
        count = MOST_PROBES;
    llm_request_t request = delivery->asked->request;
    request.lineage = lineage;
    uint64_t attempts = 0, arrivals = 0;
    int64_t stored = 0;
    view_t view = view_open(rehearsal);
    if (view.txn)
        read_new_attempts(rehearsal, view.txn);
    for (request.sample = 0; request.sample < count; request.sample++) {
        hash_t id = llm_request_identity(&request);
        request_fate_t *fate = fate_of(rehearsal, id);
        if (request.sample == 0)
            fate->arrivals++;
        attempts += fate->attempts;
        arrivals += fate->arrivals;
        stored += view.txn && response_find(view.txn, id) != 0;
    }
    view_close(&view);
    free(lineage);
    if (arrivals > attempts)
        rehearsal_complain(
            rehearsal,
            "%s got a request for %s without a durable reservation (delivery %llu, %llu attempts)",
            delivery->provider, model, (unsigned long long)arrivals, (unsigned long long)attempts);
    if (stored == count)
        rehearsal_complain(rehearsal, "%s got a request for %s whose response is stored",
                           delivery->provider, model);
}

/* Promises 1 and 2: a place is granted, and an answer handed on, when the store has the
 * reservation, or the response.
 */
void rehearsal_check_acknowledged(rehearsal_t *rehearsal, int kind) {
    uint64_t count = kind == MSG_RESERVED ? ++rehearsal->granted : ++rehearsal->answered;
    view_t view = view_open(rehearsal);
    if (!view.txn)
        return;
    uint64_t before = kind == MSG_RESERVED ? rehearsal->books.attempts : rehearsal->books.responses;
    uint64_t stored =
        store_count(view.txn, kind == MSG_RESERVED ? TABLE_ATTEMPTS : TABLE_RESPONSES);
    view_close(&view);
    if (before + count > stored)
        rehearsal_complain(rehearsal, "%s was told before the commit",
                           kind == MSG_RESERVED ? "a reservation" : "an answer");
}

/* --- caps ------------------------------------------------------------------------------------- */

typedef struct {
    rehearsal_t *rehearsal;
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
    const settings_t *settings = charges->rehearsal->settings;
    money_t charged = money_add(money_add(balance->settled, balance->doubts), balance->reserved);
    charges->store = money_add(charges->store, charged);
    if (run != charges->rehearsal->run.number)
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

static void check_cap(rehearsal_t *rehearsal, const char *name, money_t charged, money_t cap) {
    money_t excess = provider_totals(rehearsal->providers)->bill_over_bound;
    char have[MONEY_TEXT_SIZE], may[MONEY_TEXT_SIZE];
    if (money_compare(charged, money_add(cap, excess)) > 0)
        rehearsal_complain(rehearsal, "%s: %s are charged, the cap is %s", name,
                           money_format(charged, 9, have), money_format(cap, 9, may));
}

void rehearsal_check_commit(rehearsal_t *rehearsal) {
    const settings_t *settings = rehearsal->settings;
    view_t view = view_open(rehearsal);
    read_new_attempts(rehearsal, view.txn);
    charges_t charges = {.rehearsal = rehearsal,
                         .models = MEMORY_NEW_ARRAY(settings->model_count + 1, money_t)};
    ledger_balances(view.txn, 0, add_row, &charges);
    view_close(&view);
    check_cap(rehearsal, "budget.total_usd", charges.total, settings->cap_total);
    if (settings->has_cap_store)
        check_cap(rehearsal, "budget.store_usd", charges.store, settings->cap_store);
    for (size_t i = 0; i < settings->model_count; i++)
        if (settings->models[i].capped)
            check_cap(rehearsal, settings->models[i].name, charges.models[i],
                      settings->models[i].cap);
    for (size_t i = 0; settings->has_cap_daily && i < charges.day_count; i++)
        check_cap(rehearsal, "budget.daily_usd", charges.days[i].charged, settings->cap_daily);
    free(charges.models);
}

/* --- books ------------------------------------------------------------------------------------ */

static bool sum_row(void *context, uint32_t run, int32_t day, job_stage_t stage, const char *model,
                    const balance_t *balance) {
    (void)run;
    (void)day;
    (void)stage;
    (void)model;
    balance_add(context, balance);
    return true;
}

static rehearsal_books_t books_of(rehearsal_t *rehearsal, store_txn_t *txn) {
    balance_t sum = {0};
    ledger_balances(txn, 0, sum_row, &sum);
    return (rehearsal_books_t){
        .settled = sum.settled,
        .doubts = sum.doubts,
        .reserved = sum.reserved,
        .released = rehearsal->released,
        .largest = rehearsal->largest,
        .attempts = store_count(txn, TABLE_ATTEMPTS),
        .failures = store_count(txn, TABLE_FAILURES),
        .responses = store_count(txn, TABLE_RESPONSES),
        .prompt_tokens = sum.prompt_tokens,
    };
}

rehearsal_books_t rehearsal_books(rehearsal_t *rehearsal) {
    view_t view = view_open(rehearsal);
    rehearsal_books_t books = books_of(rehearsal, view.txn);
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
            money_add(sum->charged,
                      money_add(money_add(balance->settled, balance->doubts), balance->reserved));
    return true;
}

money_t rehearsal_charged_on(rehearsal_t *rehearsal, int64_t utc) {
    day_sum_t sum = {text_day_of(utc), MONEY_ZERO};
    view_t view = view_open(rehearsal);
    ledger_balances(view.txn, 0, sum_day, &sum);
    view_close(&view);
    return sum.charged;
}

/* What the accountant believes; at rest it is what the store says. */
void rehearsal_check_facts(rehearsal_t *rehearsal, const facts_t *facts) {
    money_t charged = money_add(money_add(facts->settled, facts->doubts), facts->reserved);
    check_cap(rehearsal, "the accountant's total", charged, rehearsal->settings->cap_total);
    bool unwritten = rehearsal->outcome.end == END_WORLD &&
                     strstr(rehearsal->outcome.message, "cannot be written");
    if (!rehearsal->final_facts || rehearsal->doom->full_count > 0 || unwritten)
        return;
    balance_t books = {0};
    view_t view = view_open(rehearsal);
    ledger_balances(view.txn, rehearsal->run.number, sum_row, &books);
    view_close(&view);
    if (facts->settled.pico != books.settled.pico || facts->doubts.pico != books.doubts.pico ||
        facts->reserved.pico != books.reserved.pico)
        rehearsal_complain(rehearsal,
                           "at rest the accountant has settled %lld, doubts %lld, reserved %lld, "
                           "the store %lld %lld %lld",
                           (long long)facts->settled.pico, (long long)facts->doubts.pico,
                           (long long)facts->reserved.pico, (long long)books.settled.pico,
                           (long long)books.doubts.pico, (long long)books.reserved.pico);
}

typedef struct {
    rehearsal_t *rehearsal;
    uint64_t count;
} release_t;

static bool apply_release(store_txn_t *txn, void *context, error_info_t *error) {
    release_t *release = context;
    money_t amount;
    int64_t utc = clock_utc(world_clock(release->rehearsal->world));
    if (!ledger_release(txn, 0, 0, utc, "rehearsal", &release->count, &amount, error))
        return false;
    release->rehearsal->released = money_add(release->rehearsal->released, amount);
    return true;
}

void rehearsal_release(rehearsal_t *rehearsal) {
    store_options_t options = {.no_sync = true};
    error_info_t error;
    release_t release = {rehearsal, 0};
    store_t *store = store_open(rehearsal->directory, STORE_WRITE, &options, &error);
    if (!store || !store_write(store, apply_release, &release, &error))
        rehearsal_complain(rehearsal, "release: %s", error.message);
    store_close(store);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void check_bill(rehearsal_t *rehearsal) {
    rehearsal_books_t books = rehearsal_books(rehearsal);
    money_t bill = provider_totals(rehearsal->providers)->bill;
    /* Usage above the bound may be part of an answer that was lost: no promise covers it. */
    money_t excess = provider_totals(rehearsal->providers)->bill_over_bound;
    money_t most =
        money_add(money_add(money_add(books.settled, books.doubts), books.released), excess);
    char a[MONEY_TEXT_SIZE], b[MONEY_TEXT_SIZE];
    if (money_compare(books.settled, bill) > 0)
        rehearsal_complain(rehearsal, "settled %s, but the provider's bill is %s",
                           money_format(books.settled, 12, a), money_format(bill, 12, b));
    if (money_compare(bill, most) > 0)
        rehearsal_complain(rehearsal, "the provider's bill is %s, but settled and in doubt are %s",
                           money_format(bill, 12, a), money_format(most, 12, b));
    if (books.reserved.pico != 0)
        rehearsal_complain(rehearsal, "attempts are still open");
}

void rehearsal_check_end(rehearsal_t *rehearsal) {
    check_bill(rehearsal);
    error_info_t error;
    fsck_report_t report = {0};
    store_t *store = store_open(rehearsal->directory, STORE_READ, NULL, &error);
    if (!store || !fsck_run(store, &report, &error))
        rehearsal_complain(rehearsal, "fsck: %s", error.message);
    if (report.problems > 0)
        rehearsal_complain(rehearsal, "fsck finds %llu problems: %.300s",
                           (unsigned long long)report.problems, buffer_text(&report.lines));
    fsck_report_clear(&report);
    store_close(store);
}

/* --- results ---------------------------------------------------------------------------------- */

static void write_hex(buffer_t *out, const void *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        buffer_append_char(out, digits[b[i] >> 4]);
        buffer_append_char(out, digits[b[i] & 15]);
    }
}

void rehearsal_results(rehearsal_t *rehearsal, buffer_t *out) {
    view_t view = view_open(rehearsal);
    store_walk_t jobs = {0}, embeddings = {0};
    while (store_walk_next(view.txn, TABLE_JOBS, &jobs)) {
        job_entry_t entry;
        if (!journal_job_decode(jobs.value.data, jobs.value.size, &entry) ||
            entry.state != JOB_DONE)
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

/* Both in the order of the store's keys, so one pass through `whole` will do for each kind;
 * lines are unique. */
bool rehearsal_results_within(const buffer_t *part, const buffer_t *whole) {
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
