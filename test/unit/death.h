/* death.h - for tests of calls that must abort: runs one in a child process. Include
 * after cmocka.h. */
#ifndef GLIA_TEST_DEATH_H
#define GLIA_TEST_DEATH_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether `act` ends its process with SIGABRT. What it says on the way goes nowhere. */
static inline bool dies(void (*act)(void)) {
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        act();
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
