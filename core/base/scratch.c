/* scratch.c - mmap of a file that is removed before it is used. */
#include "core/base/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/memory.h"

enum { SMALL = 64 << 10 };

/* An open file of `size` zeros whose blocks are there: writing to a page of it cannot fail.
 * -1: there is none. */
static int nameless_file(const char *directory, size_t size) {
    char *path = memory_format("%s/scratch-XXXXXX", directory);
    int file = mkstemp(path);
    if (file >= 0)
        unlink(path);
    free(path);
    if (file >= 0 && posix_fallocate(file, 0, (off_t)size) != 0) {
        close(file);
        return -1;
    }
    return file;
}

scratch_t scratch_new(const char *directory, size_t size) {
    int file = directory && size > SMALL ? nameless_file(directory, size) : -1;
    void *bytes =
        file >= 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (file >= 0)
        close(file);
    if (bytes == MAP_FAILED)
        return (scratch_t){memory_new(size, 1), size, false};
    return (scratch_t){bytes, size, true};
}

void scratch_free(scratch_t *scratch) {
    if (scratch->in_file)
        munmap(scratch->bytes, scratch->size);
    else
        free(scratch->bytes);
    *scratch = (scratch_t){0};
}
