/* corpus_stream.c - reading files in chunks, through zlib or zstd where they are packed. */
#include "core/subject/corpus_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/memory.h"
#include "core/base/text.h"

enum { CHUNK = 1 << 17 };

typedef enum { PLAIN, GZIP, ZSTD, UNKNOWN /* the first bytes will say */ } packing_t;

struct corpus_stream {
    char *path;
    int file; /* -1: memory */
    packing_t packing;
    uint8_t *chunk;       /* [CHUNK] of the file; NULL: memory */
    const uint8_t *bytes; /* what is read and not yet unpacked: [at, end) */
    size_t at, end;
    uint64_t position;
    bool ended;   /* nothing more to read */
    bool started; /* a member or frame was begun; an empty file is none */
    bool within;  /* in the middle of one */
    z_stream *gzip;
    ZSTD_DStream *zstd;
};

static bool complain(const corpus_stream_t *stream, const char *what, error_info_t *error) {
    return error_set(error, ERROR_CONFIG, "%s: %s", stream->path, what);
}

static packing_t packing_of(const char *name) {
    if (!strcmp(name, "-"))
        return UNKNOWN;
    return text_ends_with(name, ".gz") ? GZIP : text_ends_with(name, ".zst") ? ZSTD : PLAIN;
}

corpus_stream_t *corpus_stream_open(const char *path, error_info_t *error) {
    bool input = !strcmp(path, "-");
    int file = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                     : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        error_set(error, ERROR_CONFIG, "%s: cannot open: %s", input ? "standard input" : path,
                  strerror(errno));
        if (file >= 0)
            close(file);
        return NULL;
    }
    corpus_stream_t *stream = MEMORY_NEW(corpus_stream_t);
    stream->path = memory_copy_string(input ? "standard input" : path);
    stream->file = file;
    stream->packing = packing_of(path);
    stream->chunk = memory_new(CHUNK, 1);
    stream->bytes = stream->chunk;
    if (!S_ISDIR(status.st_mode))
        return stream;
    complain(stream, "is a directory", error);
    corpus_stream_close(stream);
    return NULL;
}

corpus_stream_t *corpus_stream_open_memory(const char *name, const uint8_t *bytes, size_t length) {
    corpus_stream_t *stream = MEMORY_NEW(corpus_stream_t);
    stream->path = memory_copy_string(name);
    stream->file = -1;
    stream->packing = packing_of(name);
    stream->bytes = bytes;
    stream->end = length;
    stream->position = length;
    stream->ended = true;
    return stream;
}

void corpus_stream_close(corpus_stream_t *stream) {
    if (!stream)
        return;
    if (stream->gzip)
        inflateEnd(stream->gzip);
    free(stream->gzip);
    ZSTD_freeDStream(stream->zstd);
    if (stream->file >= 0)
        close(stream->file);
    free(stream->chunk);
    free(stream->path);
    free(stream);
}

