/* subject_files.h - where the files of a subject model come from: a directory, the program
 * itself, or memory.
 *
 * What is in the files is untrusted; whoever reads them checks. Names are checked here: a name is a
 * plain file name, and never leads out of the directory. For one thread at a time. A mapped file
 * that somebody cuts short while it is in use raises SIGBUS, as mapped files do.
 */
#ifndef GLIA_SUBJECT_SUBJECT_FILES_H
#define GLIA_SUBJECT_SUBJECT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/embedded.h"
#include "core/base/error.h"

/* How a config names the subject model that is part of the program. */
#define SUBJECT_FILES_EMBEDDED "subject:"

typedef struct subject_files subject_files_t;

/* The files of a directory in the Hugging Face layout, or of the subject model that is part of the
 * program ("subject:" or NULL). Opens none yet. Errors (CONFIG): no such directory, not a
 * directory; the program has no subject model. */
subject_files_t *subject_files_open(const char *directory, error_info_t *error);
/* Files in memory; `files` and what it names stay the caller's and must outlive the
 * result. Never NULL. */
subject_files_t *subject_files_of(const embedded_file_t *files, size_t count);
/* Unmaps everything; NULL is allowed. */
void subject_files_close(subject_files_t *files);

/* The bytes of one file, read-only, valid until close; the same ones when asked again. Mapped at an
 * address that is a multiple of 16. Blocks. False with error->class_ ERROR_NONE: there is no such
 * file. False with an error (CONFIG): a name with a '/', not a regular file, not readable; `error`
 * must not be NULL. */
bool subject_files_get(subject_files_t *files, const char *name, const uint8_t **bytes,
                       size_t *length, error_info_t *error);
/* The same, but a file that is not there is an error (CONFIG) too. */
bool subject_files_need(subject_files_t *files, const char *name, const uint8_t **bytes,
                        size_t *length, error_info_t *error);
/* Unmaps one file before close, if it was got: nothing may use its bytes any longer. */
void subject_files_release(subject_files_t *files, const char *name);

/* "DIR/name" or "subject:name", for messages; the caller frees it. */
char *subject_files_path(const subject_files_t *files, const char *name);

#endif
