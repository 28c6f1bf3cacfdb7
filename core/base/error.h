/* error.h - how every part of glia says that something went wrong.
 *
 * A function that can fail returns bool (true: done) or a pointer (NULL: failed) and takes an
 * `error_info_t *` as its last parameter. On failure it fills in a class and one line of text that
 * names the thing (file, key, line, endpoint) and the fix. Library code never prints, never exits.
 */
#ifndef GLIA_BASE_ERROR_H
#define GLIA_BASE_ERROR_H

#include <stdbool.h>

/* One row a class: enum, name, exit code of the program when the error reaches the top. */
#define ERROR_CLASS_MAP(ROW)                                                                \
    ROW(NONE, "none", 0)                                                                    \
    ROW(USAGE, "usage", 2)         /* the command line is wrong */                          \
    ROW(CONFIG, "config", 2)       /* a config file, an input file or a limit is wrong */   \
    ROW(RETRYABLE, "retryable", 4) /* the world is in the way now; trying later can help */ \
    ROW(FATAL, "fatal", 1)         /* this operation can never succeed as things are */     \
    ROW(BUG, "bug", 1)             /* glia broke a promise of its own */

typedef enum {
#define ERROR_CLASS_ENUM(name, text, code) ERROR_##name,
    ERROR_CLASS_MAP(ERROR_CLASS_ENUM)
#undef ERROR_CLASS_ENUM
} error_class_t;

enum { ERROR_MESSAGE_SIZE = 1024 };

typedef struct {
    error_class_t class_;
    char message[ERROR_MESSAGE_SIZE]; /* UTF-8, one line, no trailing newline, always terminated */
} error_info_t;

/* Fills in *error (NULL: does nothing) and returns false, so that `return error_set(...)` reads
 * well. A message that is too long is cut at a character boundary. Newlines become spaces. */
bool error_set(error_info_t *error, error_class_t class_, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there. Returns false. */
bool error_prefix(error_info_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *error_class_name(error_class_t class_);
int error_exit_code(error_class_t class_);

#endif
