/* corpus_files.h - the files that the paths of a corpus stand for, in their order. */
#ifndef GLIA_SUBJECT_CORPUS_FILES_H
#define GLIA_SUBJECT_CORPUS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { CORPUS_MAX_FILES = 1 << 20, CORPUS_MAX_DEPTH = 32 /* directories in each other */ };

typedef struct {
    char *path;    /* "-": standard input; "corpus:": the shipped corpus */
    uint64_t size; /* bytes on the disk */
    bool unsized;  /* they are not known: standard input, a pipe */
} corpus_file_t;

typedef struct {
    corpus_file_t *files; /* [count] */
    size_t count, capacity;
} corpus_files_t;

/* A directory stands for all of its files and directories, recursively, in the order of their
 * names' bytes; names that begin with a dot are left out. Links are followed. The caller clears
 * *files after success. Blocks. Errors (CONFIG): a path that is not there or not readable, a file
 * in a format that is no text (.xz, .bz2, .zip, .parquet ...), standard input twice, no file at
 * all, too many, too deep. */
bool corpus_files_list(const char *const *paths, size_t count, corpus_files_t *files,
                       error_info_t *error);
void corpus_files_clear(corpus_files_t *files);

#endif
