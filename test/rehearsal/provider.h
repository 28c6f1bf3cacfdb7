/* provider.h - the providers of a rehearsal: they are scripted, enforce their limits, fail as the
 * script says, and keep a bill.
 *
 * An answer is a function of the request's body alone (provider_answer.h). What goes wrong is
 * weather: from some time to another a provider shows a fault with some probability. Limits
 * are strict sliding windows over arrivals: one arrival too many within 60 s is a 429 and
 * counts as a violation.
 *
 * The bill is kept apart from everything of glia's: by whole bodies, at the prices that the
 * provider was told.
 */
#ifndef GLIA_TEST_PROVIDER_H
#define GLIA_TEST_PROVIDER_H

#include "core/llm/prices.h"
#include "test/rehearsal/http_scripted.h"
#include "test/rehearsal/provider_answer.h"

/* enum, name, whether the answer (and so perhaps a result) is another than on a fine day */
#define FAULT_MAP(ROW)                                                           \
    ROW(REFUSED, "refused", false)                                               \
    ROW(UNREACHABLE, "unreachable", false)                                       \
    ROW(RESET_BEFORE, "reset before", false)                                     \
    ROW(RESET_DURING, "reset during", false)                                     \
    ROW(RESET_AFTER, "reset after", false)                                       \
    ROW(CUT_HEAD, "cut head", false)                                             \
    ROW(CUT_BODY, "cut body", false)                                             \
    ROW(NOT_HTTP, "not HTTP", false)                                             \
    ROW(HANG, "hang", false)                                                     \
    ROW(DRIP, "drip", false)                                                     \
    ROW(STATUS_408, "408", false)                                                \
    ROW(STATUS_409, "409", false)                                                \
    ROW(STATUS_429, "429", false)                                                \
    ROW(STATUS_429_AFTER, "429 with Retry-After", false)                         \
    ROW(STATUS_429_DATE, "429 with a date", false)                               \
    ROW(STATUS_429_WRONG, "429 with a wrong Retry-After", false)                 \
    ROW(STATUS_429_ENORMOUS, "429 with an enormous Retry-After", false)          \
    ROW(STATUS_500, "500", false)                                                \
    ROW(STATUS_503, "503 with Retry-After", false)                               \
    ROW(QUOTA, "quota exhausted", false)                                         \
    ROW(CREDENTIALS, "401", false)                                               \
    ROW(MALFORMED, "malformed body", false)                                      \
    ROW(TRUNCATED, "truncated body", false)                                      \
    ROW(EMPTY, "empty body", false)                                              \
    ROW(DOUBLED, "doubled body", false)                                          \
    ROW(HTML, "HTML body", false)                                                \
    ROW(ERROR_IN_200, "error in a 200", false)                                   \
    ROW(WRONG_TYPE, "wrong content type", false) /* the answer itself is fine */ \
    ROW(OVERSIZED, "oversized body", true)                                       \
    ROW(REJECTED, "400", true)                                                   \
    ROW(TEAPOT, "418", true)                                                     \
    ROW(NO_USAGE, "no usage", true)                                              \
    ROW(OVER_BOUND, "usage above the bound", true)                               \
    ROW(NO_LOGPROBS, "no logprobs", true)                                        \
    ROW(MISALIGNED, "misaligned logprobs", true)

typedef enum {
#define FAULT_ENUM(name, text, other) FAULT_##name,
    FAULT_MAP(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
} fault_t;
const char *fault_name(fault_t fault);
bool fault_changes_answers(fault_t fault);

typedef struct {
    fault_t fault;
    int64_t from, until; /* monotonic */
    double share;        /* of the requests */
    bool probes_too;     /* a fault that changes answers strikes probes, too */
} weather_t;
static inline weather_t provider_fault(fault_t fault, int64_t from, int64_t until, double share) {
    return (weather_t){.fault = fault, .from = from, .until = until, .share = share};
}

typedef struct {
    const char *name, *base_url; /* static */
    int64_t rpm, tpm;            /* 0: none */
    int64_t per_second;          /* requests in any one second; 0: as many as rpm allows */
    int64_t transit;             /* microseconds, at most, for connecting and for sending */
    /* median of the time to an answer; now and then ten times as long */
    int64_t think;
} provider_script_t;

typedef struct provider_set provider_set_t;

/* A request that arrived. Borrowed. */
typedef struct {
    const char *provider, *base_url;
    bool probe;
    bool unwelcome;               /* the provider had asked for silence */
    const asked_request_t *asked; /* NULL: nothing that glia writes */
} delivery_t;
typedef void provider_delivery_t(void *context, const delivery_t *delivery);

/* `delivered` (NULL: nobody) hears of every arrival, before it is answered. */
provider_set_t *provider_set_create(world_t *world, uint64_t seed, provider_delivery_t *delivered,
                                    void *context);
void provider_set_free(provider_set_t *set); /* its port is closed */
void provider_add(provider_set_t *set, const provider_script_t *script);
/* Limits that the provider changes. */
void provider_limit(provider_set_t *set, const char *name, int64_t rpm, int64_t tpm);
/* The median of the time to an answer, and the most that connecting and sending
 * take; microseconds. */
void provider_latency(provider_set_t *set, const char *name, int64_t think, int64_t transit);
/* `name` NULL: at every provider. */
void provider_weather(provider_set_t *set, const char *name, weather_t weather);
void provider_clear_weather(provider_set_t *set);
/* What a model (by its name on the wire) costs from now on. */
void provider_price(provider_set_t *set, const char *model, price_t price);

/* How long after an answer what was under way before may still arrive. */
void provider_grace(provider_set_t *set, int64_t grace);

/* One glia process: opened at its start, closed when it ends or crashes. */
http_port_t *provider_open(provider_set_t *set);
void provider_close(provider_set_t *set);

typedef struct {
    uint64_t arrivals, billed;
    uint64_t violations; /* 429s of the strict windows */
    /* Arrivals although the provider had asked for silence (Retry-After), or should have been left
     * alone by this process (quota, key, usage above the bound). */
    uint64_t disobeyed;
    uint64_t faults[FAULT_COUNT];
    money_t bill;
    /* part of the bill beyond what a request could have cost at its maximum */
    money_t bill_over_bound;
} provider_totals_t;
const provider_totals_t *provider_totals(const provider_set_t *set);
/* Tokens, as the limit counts them, of all requests that a provider let through. */
int64_t provider_served_tokens(const provider_set_t *set, const char *name);

#endif
