/* log.c - log lines without secrets, one line each. */
#include "core/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/base/text.h"

enum { SECRET_LEAST = 4, TAIL_LEAST = 8 };

struct log {
    log_level_t least;
    log_write_t *write;
    void *context;
    /* the longest first, so that one within another does not leave the rest of it */
    char **secrets;
    size_t secret_count;
};

log_t *log_create(log_level_t least, log_write_t *write, void *context) {
    log_t *log = MEMORY_NEW(log_t);
    log->least = least;
    log->write = write;
    log->context = context;
    return log;
}

void log_free(log_t *log) {
    if (!log)
        return;
    for (size_t i = 0; i < log->secret_count; i++)
        free(log->secrets[i]);
    free(log->secrets);
    free(log);
}

void log_add_secret(log_t *log, const char *secret) {
    if (!log || !secret || strlen(secret) < SECRET_LEAST)
        return;
    for (size_t i = 0; i < log->secret_count; i++)
        if (strcmp(log->secrets[i], secret) == 0)
            return;
    log->secrets = memory_resize(log->secrets, log->secret_count + 1, sizeof log->secrets[0]);
    size_t at = log->secret_count++;
    for (; at > 0 && strlen(log->secrets[at - 1]) < strlen(secret); at--)
        log->secrets[at] = log->secrets[at - 1];
    log->secrets[at] = memory_copy_string(secret);
}

/* Bytes at `text` that a secret takes; 0: none begins here. A text may have been cut within a
 * secret (error messages have a maximum), so the beginning of one counts at the very end. */
static size_t secret_here(const log_t *log, const char *text) {
    for (size_t i = 0; i < log->secret_count; i++) {
        const char *secret = log->secrets[i];
        size_t same = 0;
        while (secret[same] != '\0' && text[same] == secret[same])
            same++;
        if (secret[same] == '\0' || (same >= TAIL_LEAST && text[same] == '\0'))
            return same;
    }
    return 0;
}

void log_redact(const log_t *log, char *text) {
    static const char replacement[] = "[secret]";
    if (!log || log->secret_count == 0)
        return;
    const char *from = text;
    char *to = text;
    while (*from != '\0') {
        size_t taken = secret_here(log, from);
        if (taken == 0) {
            *to++ = *from++;
            continue;
        }
        size_t length = taken < sizeof replacement - 1 ? taken : sizeof replacement - 1;
        memcpy(to, replacement, length);
        to += length;
        from += taken;
    }
    *to = '\0';
}

static void write_line(const log_t *log, log_level_t level, char *text) {
    log_redact(log, text);
    buffer_t line = BUFFER_EMPTY;
    text_append_visible(&line, text, strlen(text)); /* what a peer sent cannot steer the terminal */
    log->write(log->context, level, buffer_text(&line));
    buffer_free(&line);
}

void log_line(log_t *log, log_level_t level, const char *format, ...) {
    if (!log || !log->write || level < log->least)
        return;
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        char *text = memory_resize(NULL, (size_t)length + 1, 1);
        vsnprintf(text, (size_t)length + 1, format, again);
        write_line(log, level, text);
        free(text);
    }
    va_end(again);
}
