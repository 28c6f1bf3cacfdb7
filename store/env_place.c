/* env_place.c - where the store lies: its directory, what kind of file system that
 * is, and who holds it.
 *
 * `holder` carries two kinds of locks. Byte 0 is the writer's. Byte 1 + (process id) is taken by
 * whoever opens the store in that process: LMDB's own locks are those of fcntl, which belong to the
 * process, so that a second environment on one directory would on closing drop the locks of the
 * first, and other processes would take its readers for dead. (A reader that may not write there
 * does without LMDB's locks, and shares byte 0 to keep writers out.) Locks here are those of the
 * open file (F_OFD_SETLK): they hold between two opens in one process as well, and end with the
 * process whatever happens to it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "store/env_private.h"

enum {
    WRITER_BYTE = 0,
    FIRST_PROCESS_BYTE = 1,
    HOLDER_SIZE = 512, /* written at once, padded, so that nobody reads one half of two texts */
    HOST_SIZE = 65,
    WHAT_SIZE = 256,
};

/* --- the file system -------------------------------------------------------------------------- */

const char *env_network_name(uint64_t type) {
    /* linux/magic.h, fs/<name>/ of the kernel, statfs(2) */
    static const struct {
        uint64_t type;
        const char *name;
    } types[] = {
        {0x6969, "NFS"},
        {0x517B, "SMB"},
        {0xFE534D42, "SMB2"},
        {0xFF534D42, "CIFS"},
        {0x01021997, "9p"},
        {0x65735546, "FUSE"},
        {0x5346414F, "AFS"},
        {0x6B414653, "AFS"},
        {0x73757245, "Coda"},
        {0x00C36400, "Ceph"},
        {0x564C, "NCP"},
        {0x0BD00BD0, "Lustre"},
        {0x47504653, "GPFS"},
        {0x19830326, "BeeGFS"},
        {0x20030528, "OrangeFS"},
        {0x01161970, "GFS2"},
        {0x7461636F, "OCFS2"},
        {0xAAD7AAEA, "PanFS"},
        {0x786F4256, "a VirtualBox shared folder"},
        {0xBACBACBC, "a VMware shared folder"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return types[i].name;
    return NULL;
}

static bool check_file_system(int directory, const char *path, error_info_t *error) {
    struct statfs fs;
    if (fstatfs(directory, &fs) != 0)
        return error_set(error, ERROR_CONFIG, "store %s: cannot tell its file system: %s", path,
                         strerror(errno));
    const char *name = env_network_name((uint32_t)fs.f_type);
    if (name)
        return error_set(error, ERROR_CONFIG,
                         "store %s is on a network or FUSE file system (%s), where memory maps and "
                         "locks cannot be relied on; put it on a local disk",
                         path, name);
    return true;
}

/* --- the directory ---------------------------------------------------------------------------- */

static bool refuse_directory(const char *path, int code, error_info_t *error) {
    switch (code) {
    case ENOTDIR:
    case EEXIST:
        return error_set(error, ERROR_CONFIG,
                         "store %s: there is a file of that name or on the way to it; a store is a "
                         "directory: name another",
                         path);
    case EACCES:
    case EPERM:
    case EROFS:
        return error_set(error, ERROR_CONFIG,
                         "store %s cannot be made or written: %s; name a directory that you may "
                         "write",
                         path, strerror(code));
    case ENOSPC:
    case EDQUOT:
        return error_set(error, ERROR_RETRYABLE,
                         "store %s: no space left on its disk (%s); free some", path,
                         strerror(code));
    default: return error_set(error, ERROR_CONFIG, "store %s: %s", path, strerror(code));
    }
}

/* mkdir -p */
static bool make_directories(const char *path, error_info_t *error) {
    char *copy = memory_copy_string(path);
    bool good = true;
    for (char *p = copy + 1; good && *copy != '\0'; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        int code = mkdir(copy, 0777) == 0 ? 0 : errno;
        struct stat status;
        if (code != 0 && (stat(copy, &status) != 0 || !S_ISDIR(status.st_mode)))
            good = refuse_directory(path, code, error);
        *p = end;
        if (end == '\0')
            break;
    }
    free(copy);
    return good;
}

static bool open_directory(env_place_t *place, const char *path, store_mode_t mode,
                           error_info_t *error) {
    if (*path == '\0')
        return error_set(error, ERROR_CONFIG, "the store's directory has no name");
    if (mode == STORE_WRITE && !make_directories(path, error))
        return false;
    place->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    if (mode == STORE_READ &&
        ((place->directory < 0 && errno == ENOENT) ||
         (place->directory >= 0 && fstatat(place->directory, "data.mdb", &status, 0) != 0 &&
          errno == ENOENT)))
        return error_set(error, ERROR_CONFIG, "no store at %s; `glia run` makes one", path);
    if (place->directory < 0)
        return refuse_directory(path, errno, error);
    return check_file_system(place->directory, path, error);
}

/* --- the holder ------------------------------------------------------------------------------- */

static bool lock_byte(int file, off_t byte, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int result;
    do
        result = fcntl(file, F_OFD_SETLK, &lock);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

static bool lock_was_taken(void) {
    return errno == EAGAIN || errno == EACCES;
}

static bool refuse_second(const env_place_t *place, const char *path, error_info_t *error) {
    char text[HOLDER_SIZE + 1] = "";
    ssize_t length = pread(place->holder, text, HOLDER_SIZE, 0);
    text[length > 0 ? length : 0] = '\0';
    size_t used = strcspn(text, "\n");
    text[used] = '\0';
    return error_set(error, ERROR_CONFIG,
                     "store %s is in use by %s; wait for it, stop it, or name another store", path,
                     used > 0 ? text : "another process");
}

static bool take_locks(env_place_t *place, const char *path, store_mode_t mode,
                       error_info_t *error) {
    if (mode == STORE_WRITE) {
        if (!lock_byte(place->holder, WRITER_BYTE, F_WRLCK))
            return lock_was_taken()
                       ? refuse_second(place, path, error)
                       : error_set(
                             error, ERROR_CONFIG,
                             "store %s: cannot lock `holder`: %s; put the store on a local disk",
                             path, strerror(errno));
        place->writer = true;
    }
    if (!lock_byte(place->holder, FIRST_PROCESS_BYTE + (off_t)getpid(), F_WRLCK))
        return error_set(error, lock_was_taken() ? ERROR_BUG : ERROR_CONFIG,
                         "store %s: this process (%ld) has it open already, or one with the same "
                         "process id in another container has (%s); a process opens a store once",
                         path, (long)getpid(), strerror(errno));
    return true;
}

/* Without permission to write, a reader cannot say in LMDB's lock file which pages it needs.
 * It takes part in the writer's lock instead, for which reading is enough: nobody writes
 * until it is done. */
static bool open_silently(env_place_t *place, const char *path, error_info_t *error) {
    place->holder = openat(place->directory, "holder", O_RDONLY | O_CLOEXEC);
    place->silent = place->holder >= 0 && lock_byte(place->holder, WRITER_BYTE, F_RDLCK);
    return place->silent ||
           error_set(error, ERROR_CONFIG,
                     "store %s: no permission to write `holder` and lock.mdb in it; readers too "
                     "must be able to say that they read while somebody writes",
                     path);
}

static bool open_holder(env_place_t *place, const char *path, store_mode_t mode,
                        error_info_t *error) {
    place->holder = openat(place->directory, "holder", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (place->holder < 0 && errno == EROFS && mode == STORE_READ)
        return true; /* nobody writes here, and LMDB takes no locks either */
    if (place->holder < 0 && errno == EACCES && mode == STORE_READ)
        return open_silently(place, path, error);
    if (place->holder < 0)
        return refuse_directory(path, errno, error);
    return take_locks(place, path, mode, error);
}

/* The text is for people only: that it could not be written is no failure. */
void env_place_set_holder(const env_place_t *place, const char *what) {
    char host[HOST_SIZE] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    char shown[WHAT_SIZE];
    snprintf(shown, sizeof shown, "%s", what);
    for (char *c = shown; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    char text[HOLDER_SIZE + 1];
    int length =
        snprintf(text, sizeof text, "process %ld on %s: %s\n", (long)getpid(), host, shown);
    if (length < 0)
        return;
    size_t used = (size_t)length < HOLDER_SIZE ? (size_t)length : HOLDER_SIZE;
    memset(text + used, ' ', HOLDER_SIZE - used);
    text[HOLDER_SIZE - 1] = '\n';
    ssize_t written = pwrite(place->holder, text, HOLDER_SIZE, 0);
    (void)written;
}

int64_t env_place_time(const env_place_t *place) {
    struct stat status;
    if (place->holder < 0 || fstat(place->holder, &status) != 0)
        return 0;
    return (int64_t)status.st_mtim.tv_sec * 1000000 + status.st_mtim.tv_nsec / 1000;
}

bool env_place_sync(const env_place_t *place, const char *directory, error_info_t *error) {
    int parent = openat(place->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good =
        fsync(place->directory) == 0 && (parent < 0 || fsync(parent) == 0 || errno == EINVAL);
    int code = errno;
    if (parent >= 0)
        close(parent);
    return good || error_set(error, ERROR_RETRYABLE,
                             "store %s: its directory cannot be written to disk: %s", directory,
                             strerror(code));
}

/* --- both ------------------------------------------------------------------------------------- */

bool env_place_open(env_place_t *place, const char *directory, store_mode_t mode,
                    error_info_t *error) {
    *place = (env_place_t){.directory = -1, .holder = -1};
    if (!open_directory(place, directory, mode, error) ||
        !open_holder(place, directory, mode, error)) {
        env_place_close(place);
        return false;
    }
    if (place->writer)
        env_place_set_holder(place, "glia");
    return true;
}

void env_place_close(env_place_t *place) {
    if (place->writer && ftruncate(place->holder, 0) != 0) {
        /* an old text in a file that nobody locks is never shown */
    }
    if (place->holder >= 0) {
        /* Said aloud, since a forked child may still have the open file. */
        lock_byte(place->holder, WRITER_BYTE, F_UNLCK);
        lock_byte(place->holder, FIRST_PROCESS_BYTE + (off_t)getpid(), F_UNLCK);
        close(place->holder);
    }
    if (place->directory >= 0)
        close(place->directory);
    *place = (env_place_t){.directory = -1, .holder = -1};
}

uint64_t store_free_space(const store_t *store) {
    struct statvfs fs;
    if (fstatvfs(store->place.directory, &fs) != 0)
        return UINT64_MAX;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}
