/* main.c - glia-standin: starts the server, waits for a reason to stop, stops. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "core/net/http_server.h"
#include "tools/standin/options.h"
#include "tools/standin/service.h"

enum {
    MAXIMUM_BODY = 64 << 20,
    MAXIMUM_PEM = 1 << 20,
    THREADS = 2,
    CONNECTIONS = 4096,
    GRACE = 500000
};

static int64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True once standard input is at its end; reads and forgets what comes before. */
static bool input_ended(void) {
    char ignored[4096];
    ssize_t count = read(STDIN_FILENO, ignored, sizeof ignored);
    return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
}

/* Returns on SIGTERM, SIGINT, the end of standard input (if asked for), the parent's end
 * (likewise), or when the time is up. */
static void wait_for_end(const standin_options_t *options, int signals, pid_t parent) {
    int64_t end = now_milliseconds() + options->max_seconds * 1000;
    struct pollfd wait_for[2] = {{.fd = signals, .events = POLLIN},
                                 {.fd = STDIN_FILENO, .events = POLLIN}};
    nfds_t count = options->until_eof ? 2 : 1;
    for (;;) {
        int64_t left = end - now_milliseconds();
        if (left <= 0 || (options->quit_with_parent && getppid() != parent))
            return;
        if (options->quit_with_parent && left > 1000)
            left = 1000;
        int ready = poll(wait_for, count, (int)(left < 3600000 ? left : 3600000));
        if (ready > 0 && wait_for[0].revents != 0)
            return;
        if (ready > 0 && options->until_eof && wait_for[1].revents != 0 && input_ended())
            return;
    }
}

static bool write_port_file(const char *path, uint16_t port, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(&text, "%u\n", (unsigned)port);
    bool good = !path || buffer_write_file(&text, path, error);
    buffer_free(&text);
    return good;
}

static bool read_pem(const char *path, buffer_t *text, error_info_t *error) {
    return !path || buffer_read_file(text, path, MAXIMUM_PEM, error);
}

static bool serve(const standin_options_t *options, standin_service_t *service, int signals,
                  pid_t parent, error_info_t *error) {
    buffer_t certificate = BUFFER_EMPTY, key = BUFFER_EMPTY;
    http_server_callbacks_t callbacks = {.begin = standin_service_begin,
                                         .handle = standin_service_handle,
                                         .done = standin_service_done,
                                         .context = service};
    http_server_options_t http = {.port = options->port,
                                  .maximum_body = MAXIMUM_BODY,
                                  .threads = THREADS,
                                  .maximum_connections = CONNECTIONS};
    http_server_t *server = NULL;
    if (read_pem(options->certificate_file, &certificate, error) &&
        read_pem(options->key_file, &key, error)) {
        http.certificate = certificate.data;
        http.key = key.data;
        server = http_server_start(&http, &callbacks, error);
    }
    bool good = server && write_port_file(options->port_file, http_server_port(server), error);
    if (good) {
        fprintf(stderr, "glia-standin: listening on %s://127.0.0.1:%u/v1\n",
                http.certificate ? "https" : "http", (unsigned)http_server_port(server));
        wait_for_end(options, signals, parent);
    }
    if (server)
        http_server_stop(server, GRACE);
    buffer_free(&certificate);
    buffer_free(&key);
    return good;
}

/* The one global: a signal handler gets no context. Blocking signals and reading them from a
 * descriptor would not do, as a library may have started threads before main(). */
static int stop_pipe[2];

static void on_stop_signal(int number) {
    int saved = errno;
    (void)number;
    (void)!write(stop_pipe[1], "", 1);
    errno = saved;
}

/* Sets up stop_pipe: a byte comes out of stop_pipe[0] for each signal that stops the program. */
static bool take_signals(error_info_t *error) {
    struct sigaction stop = {.sa_handler = on_stop_signal, .sa_flags = SA_RESTART};
    if (pipe(stop_pipe) != 0)
        return error_set(error, ERROR_RETRYABLE, "no pipe for signals: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        (void)fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(stop_pipe[i], F_SETFL, O_NONBLOCK);
    }
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

static int fail(const error_info_t *error) {
    fprintf(stderr, "glia-standin: %s\n", error->message);
    return error_exit_code(error->class_);
}

int main(int count, char **arguments) {
    error_info_t error = {0};
    standin_options_t options;
    pid_t parent = getppid();
    if (!standin_options_parse(count, arguments, &options, &error))
        return fail(&error);
    if (options.help) {
        buffer_t help = BUFFER_EMPTY;
        standin_options_help(&help);
        fputs(buffer_text(&help), stdout);
        buffer_free(&help);
        return 0;
    }
    if (!take_signals(&error))
        return fail(&error);
    if (options.quit_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    standin_service_t *service = standin_service_create(&options, &error);
    if (!service)
        return fail(&error);
    bool good = serve(&options, service, stop_pipe[0], parent, &error);
    standin_service_free(service);
    return good ? 0 : fail(&error);
}
