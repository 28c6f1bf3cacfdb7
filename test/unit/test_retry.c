/* test_retry.c - what exchanges mean, as tables; waiting times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/text.h"
#include "core/net/retry.h"
#include "core/runtime/clock.h"

static retry_verdict_t classify(http_outcome_t outcome, int status, const char *body,
                                retry_detail_t *detail) {
    http_response_t response = {
        .outcome = outcome, .status = status, .sent = true, .detail = "the wire said so"};
    buffer_append_text(&response.body, body);
    retry_verdict_t verdict = retry_classify(&response, detail);
    http_response_clear(&response);
    return verdict;
}

typedef struct {
    int status;
    const char *body;
    retry_verdict_t verdict;
    const char *code;
    const char *message;
} row_t;

static const row_t RESPONSES[] = {
    {200, "{}", RETRY_ANSWER, "", ""},
    {200, "{\"choices\": [{\"logprob\": -Infinity}], \"message\": \"m\", \"type\": \"t\"}",
     RETRY_ANSWER, "", ""},
    {200, "{\"choices\": [], \"error\": null}", RETRY_ANSWER, "", ""},
    {200, "{\"error\": {\"message\": \"overloaded\", \"code\": 502}}", RETRY_GARBLED, "502",
     "overloaded"},
    {200, "{\"error\": {\"message\": \"no money\", \"code\": \"insufficient_quota\"}}",
     RETRY_GARBLED, "insufficient_quota", "no money"}, /* a 200 is never free */
    {200, "{\"error\": false}", RETRY_GARBLED, "", "HTTP 200, but the body is an error"},
    {200, "[]", RETRY_GARBLED, "", "HTTP 200, but the body is no JSON object"},
    {200, "{\"a\": 1", RETRY_GARBLED, "", "HTTP 200, but the body is no JSON object"},
    {200, "{} {}", RETRY_GARBLED, "", "HTTP 200, but the body is no JSON object"},
    {200, "", RETRY_GARBLED, "", "HTTP 200, but the body is no JSON object"},
    {201, "{}", RETRY_UNEXPECTED, "", "HTTP 201: {}"},
    {302, "", RETRY_UNEXPECTED, "", "HTTP 302"},
    {418, "", RETRY_UNEXPECTED, "", "HTTP 418"},
    {422, "{\"detail\": \"bad field\"}", RETRY_UNEXPECTED, "", "bad field"},
    {400,
     "{\"error\": {\"message\": \"too\\nlong\", \"type\": \"invalid_request_error\", \"code\": "
     "null}}",
     RETRY_REJECTED, "invalid_request_error", "too\\nlong"},
    {400, "{\"error\": {\"code\": \"billing_hard_limit_reached\"}}", RETRY_QUOTA,
     "billing_hard_limit_reached",
     "HTTP 400: {\"error\": {\"code\": \"billing_hard_limit_reached\"}}"},
    {400,
     "{\"object\": \"error\", \"message\": \"as vLLM\", \"type\": \"BadRequestError\", \"code\": "
     "400}",
     RETRY_REJECTED, "BadRequestError", "as vLLM"},
    {400, "{\"error\": \"as text\"}", RETRY_REJECTED, "", "as text"},
    {404, "<html>no</html>\n", RETRY_REJECTED, "", "HTTP 404: <html>no</html>\\n"},
    {401, "{\"error\": {\"message\": \"m\", \"code\": \"invalid_api_key\"}}", RETRY_CREDENTIALS,
     "invalid_api_key", "m"},
    {403, "", RETRY_CREDENTIALS, "", "HTTP 403"},
    {403, "{\"error\": {\"type\": \"access_terminated\", \"code\": \"x\", \"message\": \"m\"}}",
     RETRY_QUOTA, "x", "m"},
    {402, "", RETRY_QUOTA, "", "HTTP 402"},
    {408, "", RETRY_TIMEOUT, "", "HTTP 408"},
    {409, "", RETRY_CONFLICT, "", "HTTP 409"},
    {429, "", RETRY_RATE_LIMIT, "", "HTTP 429"},
    {429, "{\"error\": {\"code\": \"rate_limit_exceeded\", \"message\": \"slow\"}}",
     RETRY_RATE_LIMIT, "rate_limit_exceeded", "slow"},
    {429, "{\"error\": {\"type\": \"insufficient_quota\", \"message\": \"pay\"}}", RETRY_QUOTA,
     "insufficient_quota", "pay"},
    {429, "{\"error\": {\"code\": \"billing_not_active\", \"message\": \"pay\"}}", RETRY_QUOTA,
     "billing_not_active", "pay"},
    {429, "{\"error\": {\"code\": \"insufficient_credits\", \"message\": \"pay\"}}", RETRY_QUOTA,
     "insufficient_credits", "pay"},
    {500, "{\"error\": {\"code\": \"insufficient_quota\", \"message\": \"m\"}}", RETRY_SERVER,
     "insufficient_quota", "m"}, /* may have been billed all the same */
    {503, "<html>", RETRY_SERVER, "", "HTTP 503: <html>"},
    {529, "", RETRY_SERVER, "", "HTTP 529"},
};

