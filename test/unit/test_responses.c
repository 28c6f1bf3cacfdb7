/* test_responses.c - raw answers and embeddings; frames, their dictionary, and
 * frames that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "core/base/embedded.h"
#include "core/base/rng.h"
#include "store/frame.h"
#include "store/responses.h"
#include "test/unit/store_dir.h"

static const char answer[] =
    "{\n  \"id\": \"chatcmpl-1\",\n  \"object\": \"chat.completion\",\n  \"created\": 1,\n"
    "  \"model\": \"gpt-4o\",\n  \"choices\": []\n}\n";

static hash_t key_of(const char *text) {
    return hash_bytes(text, strlen(text));
}

/* --- putting ---------------------------------------------------------------------------------- */

typedef struct {
    const char *request;
    uint64_t attempt;
    const char *body;
    size_t size;
    const hash_t *keys;
    size_t key_count;
    uint64_t number;
} put_t;

static bool apply_put(store_txn_t *txn, void *context, error_info_t *error) {
    put_t *put = context;
    buffer_t packed = BUFFER_EMPTY;
    response_pack(put->body, put->size, &packed);
    bool good = response_put(txn, key_of(put->request), put->attempt, &packed, put->keys,
                             put->key_count, &put->number, error);
    buffer_free(&packed);
    return good;
}

static uint64_t put(store_t *store, const char *request, uint64_t attempt, const char *body) {
    put_t what = {.request = request, .attempt = attempt, .body = body, .size = strlen(body)};
    store_dir_write(store, apply_put, &what);
    return what.number;
}

static void assert_body(store_t *store, uint64_t number, const char *expected) {
    buffer_t body = BUFFER_EMPTY;
    error_info_t error = {0};
    buffer_append_text(&body, "before ");
    store_txn_t *txn = store_dir_read(store);
    if (!response_get(txn, number, &body, NULL, &error))
        fail_msg("%s", error.message);
    store_read_end(txn);
    assert_memory_equal(body.data, "before ", 7);
    assert_string_equal(body.data + 7, expected);
    buffer_free(&body);
}

