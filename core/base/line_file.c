/* line_file.c - files of lines: a window that moves over the one, a tail that
 * grows on the other. */
#include "core/base/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"

enum { CHUNK = 256 << 10, KEPT_CAPACITY = 1 << 20 };

static error_class_t class_of(int code) {
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        return ERROR_RETRYABLE;
    return code == EIO ? ERROR_FATAL : ERROR_CONFIG;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct line_reader {
    int file;
    char *path;
    size_t maximum;
    uint64_t size, offset; /* of the file; what was read of it */
    uint64_t number;
    char *bytes; /* [capacity]; what is not yet handed out is [start, end) */
    size_t capacity, start, end;
    bool ended;
};

line_reader_t *line_reader_open(const char *path, size_t maximum, error_info_t *error) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        error_set(error, ERROR_CONFIG, "%s: cannot open: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return NULL;
    }
    if (S_ISDIR(status.st_mode)) {
        error_set(error, ERROR_CONFIG, "%s: is a directory; give a file", path);
        close(file);
        return NULL;
    }
    line_reader_t *reader = MEMORY_NEW(line_reader_t);
    reader->file = file;
    reader->path = memory_copy_string(path);
    reader->maximum = maximum;
    reader->size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return reader;
}

void line_reader_close(line_reader_t *reader) {
    if (!reader)
        return;
    close(reader->file);
    free(reader->path);
    free(reader->bytes);
    free(reader);
}

/* Reads more behind what is there. False: *error is set. */
static bool fill(line_reader_t *reader, error_info_t *error) {
    if (reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->capacity > KEPT_CAPACITY && reader->end < CHUNK) {
        reader->capacity = 2 * CHUNK; /* a long line is over */
        reader->bytes = memory_resize(reader->bytes, reader->capacity, 1);
    }
    if (reader->capacity - reader->end < CHUNK) {
        reader->capacity = 2 * reader->capacity + CHUNK;
        reader->bytes = memory_resize(reader->bytes, reader->capacity, 1);
    }
    ssize_t got;
    do
        got = read(reader->file, reader->bytes + reader->end, CHUNK);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set(error, ERROR_CONFIG, "%s: cannot read: %s", reader->path, strerror(errno));
    reader->end += (size_t)got;
    reader->offset += (size_t)got;
    reader->ended = got == 0;
    return true;
}

/* Hands out `length` bytes from the start, of a line of `size`. */
static line_result_t hand_out(line_reader_t *reader, size_t length, uint64_t size, line_t *line) {
    const char *text = reader->bytes + reader->start;
    bool carriage = size == length && length > 0 && text[length - 1] == '\r';
    *line = (line_t){.text = text,
                     .length = length - carriage,
                     .number = ++reader->number,
                     .size = size - carriage};
    return LINE_READ;
}

/* The rest of a line that is longer than the maximum: *size becomes its length. */
static bool skip_rest(line_reader_t *reader, uint64_t *size, error_info_t *error) {
    size_t seen = reader->maximum;
    *size = 0;
    for (;;) {
        char *found = memchr(reader->bytes + seen, '\n', reader->end - seen);
        if (found) {
            size_t at = (size_t)(found - reader->bytes);
            *size += at;
            memmove(reader->bytes + reader->maximum, found + 1, reader->end - at - 1);
            reader->end = reader->maximum + (reader->end - at - 1);
            return true;
        }
        *size += reader->end - reader->maximum;
        reader->end = reader->maximum;
        if (reader->ended) {
            *size += reader->maximum;
            return true;
        }
        if (!fill(reader, error))
            return false;
    }
}

line_result_t line_reader_next(line_reader_t *reader, line_t *line, error_info_t *error) {
    size_t seen = 0;
    for (;;) {
        size_t there = reader->end - reader->start;
        char *found =
            there > seen ? memchr(reader->bytes + reader->start + seen, '\n', there - seen) : NULL;
        size_t length = found ? (size_t)(found - reader->bytes) - reader->start : there;
        if (length > reader->maximum) {
            uint64_t size = length;
            if (found) {
                line_result_t result = hand_out(reader, reader->maximum, size, line);
                reader->start += length + 1;
                return result;
            }
            memmove(reader->bytes, reader->bytes + reader->start, there);
            reader->start = 0;
            reader->end = there;
            if (!skip_rest(reader, &size, error))
                return LINE_ERROR;
            line_result_t result = hand_out(reader, reader->maximum, size, line);
            reader->start = reader->maximum;
            return result;
        }
        if (found || (reader->ended && length > 0)) {
            line_result_t result = hand_out(reader, length, length, line);
            reader->start += length + (found != NULL);
            return result;
        }
        if (reader->ended)
            return LINE_END;
        seen = there;
        if (!fill(reader, error))
            return LINE_ERROR;
    }
}