static void whole_responses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof RESPONSES / sizeof *RESPONSES; i++) {
        retry_detail_t detail;
        retry_verdict_t verdict =
            classify(HTTP_COMPLETE, RESPONSES[i].status, RESPONSES[i].body, &detail);
        assert_string_equal(retry_verdict_name(verdict), retry_verdict_name(RESPONSES[i].verdict));
        assert_string_equal(detail.code, RESPONSES[i].code);
        assert_string_equal(detail.message, RESPONSES[i].message);
    }
}

static void other_outcomes(void **state) {
    (void)state;
    static const struct {
        http_outcome_t outcome;
        retry_verdict_t verdict;
    } ROWS[] = {
        {HTTP_REFUSED, RETRY_CONNECT},     {HTTP_BROKEN, RETRY_BROKEN},
        {HTTP_TIMED_OUT, RETRY_TIMEOUT},   {HTTP_TOO_LARGE, RETRY_OVERSIZED},
        {HTTP_CANCELLED, RETRY_CANCELLED},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        retry_detail_t detail;
        /* A status line and part of a body do not make it an answer. */
        assert_int_equal(classify(ROWS[i].outcome, 200, "{}", &detail), ROWS[i].verdict);
        assert_string_equal(detail.message, "the wire said so");
        assert_string_equal(detail.code, "");
    }
}

static void details_are_cut_at_characters(void **state) {
    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        buffer_t body = BUFFER_EMPTY;
        buffer_append_text(&body, "{\"error\": {\"code\": \"");
        for (size_t i = 0; i < 100 + shift; i++)
            buffer_append_text(&body, i < shift ? "x" : "\xe2\x82\xac");
        buffer_append_text(&body, "\", \"message\": \"");
        for (size_t i = 0; i < 5000 + shift; i++)
            buffer_append_text(&body, i < shift ? "x" : "\xf0\x9f\x98\x80");
        buffer_append_text(&body, "\"}}");
        retry_detail_t detail;
        assert_int_equal(classify(HTTP_COMPLETE, 400, body.data, &detail), RETRY_REJECTED);
        assert_int_equal(text_utf8_valid_prefix(detail.message, strlen(detail.message)),
                         strlen(detail.message));
        assert_int_equal(text_utf8_valid_prefix(detail.code, strlen(detail.code)),
                         strlen(detail.code));
        assert_true(strlen(detail.message) > sizeof detail.message - 5);
        assert_true(strlen(detail.code) > sizeof detail.code - 4);
        assert_null(strchr(detail.message, '\\'));
        buffer_free(&body);
    }
}

static void verdicts_have_names_and_traits(void **state) {
    (void)state;
    for (int i = 0; i < RETRY_VERDICT_COUNT; i++) {
        retry_verdict_t found;
        assert_true(retry_verdict_from_name(retry_verdict_name((retry_verdict_t)i), &found));
        assert_int_equal(found, i);
    }
    retry_verdict_t found;
    assert_false(retry_verdict_from_name("nonsense", &found));
    /* Clear rejections cost nothing; all that may have been worked on does. */
    assert_true(retry_verdict_is_free(RETRY_CONNECT) && retry_verdict_is_free(RETRY_RATE_LIMIT) &&
                retry_verdict_is_free(RETRY_REJECTED) && retry_verdict_is_free(RETRY_CREDENTIALS));
    assert_false(retry_verdict_is_free(RETRY_BROKEN) || retry_verdict_is_free(RETRY_TIMEOUT) ||
                 retry_verdict_is_free(RETRY_SERVER) || retry_verdict_is_free(RETRY_GARBLED));
    assert_false(retry_verdict_tries_again(RETRY_REJECTED) ||
                 retry_verdict_tries_again(RETRY_OVERSIZED));
    assert_true(retry_verdict_tries_again(RETRY_SERVER) &&
                retry_verdict_blames_endpoint(RETRY_SERVER));
    assert_false(retry_verdict_blames_endpoint(RETRY_RATE_LIMIT));
}

