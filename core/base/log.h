/* log.h - lines for the person who runs glia.
 *
 * Log lines go to a sink that the program sets (standard error, or nowhere under test). There is no
 * global: a `log_t` is handed to whoever may write. Secrets that are registered are replaced by
 * "[secret]" in every line, wherever they come from.
 */
#ifndef GLIA_BASE_LOG_H
#define GLIA_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } log_level_t;

typedef struct log log_t;

/* `write` gets one line without newline; it is called on the thread that logs (the loop thread). */
typedef void log_write_t(void *context, log_level_t level, const char *line);

log_t *log_create(log_level_t least, log_write_t *write, void *context);
void log_free(log_t *log);
/* From now on `secret` (copied; shorter than 4 bytes: ignored) never leaves through this
 * log; nor does a beginning of it of 8 bytes or more at the end of a line, where a message
 * may have been cut. */
void log_add_secret(log_t *log, const char *secret);
/* NULL log: does nothing. Control characters are shown as \n, \xNN. */
void log_line(log_t *log, log_level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Replaces every registered secret in `text` in place; for errors and stored failure messages.
 * The text never grows (the replacement is cut to the secret's length). */
void log_redact(const log_t *log, char *text);

#endif
