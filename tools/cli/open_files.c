/* open_files.c - whether this process may open as many files as its connections need. */
#include "tools/cli/open_files.h"

#include <sys/resource.h>

/* Store, lock, event loops, signals, terminal, pipes, files of a batch, a connection that is being
 * closed: about 20. */
enum { BESIDE_CONNECTIONS = 48 };

bool open_files_allow(const settings_t *settings, error_info_t *error) {
    rlim_t connections = 0;
    for (size_t i = 0; i < settings->endpoint_count; i++)
        connections += (rlim_t)settings->endpoints[i].concurrency;
    rlim_t needed = connections + BESIDE_CONNECTIONS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return true;
    limit.rlim_cur = needed;
    if (limit.rlim_max >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    return error_set(
        error, ERROR_CONFIG,
        "%llu connections at a time (endpoints.*.concurrency) need %llu open files, and this "
        "process may have %llu; raise the limit (ulimit -n) or lower the concurrency",
        (unsigned long long)connections, (unsigned long long)needed,
        (unsigned long long)limit.rlim_max);
}
