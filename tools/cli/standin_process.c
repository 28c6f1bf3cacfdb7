/* standin_process.c - spawns glia-standin and reads its port. */
#include "tools/cli/standin_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"

extern char **environ;

struct standin_process {
    pid_t pid;
    int stdin_fd; /* closed when we go, and it goes with us (--until-eof) */
    char *directory;
    char *url;
};

enum { POLLS = 1000 }; /* of 10 ms */

static char *find_program(void) {
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 32);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        strcpy(slash ? slash + 1 : self, "glia-standin");
        if (access(self, X_OK) == 0)
            return memory_copy_string(self);
    }
    return memory_copy_string("glia-standin");
}

static bool spawn_standin(standin_process_t *process, error_info_t *error) {
    int pipe_fds[2];
    char *program = find_program(), *port_file = memory_format("%s/port", process->directory);
    char *arguments[] = {program, "--port", "0", "--port-file", port_file, "--until-eof", NULL};
    if (pipe(pipe_fds) != 0)
        return error_set(error, ERROR_RETRYABLE, "no pipe for the stand-in: %s", strerror(errno));
    (void)fcntl(pipe_fds[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[0], 0);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
    /* a group of its own: Ctrl-C is for glia, which lets attempts finish */
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int code = posix_spawnp(&process->pid, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[0]);
    process->stdin_fd = pipe_fds[1];
    if (code != 0) {
        process->pid = 0;
        error_set(error, ERROR_CONFIG, "cannot start the stand-in %s: %s", program, strerror(code));
    }
    free(program);
    free(port_file);
    return code == 0;
}

static bool wait_for_port(standin_process_t *process, error_info_t *error) {
    char *port_file = memory_format("%s/port", process->directory);
    buffer_t port = BUFFER_EMPTY;
    bool ok = false, ended = false;
    for (int i = 0; i < POLLS && !ok && !ended; i++) {
        ok = access(port_file, R_OK) == 0 && buffer_read_file(&port, port_file, 64, NULL) &&
             port.length > 0;
        ended = !ok && waitpid(process->pid, NULL, WNOHANG) == process->pid;
        if (!ok && !ended)
            nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    if (ok)
        process->url = memory_format("http://127.0.0.1:%d/v1", atoi(port.data));
    if (ended)
        process->pid = 0;
    unlink(port_file);
    free(port_file);
    buffer_free(&port);
    return ok || error_set(error, ERROR_CONFIG, "the stand-in %s",
                           ended ? "ended at once; run glia-standin by hand to see why"
                                 : "did not say its port within ten seconds");
}

standin_process_t *standin_process_start(error_info_t *error) {
    standin_process_t *process = MEMORY_NEW(standin_process_t);
    process->stdin_fd = -1;
    const char *temporary = getenv("TMPDIR");
    process->directory =
        memory_format("%s/glia-standin-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(process->directory)) {
        error_set(error, ERROR_CONFIG, "cannot make a directory %s: %s", process->directory,
                  strerror(errno));
        free(process->directory);
        process->directory = NULL;
    } else if (spawn_standin(process, error) && wait_for_port(process, error)) {
        return process;
    }
    standin_process_stop(process);
    return NULL;
}

const char *standin_process_url(const standin_process_t *process) {
    return process->url;
}

void standin_process_stop(standin_process_t *process) {
    if (!process)
        return;
    if (process->stdin_fd >= 0)
        close(process->stdin_fd);
    if (process->pid > 0) {
        kill(process->pid, SIGTERM);
        waitpid(process->pid, NULL, 0);
    }
    if (process->directory)
        rmdir(process->directory);
    free(process->directory);
    free(process->url);
    free(process);
}
