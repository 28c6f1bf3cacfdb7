/* Tests of log.h: levels, one line, and that no secret leaves, whole or cut. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/log.h"

static void keep(void *context, log_level_t level, const char *line) {
    buffer_append_format(context, "%d:%s|", (int)level, line);
}

static void levels(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    log_t *log = log_create(LOG_WARN, keep, &out);
    log_line(log, LOG_DEBUG, "no");
    log_line(log, LOG_INFO, "no");
    log_line(log, LOG_WARN, "%s %d", "warned", 1);
    log_line(log, LOG_ERROR, "failed");
    log_line(NULL, LOG_ERROR, "nobody");
    assert_string_equal(buffer_text(&out), "2:warned 1|3:failed|");
    log_free(log);
    log_free(NULL);
    log = log_create(LOG_DEBUG, NULL, NULL);
    log_line(log, LOG_ERROR, "nowhere");
    log_free(log);
    buffer_free(&out);
}

static void one_visible_line(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    log_t *log = log_create(LOG_DEBUG, keep, &out);
    log_line(log, LOG_INFO, "a\nb\x1b[2J\xff\xc3\xa9");
    assert_string_equal(buffer_text(&out), "1:a\\nb\\x1B[2J\\xFF\xc3\xa9|");
    log_free(log);
    buffer_free(&out);
}

static void secrets_never_leave(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    log_t *log = log_create(LOG_DEBUG, keep, &out);
    log_add_secret(log, "abc"); /* too short to be one */
    log_add_secret(log, NULL);
    log_add_secret(log, "sk-12345");
    log_add_secret(log, "sk-12345-and-longer");
    log_add_secret(log, "sk-12345");
    log_line(log, LOG_INFO, "abc key=sk-12345; sk-12345-and-longersk-12345 sk-1234");
    assert_string_equal(buffer_text(&out), "1:abc key=[secret]; [secret][secret] sk-1234|");
    log_free(log);
    buffer_free(&out);
}

static void redacts_in_place(void **state) {
    (void)state;
    log_t *log = log_create(LOG_DEBUG, NULL, NULL);
    log_add_secret(log, "pass");
    log_add_secret(log, "a-very-long-secret");
    char text[] = "pass, a-very-long-secret, passpass";
    log_redact(log, text);
    assert_string_equal(text, "[sec, [secret], [sec[sec");
    char plain[] = "nothing here: a-very-lon";
    log_redact(NULL, plain);
    assert_string_equal(plain, "nothing here: a-very-lon");
    log_free(log);
}

/* An error message that was cut within a secret holds its beginning, at its end. */
static void redacts_a_cut_secret(void **state) {
    (void)state;
    log_t *log = log_create(LOG_DEBUG, NULL, NULL);
    const char *secret = "sk-abcdefghijklmnopqrstuvwxyz";
    log_add_secret(log, secret);
    for (int fill = 0; fill < 40; fill++) {
        error_info_t error;
        error_set(&error, ERROR_FATAL, "%*s%s", ERROR_MESSAGE_SIZE - 1 - fill, "", secret);
        log_redact(log, error.message);
        assert_null(strstr(error.message, "sk-abcde"));
    }
    char within[] = "sk-abcdefgh is no secret";
    log_redact(log, within);
    assert_string_equal(within, "sk-abcdefgh is no secret");
    log_free(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(one_visible_line),
        cmocka_unit_test(secrets_never_leave),
        cmocka_unit_test(redacts_in_place),
        cmocka_unit_test(redacts_a_cut_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
