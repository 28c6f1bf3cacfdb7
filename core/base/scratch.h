/* scratch.h - zeroed memory that lies in a file without a name: for tables that grow with the data.
 *
 * Its pages count as the file's, not as the process's own: the kernel may put them to the disk when
 * memory is short. Small ones, and those for which the directory has no room, are ordinary memory.
 * One thread at a time.
 */
#ifndef GLIA_BASE_SCRATCH_H
#define GLIA_BASE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    void *bytes; /* [size], aligned as malloc's */
    size_t size;
    bool in_file;
} scratch_t;

/* `directory`: where the file is, best on a disk; NULL: ordinary memory. Never fails. */
scratch_t scratch_new(const char *directory, size_t size);
void scratch_free(scratch_t *scratch); /* all zero is fine, and what is left */

#endif
