/* http.c - what every implementation of the http port shares. */
#include "core/net/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/memory.h"
#include "core/base/text.h"

/* Long enough for any honest value; request ids are stored with each attempt. */
enum { FIELD_MAXIMUM = 256 };

static const char *const OUTCOME_NAMES[] = {
    [HTTP_COMPLETE] = "complete",   [HTTP_REFUSED] = "refused",     [HTTP_BROKEN] = "broken",
    [HTTP_TIMED_OUT] = "timed_out", [HTTP_TOO_LARGE] = "too_large", [HTTP_CANCELLED] = "cancelled",
};

const char *http_outcome_name(http_outcome_t outcome) {
    size_t index = (size_t)outcome;
    return index < sizeof OUTCOME_NAMES / sizeof *OUTCOME_NAMES ? OUTCOME_NAMES[index] : "unknown";
}

static char **field_named(http_fields_t *fields, const char *name, size_t length) {
    const struct {
        const char *name;
        char **value;
    } rows[] = {
        {"content-type", &fields->content_type},
        {"retry-after", &fields->retry_after},
        {"retry-after-ms", &fields->retry_after_ms},
        {"x-request-id", &fields->request_id},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == length && strncasecmp(rows[i].name, name, length) == 0)
            return rows[i].value;
    return NULL;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void http_fields_read(http_fields_t *fields, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (!colon)
        return;
    char **value = field_named(fields, line, (size_t)(colon - line));
    if (!value)
        return;
    const char *start = colon + 1;
    const char *end = line + length;
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    size_t size = (size_t)(end - start) < FIELD_MAXIMUM ? (size_t)(end - start) : FIELD_MAXIMUM;
    free(*value);
    *value = memory_copy(start, size);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)(*value)[i] < 0x20 || (unsigned char)(*value)[i] > 0x7e)
            (*value)[i] = '?';
}

int http_status_read(const char *line, size_t length) {
    const char *space = memchr(line, ' ', length);
    int status = 0;
    if (!space)
        return 0;
    for (const char *c = space + 1; c < line + length && *c >= '0' && *c <= '9' && status < 1000;
         c++)
        status = status * 10 + (*c - '0');
    return status < 1000 ? status : 0;
}

void http_fields_clear(http_fields_t *fields) {
    free(fields->content_type);
    free(fields->retry_after);
    free(fields->retry_after_ms);
    free(fields->request_id);
    *fields = (http_fields_t){0};
}

void http_detail_set(http_response_t *response, const char *text) {
    size_t length = strlen(text);
    if (length >= sizeof response->detail)
        length = sizeof response->detail - 1;
    length = text_utf8_valid_prefix(text, length);
    memcpy(response->detail, text, length);
    response->detail[length] = '\0';
    for (char *c = response->detail; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

void http_response_clear(http_response_t *response) {
    buffer_free(&response->body);
    http_fields_clear(&response->fields);
    *response = (http_response_t){0};
}

const char *http_request_refusal(const http_request_t *request) {
    bool post = strcmp(request->method, "POST") == 0;
    if (!post && strcmp(request->method, "GET") != 0)
        return "the method is neither GET nor POST";
    if (!post && request->body_length > 0)
        return "a GET request has no body";
    if (strncasecmp(request->url, "http://", 7) != 0 &&
        strncasecmp(request->url, "https://", 8) != 0)
        return "the URL starts with neither http:// nor https://";
    for (size_t i = 0; i < request->header_count; i++) {
        if (strpbrk(request->headers[i], "\r\n"))
            return "a header holds a line break";
        if (!strchr(request->headers[i], ':'))
            return "a header has no colon";
    }
    return NULL;
}

bool http_url_is_loopback(const char *url) {
    static const char *const HOSTS[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = strstr(url, "://");
    if (!host)
        return false;
    host += 3;
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; i++) {
        size_t length = strlen(HOSTS[i]);
        if (strncasecmp(host, HOSTS[i], length) == 0 &&
            (host[length] == '\0' || strchr(":/?#", host[length])))
            return true;
    }
    return false;
}
