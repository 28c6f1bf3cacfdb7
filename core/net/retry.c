/* retry.c - what a failed exchange means, and how long to wait. */
#include "core/net/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/runtime/clock.h"

static const int64_t WAIT_MAXIMUM = 24 * 60 * CLOCK_MINUTE;
static const int64_t BACKOFF_MAXIMUM = 60 * CLOCK_SECOND;

typedef struct {
    const char *name;
    bool is_free;
    bool tries_again;
    bool blames_endpoint;
} verdict_row_t;

static const verdict_row_t VERDICTS[RETRY_VERDICT_COUNT] = {
#define VERDICT_ROW(name, text, free_, again, endpoint) \
    [RETRY_##name] = {text, free_, again, endpoint},
    RETRY_VERDICT_MAP(VERDICT_ROW)
#undef VERDICT_ROW
};

const char *retry_verdict_name(retry_verdict_t verdict) {
    return (unsigned)verdict < RETRY_VERDICT_COUNT ? VERDICTS[verdict].name : "unknown";
}

bool retry_verdict_from_name(const char *name, retry_verdict_t *verdict) {
    for (unsigned i = 0; i < RETRY_VERDICT_COUNT; i++)
        if (strcmp(VERDICTS[i].name, name) == 0) {
            *verdict = (retry_verdict_t)i;
            return true;
        }
    return false;
}

bool retry_verdict_is_free(retry_verdict_t verdict) {
    return VERDICTS[verdict].is_free;
}

bool retry_verdict_tries_again(retry_verdict_t verdict) {
    return VERDICTS[verdict].tries_again;
}

bool retry_verdict_blames_endpoint(retry_verdict_t verdict) {
    return VERDICTS[verdict].blames_endpoint;
}

/* --- what the body says ----------------------------------------------------------------------- */

/* Copies as one visible line, cut at a character. */
static void copy_line(char *out, size_t size, const char *bytes, size_t length) {
    buffer_t line = BUFFER_EMPTY;
    /* No byte becomes shorter when it is made visible: more input cannot show (4: a character
     * that is cut here). */
    text_append_visible(&line, bytes, length < size + 4 ? length : size + 4);
    const char *text = buffer_text(&line);
    size_t used = text_utf8_valid_prefix(text, line.length < size ? line.length : size - 1);
    memcpy(out, text, used);
    out[used] = '\0';
    buffer_free(&line);
}

static bool copy_string(char *out, size_t size, const json_value_t *value) {
    size_t length = 0;
    const char *string = json_as_string(value, &length);
    if (!string || length == 0)
        return false;
    copy_line(out, size, string, length);
    return true;
}

/* {"error": {"message", "type", "code"}} as OpenAI writes it; "error" as text, and the keys at the
 * top as others do. */
static void read_error(const json_value_t *root, retry_detail_t *detail, char type[64]) {
    const json_value_t *error = json_get(root, "error");
    if (!json_is(error, JSON_KIND_OBJECT)) {
        if (!copy_string(detail->message, sizeof detail->message, error) &&
            !copy_string(detail->message, sizeof detail->message, json_get(root, "message")))
            copy_string(detail->message, sizeof detail->message, json_get(root, "detail"));
        error = root;
    } else {
        copy_string(detail->message, sizeof detail->message, json_get(error, "message"));
    }
    int64_t number;
    copy_string(type, 64, json_get(error, "type"));
    if (copy_string(detail->code, sizeof detail->code, json_get(error, "code")))
        return;
    if (*type)
        memcpy(detail->code, type, sizeof detail->code);
    else if (json_as_integer(json_get(error, "code"), &number))
        snprintf(detail->code, sizeof detail->code, "%lld", (long long)number);
}

static bool names_quota(const char *code) {
    static const char *const KIN[] = {"insufficient_quota", "billing_hard_limit_reached",
                                      "billing_not_active", "insufficient_credits",
                                      "access_terminated"};
    for (size_t i = 0; i < sizeof KIN / sizeof *KIN; i++)
        if (strcmp(code, KIN[i]) == 0)
            return true;
    return false;
}

/* --- classes ---------------------------------------------------------------------------------- */

static retry_verdict_t classify_status(int status, bool quota) {
    switch (status) {
    case 400:
    case 404: return quota ? RETRY_QUOTA : RETRY_REJECTED;
    case 401:
    case 403: return quota ? RETRY_QUOTA : RETRY_CREDENTIALS;
    case 402: return RETRY_QUOTA; /* Payment Required: the account is empty */
    case 408: return RETRY_TIMEOUT;
    case 409: return RETRY_CONFLICT;
    case 429: return quota ? RETRY_QUOTA : RETRY_RATE_LIMIT;
    default: return status >= 500 && status <= 599 ? RETRY_SERVER : RETRY_UNEXPECTED;
    }
}

static retry_verdict_t classify_answer(const json_value_t *root, retry_detail_t *detail) {
    if (json_is(root, JSON_KIND_OBJECT) && json_is(json_get(root, "error"), JSON_KIND_NULL))
        return RETRY_ANSWER; /* absent, or null, as some servers write it */
    if (!*detail->message)
        snprintf(detail->message, sizeof detail->message, "HTTP 200, but the body is %s",
                 json_is(root, JSON_KIND_OBJECT) ? "an error" : "no JSON object");
    return RETRY_GARBLED;
}

static retry_verdict_t classify_response(const http_response_t *response, retry_detail_t *detail,
                                         json_value_t **document) {
    error_info_t error = {0};
    char type[64] = "";
    const char *text = buffer_text(&response->body);
    json_value_t *root =
        json_parse(text, response->body.length, "answer", JSON_ALLOW_NONFINITE, &error);
    bool answer = response->status == 200 && json_is(root, JSON_KIND_OBJECT);
    if (!answer || !json_is(json_get(root, "error"), JSON_KIND_NULL))
        read_error(root, detail, type);
    retry_verdict_t verdict =
        response->status == 200
            ? classify_answer(root, detail)
            : classify_status(response->status, names_quota(detail->code) || names_quota(type));
    *document = verdict == RETRY_ANSWER ? root : NULL;
    if (!*document)
        json_free(root);
    if (verdict != RETRY_ANSWER && !*detail->message) {
        char start[160];
        copy_line(start, sizeof start, text, response->body.length);
        snprintf(detail->message, sizeof detail->message, "HTTP %d%s%s", response->status,
                 *start ? ": " : "", start);
    }
    return verdict;
}

retry_verdict_t retry_read(const http_response_t *response, retry_detail_t *detail,
                           json_value_t **answer) {
    *detail = (retry_detail_t){0};
    *answer = NULL;
    if (response->outcome == HTTP_COMPLETE)
        return classify_response(response, detail, answer);
    copy_line(detail->message, sizeof detail->message, response->detail, strlen(response->detail));
    switch (response->outcome) {
    case HTTP_REFUSED: return RETRY_CONNECT;
    case HTTP_TIMED_OUT: return RETRY_TIMEOUT;
    case HTTP_TOO_LARGE: return RETRY_OVERSIZED;
    case HTTP_CANCELLED: return RETRY_CANCELLED;
    case HTTP_BROKEN:
    case HTTP_COMPLETE: break;
    }
    return RETRY_BROKEN;
}

retry_verdict_t retry_classify(const http_response_t *response, retry_detail_t *detail) {
    json_value_t *answer;
    retry_verdict_t verdict = retry_read(response, detail, &answer);
    json_free(answer);
    return verdict;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static int64_t clamp_wait(int64_t wait) {
    return wait < 0 ? 0 : wait > WAIT_MAXIMUM ? WAIT_MAXIMUM : wait;
}

/* A decimal "12", "0.5" in units of `unit` microseconds; false: something else.
 * Locale plays no part. */
static bool parse_decimal(const char *text, int64_t unit, int64_t *microseconds) {
    bool negative = *text == '-';
    const char *c = text + (negative ? 1 : 0);
    int64_t whole = 0;
    int64_t fraction = 0;
    if (*c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9'; c++)
        whole = whole > 1000000000 ? whole : whole * 10 + (*c - '0');
    if (*c == '.') {
        c++;
        for (int64_t place = unit / 10; *c >= '0' && *c <= '9'; c++, place /= 10)
            fraction += place * (*c - '0');
    }
    if (*c != '\0')
        return false;
    *microseconds = negative ? 0 : whole * unit + fraction;
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
 * date algorithms").
 */
static int64_t days_from_civil(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 5.6.7); the obsolete
 * forms are not read. */
static bool parse_http_date(const char *text, int64_t *utc) {
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month_name[4];
    int day, year, hour, minute, second;
    int used = 0;
    int found = sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month_name,
                       &year, &hour, &minute, &second, &used);
    if (found != 6 || used == 0 || text[used] != '\0' || strlen(month_name) != 3)
        return false;
    const char *month = strstr(MONTHS, month_name);
    if (!month || (month - MONTHS) % 3 != 0)
        return false;
    if (day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return false;
    int64_t days = days_from_civil(year, (int)(month - MONTHS) / 3 + 1, day);
    *utc = (((days * 24 + hour) * 60 + minute) * 60 + second) * CLOCK_SECOND;
    return true;
}

int64_t retry_after(const http_fields_t *fields, int64_t utc_now) {
    int64_t value;
    if (fields->retry_after_ms && parse_decimal(fields->retry_after_ms, 1000, &value))
        return clamp_wait(value);
    if (!fields->retry_after)
        return -1;
    if (parse_decimal(fields->retry_after, CLOCK_SECOND, &value))
        return clamp_wait(value);
    if (parse_http_date(fields->retry_after, &value))
        return clamp_wait(value - utc_now);
    return -1;
}

int64_t retry_backoff(rng_t *rng, int tries) {
    int64_t bound = tries < 0 ? CLOCK_SECOND : tries > 5 ? BACKOFF_MAXIMUM : CLOCK_SECOND << tries;
    return bound / 2 + (int64_t)rng_below(rng, (uint64_t)(bound / 2) + 1);
}