double line_reader_share(const line_reader_t *reader) {
    if (reader->size == 0)
        return 0;
    double share = (double)(reader->offset - (reader->end - reader->start)) / (double)reader->size;
    return share < 1 ? share : 1;
}

/* --- adding ----------------------------------------------------------------------------------- */

struct line_adder {
    int file;
    char *path;
    off_t end; /* of what is written whole */
    bool torn; /* there is something behind it */
    buffer_t pending;
};

static bool refuse(const line_adder_t *adder, const char *what, error_info_t *error) {
    int code = errno;
    return error_set(error, class_of(code), "%s: cannot %s: %s", adder->path, what, strerror(code));
}

/* Counts whole lines, and finds where the last one ends. */
static bool count_lines(line_adder_t *adder, uint64_t *lines, error_info_t *error) {
    char *chunk = memory_resize(NULL, CHUNK, 1);
    off_t at = 0;
    bool good = true;
    *lines = 0;
    for (;;) {
        ssize_t got = pread(adder->file, chunk, CHUNK, at);
        if (got < 0 && errno == EINTR)
            continue;
        good = got >= 0;
        if (got <= 0)
            break;
        for (const char *p = chunk; (p = memchr(p, '\n', (size_t)(chunk + got - p))); p++) {
            ++*lines;
            adder->end = at + (p - chunk) + 1;
        }
        at += got;
    }
    free(chunk);
    return good || refuse(adder, "read", error);
}

/* As far as the file goes. */
static bool check_start(const line_adder_t *adder, const char *start, error_info_t *error) {
    char *first = MEMORY_NEW_ARRAY(strlen(start) + 1, char);
    ssize_t got = pread(adder->file, first, strlen(start), 0);
    bool good = got >= 0 && memcmp(first, start, (size_t)got) == 0;
    free(first);
    return good || error_set(error, ERROR_CONFIG,
                             "%s: is another file, which is not to be added to; name a new one",
                             adder->path);
}

line_adder_t *line_adder_open(const char *path, const char *start, uint64_t *lines,
                              error_info_t *error) {
    line_adder_t *adder = MEMORY_NEW(line_adder_t);
    adder->path = memory_copy_string(path);
    adder->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    struct stat status;
    bool good = adder->file >= 0 && fstat(adder->file, &status) == 0;
    if (!good)
        refuse(adder, "open", error);
    else if (!S_ISREG(status.st_mode))
        good = error_set(error, ERROR_CONFIG,
                         "%s: is no regular file; name one that can be continued", path);
    else
        good = check_start(adder, start, error) && count_lines(adder, lines, error);
    adder->torn = good && status.st_size > adder->end;
    if (good)
        return adder;
    line_adder_close(adder);
    return NULL;
}

void line_adder_close(line_adder_t *adder) {
    if (!adder)
        return;
    if (adder->file >= 0)
        close(adder->file);
    free(adder->path);
    buffer_free(&adder->pending);
    free(adder);
}

void line_adder_add(line_adder_t *adder, const char *text, size_t length) {
    buffer_append(&adder->pending, text, length);
    buffer_append_char(&adder->pending, '\n');
}

size_t line_adder_pending(const line_adder_t *adder) {
    return adder->pending.length;
}

static bool cut_torn(line_adder_t *adder, error_info_t *error) {
    if (adder->torn && ftruncate(adder->file, adder->end) != 0)
        return refuse(adder, "cut off a torn line", error);
    adder->torn = false;
    return true;
}

bool line_adder_flush(line_adder_t *adder, error_info_t *error) {
    size_t done = 0;
    if (adder->pending.length > 0 && !cut_torn(adder, error))
        return false;
    while (done < adder->pending.length) {
        ssize_t put = pwrite(adder->file, adder->pending.data + done, adder->pending.length - done,
                             adder->end + (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return refuse(adder, "write", error);
        done += (size_t)put;
    }
    adder->end += (off_t)done;
    if (adder->pending.capacity > KEPT_CAPACITY)
        buffer_free(&adder->pending);
    buffer_clear(&adder->pending);
    return true;
}

bool line_adder_sync(line_adder_t *adder, error_info_t *error) {
    if (!cut_torn(adder, error) || !line_adder_flush(adder, error))
        return false;
    return fsync(adder->file) == 0 || errno == EINVAL || refuse(adder, "write", error);
}

bool line_adder_empty(line_adder_t *adder, error_info_t *error) {
    buffer_clear(&adder->pending);
    adder->end = 0;
    adder->torn = false;
    return ftruncate(adder->file, 0) == 0 || refuse(adder, "write", error);
}
