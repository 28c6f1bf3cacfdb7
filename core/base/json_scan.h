/* json_scan.h - what is known of JSON text without reading it: where a string ends.
 * Private to json*.c. */
#ifndef GLIA_BASE_JSON_SCAN_H
#define GLIA_BASE_JSON_SCAN_H

/* `at` is behind the opening quote of a string; the result is behind its closing one, `end`
 * if it has none. */
const char *json_string_end(const char *at, const char *end);

#endif
