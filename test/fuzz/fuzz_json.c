/* fuzz_json.c - libFuzzer entry: JSON text. What is accepted must write and read back
 * to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition) {
    if (!condition)
        abort();
}

static void visit(const json_value_t *value) {
    const char *key;
    const json_value_t *member;
    double number;
    int64_t integer;
    size_t length;
    json_iterator_t members = json_iterate(value);
    while (json_next(&members, &key, &member)) {
        expect(json_get(value, key) == member);
        visit(member);
    }
    for (size_t i = 0; json_is(value, JSON_KIND_ARRAY) && i < json_count(value); i++)
        visit(json_at(value, i));
    expect(json_as_number(value, &number) == json_is(value, JSON_KIND_NUMBER));
    if (json_as_integer(value, &integer))
        expect(json_is(value, JSON_KIND_NUMBER));
    const char *string = json_as_string(value, &length);
    expect((string != NULL) == json_is(value, JSON_KIND_STRING));
    expect(!string || string[length] == '\0');
    json_path(value, "a.0.b");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (unsigned flags = 0; flags <= JSON_ALLOW_NONFINITE; flags++) {
        error_info_t error;
        json_value_t *root = json_parse((const char *)data, size, "fuzz", flags, &error);
        if (!root) {
            expect(error.class_ == ERROR_CONFIG);
            continue;
        }
        visit(root);
        buffer_t text = BUFFER_EMPTY;
        buffer_t again = BUFFER_EMPTY;
        expect(json_write_value(&text, root, true));
        json_free(root);
        root = json_parse(text.data, text.length, "written", JSON_PLAIN, &error);
        expect(root != NULL);
        expect(json_write_value(&again, root, true));
        expect(text.length == again.length && memcmp(text.data, again.data, text.length) == 0);
        json_free(root);
        buffer_free(&again);
        buffer_free(&text);
    }
    return 0;
}
