/* bench_pacing.c - how much of a limit the whole orchestrator uses, in ten virtual minutes of
 * a rehearsed rehearsal, and whether the provider ever says 429. Prints lines of
 * `make bench`'s table.
 *
 * The provider's windows are strict. One counts any 60 s; the other, besides, lets through limit/60
 * requests in any one second. What lies between grant and arrival (commit, connection, transit)
 * varies by less than 8 ms here: were it more, ten requests a second could not both arrive at most
 * ten in any second and use 99 % of the limit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/rehearsal/rehearsal.h"

enum { RPM = 600, TPM = 600000, MINUTES = 10 };

typedef enum { BY_REQUESTS, BY_SECOND, BY_TOKENS } pacing_t;

/* 16,800 requests, no two alike. */
static const char config[] =
    "[run]\nname = \"rehearsal\"\n[budget]\ntotal_usd = 1000\n[store]\nmin_free_mb = 0\n"
    "[endpoints.a]\nbase_url = \"http://a.test/v1\"\nconcurrency = 32\n"
    "[models.chat]\nendpoints = [\"a\"]\ncontext_tokens = 16384\nprice = { input = 0.50, output = "
    "1.50 }\n"
    "[sets.puzzles]\nsource = \"puzzles:\"\n[explain]\nmodels = [\"chat\"]\nsamples = 120\n"
    "formats = [\"original\", \"summary\", \"highlight\", \"highlight_summary\", \"avhs\"]\n";

/* What an endpoint has let through after so many minutes of one and the same rehearsal;
 * `refused`: its 429s. */
static int64_t served_after(pacing_t pacing, int minutes, uint64_t *refused) {
    rehearsal_options_t options = {
        .seed = 7, .config = config, .slowest_work = 1000, .slowest_commit = CLOCK_SECOND / 1000};
    rehearsal_t *rehearsal = rehearsal_create(&options);
    provider_script_t script = {.name = "a",
                                .base_url = "http://a.test/v1",
                                .rpm = pacing == BY_TOKENS ? 0 : RPM,
                                .tpm = pacing == BY_TOKENS ? TPM : 0,
                                .per_second = pacing == BY_SECOND ? RPM / 60 : 0,
                                .transit = 4000,
                                .think = CLOCK_SECOND / 10};
    provider_add(rehearsal_providers(rehearsal), &script);
    rehearsal_set(rehearsal, pacing == BY_TOKENS ? "endpoints.a.tpm=%d" : "endpoints.a.rpm=%d",
                  pacing == BY_TOKENS ? TPM : RPM);
    doom_t doom = {.interrupt_in = minutes * CLOCK_MINUTE};
    bool went = rehearsal_start(rehearsal, &doom) == REHEARSAL_FINISHED &&
                rehearsal_outcome(rehearsal)->end == END_INTERRUPTED;
    if (!went || *rehearsal_problems(rehearsal)) {
        fprintf(stderr, "bench_pacing: the rehearsal went wrong: %s%s\n",
                rehearsal_error(rehearsal), rehearsal_problems(rehearsal));
        exit(1);
    }
    const provider_totals_t *totals = provider_totals(rehearsal_providers(rehearsal));
    int64_t served = pacing == BY_TOKENS
                         ? provider_served_tokens(rehearsal_providers(rehearsal), "a")
                         : (int64_t)(totals->arrivals - totals->violations);
    *refused = totals->violations;
    rehearsal_free(rehearsal);
    return served;
}

static bool measure(pacing_t pacing, const char *what) {
    uint64_t refused;
    /* probes come first: the minutes after the first one count */
    int64_t before = served_after(pacing, 1, &refused);
    int64_t served = served_after(pacing, MINUTES + 1, &refused) - before;
    double share = (double)served / ((pacing == BY_TOKENS ? TPM : RPM) * (double)MINUTES);
    bool good = share >= 0.99 && refused == 0;
    printf("| pacing against %s, ten virtual minutes: share of the allowed throughput | %.2f %%, "
           "%llu times 429 | at least 99 %%, no 429 | %s |\n",
           what, 100 * share, (unsigned long long)refused, good ? "yes" : "**NO**");
    return good;
}

int main(void) {
    bool good = measure(BY_REQUESTS, "a strict sliding window of 600 requests a minute");
    good = measure(BY_TOKENS, "a strict sliding window of 600,000 tokens a minute") && good;
    good = measure(BY_SECOND, "one that, besides, lets 10 requests through in any second") && good;
    return good ? 0 : 1;
}
