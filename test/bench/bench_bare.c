/* bench_bare.c - what an exchange costs at least: libuv, libcurl multi (socket
 * action), and nothing else.
 *
 *   bench_bare URL FILE CONCURRENCY
 *
 * Posts the body of each line of FILE (Batch-API lines whose last member is "body"), CONCURRENCY in
 * flight, reads each answer into a buffer that is used again, and looks at its status. Easy
 * handles, header list and buffers are made once; the bodies go out as they lie in memory. Nothing
 * is parsed, kept, paced or written. Prints requests per second.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { CONCURRENCY_MAXIMUM = 1024, ANSWER_MAXIMUM = 64 * 1024 };

typedef struct {
    CURL *easy;
    char *line; /* of getline */
    size_t line_size, got;
    char answer[ANSWER_MAXIMUM];
} slot_t;

typedef struct {
    uv_poll_t poll; /* first member */
    curl_socket_t fd;
} watch_t;

static uv_loop_t *loop;
static uv_timer_t timer;
static CURLM *multi;
static FILE *lines;
static unsigned long in_flight, done, failed;

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    slot_t *slot = context;
    size_t length = size * count;
    if (length > sizeof slot->answer - slot->got)
        return 0;
    memcpy(slot->answer + slot->got, bytes, length);
    slot->got += length;
    return length;
}

/* Posts the next line's body; does nothing at the end of the file. */
static void slot_next(slot_t *slot) {
    ssize_t length = getline(&slot->line, &slot->line_size, lines);
    if (length <= 0)
        return;
    char *body = strstr(slot->line, "\"body\":");
    /* the line's own brace */
    char *end = slot->line + length - (slot->line[length - 1] == '\n') - 1;
    if (!body || end <= body) {
        failed++;
        return;
    }
    body += strlen("\"body\":");
    slot->got = 0;
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE, (long)(end - body));
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body);
    curl_multi_add_handle(multi, slot->easy);
    in_flight++;
}

static void collect(void) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        slot_t *slot;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        done++;
        in_flight--;
        failed += result != CURLE_OK || status != 200;
        curl_multi_remove_handle(multi, easy);
        slot_next(slot);
    }
}

static void act(curl_socket_t fd, int events) {
    int running;
    curl_multi_socket_action(multi, fd, events, &running);
    collect();
}

static void on_timer(uv_timer_t *handle) {
    (void)handle;
    act(CURL_SOCKET_TIMEOUT, 0);
}

static int wants_timer(CURLM *handle, long milliseconds, void *context) {
    (void)handle, (void)context;
    if (milliseconds < 0)
        uv_timer_stop(&timer);
    else
        uv_timer_start(&timer, on_timer, (uint64_t)milliseconds, 0);
    return 0;
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    watch_t *watch = (watch_t *)handle;
    int mask = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
               (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(watch->fd, status < 0 ? CURL_CSELECT_ERR : mask);
}

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static int wants_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
    (void)easy, (void)context;
    watch_t *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            uv_poll_stop(&watch->poll);
            curl_multi_assign(multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_closed);
        }
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch || uv_poll_init_socket(loop, &watch->poll, fd) != 0)
            abort();
        watch->fd = fd;
        curl_multi_assign(multi, fd, watch);
    }
    uv_poll_start(&watch->poll,
                  (what & CURL_POLL_IN ? UV_READABLE : 0) |
                      (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                  on_poll);
    return 0;
}

static void slot_init(slot_t *slot, const char *url, struct curl_slist *headers) {
    slot->easy = curl_easy_init();
    if (!slot->easy)
        abort();
    curl_easy_setopt(slot->easy, CURLOPT_URL, url);
    curl_easy_setopt(slot->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, (char *)slot);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    long concurrency = argc == 4 ? atol(argv[3]) : 0;
    lines = concurrency > 0 && concurrency <= CONCURRENCY_MAXIMUM ? fopen(argv[2], "r") : NULL;
    if (!lines) {
        fprintf(stderr, "usage: bench_bare URL FILE CONCURRENCY\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop = uv_default_loop();
    uv_timer_init(loop, &timer);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, wants_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, wants_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    slot_t *slots = calloc((size_t)concurrency, sizeof *slots);
    double start = now();
    for (long i = 0; slots && i < concurrency; i++) {
        slot_init(&slots[i], argv[1], headers);
        slot_next(&slots[i]);
    }
    while (in_flight > 0) /* idle connections stay watched: the loop would not end by itself */
        uv_run(loop, UV_RUN_ONCE);
    printf("%.0f\n", (double)done / (now() - start));
    return failed > 0;
}
