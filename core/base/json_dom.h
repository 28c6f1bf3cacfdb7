/* json_dom.h - a parsed JSON document as a tree of plain nodes; private to json*.c. json_dom.cc
 * builds it with simdjson.
 *
 * Reading an answer costs more than sending the question when the tree is made of a thousand small
 * allocations: an `echo` reply holds ten thousand numbers. simdjson checks and reads the text, and
 * the nodes lie side by side in a few blocks.
 */
#ifndef GLIA_BASE_JSON_DOM_H
#define GLIA_BASE_JSON_DOM_H

#include "core/base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_value {
    json_kind_t kind;
    bool is_integer; /* NUMBER: `integer` holds it exactly, `number` the nearest double */
    size_t count;    /* STRING: bytes; ARRAY, OBJECT: children */
    /* of a member of an object: [key_length] bytes, terminated; may hold NUL bytes */
    const char *key;
    size_t key_length;
    union {
        bool boolean;
        int64_t integer;
        const char *string;           /* terminated; may hold NUL bytes */
        const json_value_t *children; /* [count] */
    };
    double number;
};

/* NULL: no JSON, or a key twice in an object; who wants to know where asks jansson.
 * `marked`: strings that begin with a NUL byte are json_prepare.h's. The result is released
 * with json_dom_free. */
json_value_t *json_dom_parse(const char *text, size_t length, bool marked);
void json_dom_free(json_value_t *root);

#ifdef __cplusplus
}
#endif
#endif