static void test_first_stays_the_answer(void **state) {
    store_dir_t *fixture = *state;
    assert_int_equal(put(fixture->store, "one", 11, answer), 1);
    assert_int_equal(put(fixture->store, "two", 12, ""), 2);
    assert_int_equal(put(fixture->store, "one", 13, "another"), 3);
    assert_body(fixture->store, 1, answer);
    assert_body(fixture->store, 2, "");
    assert_body(fixture->store, 3, "another");
    store_txn_t *txn = store_dir_read(fixture->store);
    assert_int_equal(response_find(txn, key_of("one")), 1);
    assert_int_equal(response_find(txn, key_of("two")), 2);
    assert_int_equal(response_find(txn, key_of("three")), 0);
    buffer_t body = BUFFER_EMPTY;
    response_info_t info;
    error_info_t error = {0};
    assert_true(response_get(txn, 3, &body, &info, &error));
    assert_true(hash_equal(info.request, key_of("one")));
    assert_int_equal(info.attempt, 13);
    assert_int_equal(info.body_size, 7);
    assert_true(info.stored_size > 7);
    assert_false(info.trimmed);
    assert_false(response_get(txn, 4, &body, &info, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_int_equal(body.length, 7);
    buffer_t small = {.maximum = 6};
    assert_false(response_get(txn, 3, &small, NULL, &error));
    assert_int_equal(small.length, 0);
    store_read_end(txn);
    buffer_free(&body);
}

static bool put_junk(store_txn_t *txn, void *context, error_info_t *error) {
    uint64_t number;
    return response_put(txn, key_of("one"), 1, context, NULL, 0, &number, error);
}

static void test_only_what_was_packed(void **state) {
    store_dir_t *fixture = *state;
    buffer_t empty = BUFFER_EMPTY, junk = BUFFER_EMPTY;
    error_info_t error = {0};
    buffer_append_text(&junk, "no frame at all");
    assert_false(store_write(fixture->store, put_junk, &empty, &error));
    assert_int_equal(error.class_, ERROR_BUG);
    assert_false(store_write(fixture->store, put_junk, &junk, &error));
    assert_int_equal(error.class_, ERROR_BUG);
    buffer_free(&junk);
}

static bool trim(store_txn_t *txn, void *context, error_info_t *error) {
    return response_trim(txn, *(const uint64_t *)context, error);
}

static void test_trim(void **state) {
    store_dir_t *fixture = *state;
    uint64_t number = put(fixture->store, "one", 1, answer), missing = 9;
    error_info_t error = {0};
    store_dir_write(fixture->store, trim, &number);
    store_dir_write(fixture->store, trim, &number);
    assert_false(store_write(fixture->store, trim, &missing, &error));
    store_txn_t *txn = store_dir_read(fixture->store);
    buffer_t body = BUFFER_EMPTY;
    response_info_t info;
    assert_int_equal(response_find(txn, key_of("one")), number);
    assert_false(response_get(txn, number, &body, &info, &error));
    assert_non_null(strstr(error.message, "store.keep_raw"));
    assert_true(info.trimmed);
    assert_int_equal(info.body_size, strlen(answer));
    assert_int_equal(info.stored_size, 0);
    store_read_end(txn);
    assert_int_equal(put(fixture->store, "two", 2, "x"), 2);
}

static void test_megabytes(void **state) {
    store_dir_t *fixture = *state;
    buffer_t body = BUFFER_EMPTY;
    rng_t rng = rng_create(3);
    while (body.length < 3000000)
        buffer_append_format(&body, "{\"token\":\" %u\",\"logprob\":-%u.%06u},",
                             (unsigned)rng_below(&rng, 1000), (unsigned)rng_below(&rng, 12),
                             (unsigned)rng_below(&rng, 1000000));
    uint64_t number = put(fixture->store, "big", 1, body.data);
    store_txn_t *txn = store_dir_read(fixture->store);
    buffer_t again = BUFFER_EMPTY;
    response_info_t info;
    assert_true(response_get(txn, number, &again, &info, NULL));
    assert_int_equal(again.length, body.length);
    assert_memory_equal(again.data, body.data, body.length);
    assert_true(info.stored_size < body.length / 2);
    store_read_end(txn);
    buffer_free(&body);
    buffer_free(&again);
}

/* --- embeddings ------------------------------------------------------------------------------- */

static bool put_floats(store_txn_t *txn, void *context, error_info_t *error) {
    const float values[] = {0.5F, -2.0F, 1e-30F};
    return embedding_put(txn, *(const hash_t *)context, values, 3, error);
}

static void test_embeddings(void **state) {
    store_dir_t *fixture = *state;
    const hash_t keys[] = {key_of("a"), key_of("b"), key_of("c")};
    put_t first = {
        .request = "one", .attempt = 1, .body = "1", .size = 1, .keys = keys, .key_count = 2};
    put_t second = {
        .request = "two", .attempt = 2, .body = "2", .size = 1, .keys = keys + 1, .key_count = 2};
    store_dir_write(fixture->store, apply_put, &first);
    store_dir_write(fixture->store, apply_put, &second);
    hash_t key = keys[0];
    store_dir_write(fixture->store, put_floats, &key);
    store_txn_t *txn = store_dir_read(fixture->store);
    uint64_t response;
    uint32_t index;
    assert_true(embedding_link(txn, keys[0], &response, &index));
    assert_true(response == 1 && index == 0);
    assert_true(embedding_link(txn, keys[1], &response, &index));
    assert_true(response == 1 && index == 1); /* linked already, stays */
    assert_true(embedding_link(txn, keys[2], &response, &index));
    assert_true(response == 2 && index == 1);
    assert_false(embedding_link(txn, key_of("d"), &response, &index));
    store_bytes_t floats;
    assert_false(embedding_get(txn, keys[1], &floats));
    assert_true(embedding_get(txn, keys[0], &floats));
    assert_int_equal(floats.size, 12);
    assert_memory_equal(floats.data, "\x00\x00\x00\x3f\x00\x00\x00\xc0", 8);
    store_read_end(txn);
}

/* --- frames ----------------------------------------------------------------------------------- */

/* What is stored was packed with exactly these bytes. Whoever wants another dictionary adds one. */
static void test_dictionary_never_changes(void **state) {
    (void)state;
    embedded_file_t file;
    char text[HASH_TEXT_SIZE];
    assert_true(embedded_find("store/response_dictionary.txt", &file));
    hash_to_text(hash_bytes(file.data, file.size), text);
    assert_string_equal(text, "7308bf65c964d595ffc5c14d1b6b06a4");
}

static void test_dictionary_pays(void **state) {
    (void)state;
    buffer_t plain = BUFFER_EMPTY, with = BUFFER_EMPTY, out = BUFFER_EMPTY;
    frame_pack(answer, strlen(answer), FRAME_PLAIN, &plain);
    frame_pack(answer, strlen(answer), FRAME_RESPONSES, &with);
    assert_true(with.length < plain.length / 2);
    assert_false(frame_unpack(with.data, with.length, FRAME_PLAIN, 1000, &out));
    assert_false(frame_unpack(with.data, with.length, FRAME_RESPONSES, strlen(answer) - 1, &out));
    assert_int_equal(out.length, 0);
    assert_true(frame_unpack(with.data, with.length, FRAME_RESPONSES, strlen(answer), &out));
    assert_string_equal(out.data, answer);
    buffer_free(&plain);
    buffer_free(&with);
    buffer_free(&out);
}

static void test_damaged_frames(void **state) {
    (void)state;
    buffer_t frame = BUFFER_EMPTY, out = BUFFER_EMPTY;
    frame_pack(answer, strlen(answer), FRAME_RESPONSES, &frame);
    for (size_t i = 0; i < frame.length; i++) {
        assert_false(frame_unpack(frame.data, i, FRAME_RESPONSES, 1000, &out)); /* cut off */
        for (int bit = 0; bit < 8; bit++) {
            frame.data[i] = (char)(frame.data[i] ^ (1 << bit));
            bool good = frame_unpack(frame.data, frame.length, FRAME_RESPONSES, 1000, &out);
            /* a bit may mean nothing; never another content */
            assert_true(!good || strcmp(out.data, answer) == 0);
            buffer_clear(&out);
            frame.data[i] = (char)(frame.data[i] ^ (1 << bit));
        }
    }
    buffer_append_char(&frame, 'x');
    assert_false(frame_unpack(frame.data, frame.length, FRAME_RESPONSES, 1000, &out));
    assert_false(frame_unpack(NULL, 0, FRAME_RESPONSES, 1000, &out));
    buffer_free(&frame);
    buffer_free(&out);
}

/* --- damage --------------------------------------------------------------------------------------
 */

/* Not to know whether something was answered must not end in paying again: the program stops. */
static void test_damaged_request_stops(void **state) {
    store_dir_t *fixture = *state;
    hash_t request = key_of("one");
    store_dir_row_t row = {.table = TABLE_REQUESTS,
                           .key = request.bytes,
                           .value = "123",
                           .key_size = HASH_SIZE,
                           .size = 3};
    store_dir_write(fixture->store, store_dir_put_row, &row);
    store_txn_t *txn = store_dir_read(fixture->store);
    fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        assert_non_null(freopen("/dev/null", "w", stderr));
        _exit((int)response_find(txn, request));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    store_read_end(txn);
}

static void test_damaged_body(void **state) {
    store_dir_t *fixture = *state;
    store_dir_row_t row = {.table = TABLE_RESPONSES,
                           .key = "\0\0\0\0\0\0\0\1",
                           .value = "junk",
                           .key_size = 8,
                           .size = 4};
    store_dir_write(fixture->store, store_dir_put_row, &row);
    store_txn_t *txn = store_dir_read(fixture->store);
    buffer_t body = BUFFER_EMPTY;
    error_info_t error = {0};
    assert_false(response_get(txn, 1, &body, NULL, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_non_null(strstr(error.message, "response 1 is damaged"));
    store_read_end(txn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_stays_the_answer, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_only_what_was_packed, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_trim, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_megabytes, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_embeddings, store_dir_setup, store_dir_teardown),
        cmocka_unit_test(test_dictionary_never_changes),
        cmocka_unit_test(test_dictionary_pays),
        cmocka_unit_test(test_damaged_frames),
        cmocka_unit_test_setup_teardown(test_damaged_request_stops, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_body, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