static int64_t after(const char *seconds, const char *milliseconds, int64_t utc_now) {
    char first[64] = "", second[64] = "";
    if (seconds)
        memcpy(first, seconds, strlen(seconds) + 1);
    if (milliseconds)
        memcpy(second, milliseconds, strlen(milliseconds) + 1);
    http_fields_t fields = {.retry_after = seconds ? first : NULL,
                            .retry_after_ms = milliseconds ? second : NULL};
    return retry_after(&fields, utc_now);
}

static void retry_after_is_read(void **state) {
    (void)state;
    const int64_t now = 784111777 * CLOCK_SECOND; /* Sun, 06 Nov 1994 08:49:37 GMT */
    const int64_t day = 24 * 60 * CLOCK_MINUTE;
    static const char *const NONSENSE[] = {"",
                                           " ",
                                           "soon",
                                           "1e3",
                                           "1s",
                                           ".5",
                                           "+1",
                                           "- 1",
                                           "Sun, 06 Nov 1994 08:49:37",
                                           "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                           "Sun, 06 anF 1994 08:49:37 GMT",
                                           "Sun, 06 Nov 1994 25:49:37 GMT",
                                           "Sunday, 06-Nov-94 08:49:37 GMT",
                                           "Sun, 00 Nov 1994 08:49:37 GMT"};
    assert_int_equal(after(NULL, NULL, now), -1);
    for (size_t i = 0; i < sizeof NONSENSE / sizeof *NONSENSE; i++)
        assert_int_equal(after(NONSENSE[i], NULL, now), -1);
    assert_int_equal(after("0", NULL, now), 0);
    assert_int_equal(after("17", NULL, now), 17 * CLOCK_SECOND);
    assert_int_equal(after("0.25", NULL, now), 250000);
    assert_int_equal(after("1.0000019", NULL, now), CLOCK_SECOND + 1);
    assert_int_equal(after("-5", NULL, now), 0);
    assert_int_equal(after("99999999999999999999999", NULL, now), day);
    assert_int_equal(after("17", "1500", now), 1500000);
    assert_int_equal(after(NULL, "0.5", now), 500);
    assert_int_equal(after("17", "soon", now), 17 * CLOCK_SECOND);
    assert_int_equal(after("Sun, 06 Nov 1994 08:49:37 GMT", NULL, now), 0);
    assert_int_equal(after("Sun, 06 Nov 1994 08:50:07 GMT", NULL, now), 30 * CLOCK_SECOND);
    assert_int_equal(after("Sun, 06 Nov 1994 08:00:00 GMT", NULL, now), 0);
    assert_int_equal(after("Thu, 29 Feb 2024 23:59:59 GMT", NULL, 1709251199 * CLOCK_SECOND - 2),
                     2);
    assert_int_equal(after("Fri, 31 Dec 9999 23:59:59 GMT", NULL, now), day);
}

static void backoff_doubles_within_its_jitter(void **state) {
    (void)state;
    rng_t rng = rng_create(3);
    static const int64_t SECONDS[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (int tries = 0; tries < 8; tries++) {
        int64_t bound = SECONDS[tries] * CLOCK_SECOND;
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t wait = retry_backoff(&rng, tries);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_true(least >= bound / 2 && most <= bound);
        assert_true(most - least > bound * 45 / 100); /* spread over the whole range */
    }
    assert_true(retry_backoff(&rng, 1000000) <= 60 * CLOCK_SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_responses),
        cmocka_unit_test(other_outcomes),
        cmocka_unit_test(details_are_cut_at_characters),
        cmocka_unit_test(verdicts_have_names_and_traits),
        cmocka_unit_test(retry_after_is_read),
        cmocka_unit_test(backoff_doubles_within_its_jitter),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