uint64_t corpus_stream_position(const corpus_stream_t *stream) {
    return stream->position - (stream->end - stream->at);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* More of the file behind what is there, which is less than a chunk. */
static bool fill(corpus_stream_t *stream, error_info_t *error) {
    if (stream->ended)
        return true;
    memmove(stream->chunk, stream->chunk + stream->at, stream->end - stream->at);
    stream->end -= stream->at;
    stream->at = 0;
    ssize_t got;
    do
        got = read(stream->file, stream->chunk + stream->end, CHUNK - stream->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set(error, ERROR_CONFIG, "%s: cannot read: %s", stream->path, strerror(errno));
    stream->ended = got == 0;
    stream->end += (size_t)got;
    stream->position += (uint64_t)got;
    return true;
}

static bool recognise(corpus_stream_t *stream, error_info_t *error) {
    while (!stream->ended && stream->end - stream->at < 4)
        if (!fill(stream, error))
            return false;
    const uint8_t *first = stream->bytes + stream->at;
    size_t length = stream->end - stream->at;
    stream->packing = length >= 2 && first[0] == 0x1F && first[1] == 0x8B    ? GZIP
                      : length >= 4 && !memcmp(first, "\x28\xB5\x2F\xFD", 4) ? ZSTD
                                                                             : PLAIN;
    return true;
}

static bool read_plain(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                       error_info_t *error) {
    if (stream->at == stream->end && !fill(stream, error))
        return false;
    size_t there = stream->end - stream->at;
    *got = there < room ? there : room;
    if (*got > 0)
        memcpy(out, stream->bytes + stream->at, *got);
    stream->at += *got;
    return true;
}

/* What is asked when the file ends. */
static bool check_end(const corpus_stream_t *stream, const char *kind, error_info_t *error) {
    if (stream->within)
        return error_set(error, ERROR_CONFIG,
                         "%s: the %s data ends too early; the file was cut short", stream->path,
                         kind);
    return stream->started ||
           error_set(error, ERROR_CONFIG, "%s: is empty, and so no %s file", stream->path, kind);
}

/* --- gzip ------------------------------------------------------------------------------------- */

/* One call of zlib; *got as it gives. */
static bool inflate_some(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                         error_info_t *error) {
    z_stream *gzip = stream->gzip;
    uInt there =
        (uInt)(stream->end - stream->at < UINT32_MAX ? stream->end - stream->at : UINT32_MAX);
    uInt space = (uInt)(room < UINT32_MAX ? room : UINT32_MAX);
    gzip->next_in = (z_const Bytef *)(uintptr_t)(stream->bytes + stream->at);
    gzip->avail_in = there;
    gzip->next_out = (Bytef *)out;
    gzip->avail_out = space;
    if (!stream->within && inflateReset(gzip) != Z_OK)
        return complain(stream, "zlib cannot start again", error);
    stream->started = stream->within = true;
    int code = inflate(gzip, Z_NO_FLUSH);
    stream->at += there - gzip->avail_in;
    *got = space - gzip->avail_out;
    if (code == Z_STREAM_END)
        stream->within = false;
    else if (code != Z_OK && code != Z_BUF_ERROR)
        return error_set(error, ERROR_CONFIG, "%s: is no gzip file, or a damaged one (%s)",
                         stream->path, gzip->msg ? gzip->msg : zError(code));
    return true;
}

static bool read_gzip(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                      error_info_t *error) {
    if (!stream->gzip) {
        stream->gzip = MEMORY_NEW(z_stream);
        if (inflateInit2(stream->gzip, 15 + 16) != Z_OK)
            return complain(stream, "zlib cannot start", error);
    }
    for (*got = 0;;) {
        /* Between members, or behind the last, tapes leave zeros. */
        while (stream->started && !stream->within && stream->at < stream->end &&
               stream->bytes[stream->at] == 0)
            stream->at++;
        bool more = stream->at < stream->end;
        if ((more || stream->within) && !inflate_some(stream, out, room, got, error))
            return false;
        if (*got > 0)
            return true;
        if (stream->at < stream->end)
            continue;
        if (stream->ended)
            return check_end(stream, "gzip", error);
        if (!fill(stream, error))
            return false;
    }
}

/* --- zstd ------------------------------------------------------------------------------------- */

static bool unzstd_some(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                        error_info_t *error) {
    ZSTD_inBuffer from = {stream->bytes + stream->at, stream->end - stream->at, 0};
    ZSTD_outBuffer to = {out, room, 0};
    size_t code = ZSTD_decompressStream(stream->zstd, &to, &from);
    if (ZSTD_isError(code))
        return error_set(error, ERROR_CONFIG, "%s: is no zstd file, or a damaged one (%s)",
                         stream->path, ZSTD_getErrorName(code));
    stream->at += from.pos;
    *got = to.pos;
    if (from.pos > 0 || to.pos > 0) {
        stream->started = true;
        stream->within = code != 0;
    }
    return true;
}

static bool read_zstd(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                      error_info_t *error) {
    if (!stream->zstd)
        stream->zstd = ZSTD_createDStream();
    if (!stream->zstd)
        return complain(stream, "zstd cannot start", error);
    for (*got = 0;;) {
        bool more = stream->at < stream->end;
        if ((more || stream->within) && !unzstd_some(stream, out, room, got, error))
            return false;
        if (*got > 0)
            return true;
        if (stream->at < stream->end)
            continue;
        if (stream->ended)
            return check_end(stream, "zstd", error);
        if (!fill(stream, error))
            return false;
    }
}

bool corpus_stream_read(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                        error_info_t *error) {
    *got = 0;
    if (stream->packing == UNKNOWN && !recognise(stream, error))
        return false;
    switch (stream->packing) {
    case GZIP: return read_gzip(stream, out, room, got, error);
    case ZSTD: return read_zstd(stream, out, room, got, error);
    default: return read_plain(stream, out, room, got, error);
    }
}
