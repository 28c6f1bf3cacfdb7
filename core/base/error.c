/* error.c - fills in error_info_t: formatting, cutting and cleaning of one-line messages. */
#include "core/base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

/* The length of `text` without a last character that was cut in two (cutting leaves
 * its first bytes). */
static size_t whole_characters(const char *text, size_t length) {
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return length;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return length - (start - 1) < wanted ? start - 1 : length;
}

/* Makes the message one line of valid UTF-8, in place and without a change of length. */
static void clean(char *text, size_t length) {
    size_t i = 0;
    while (i < length) {
        uint32_t character;
        size_t step = text_utf8_decode(text + i, length - i, &character);
        if (step == 0) {
            text[i] = '?';
            step = 1;
        } else if (character < 0x20 || character == 0x7F) {
            text[i] = ' ';
        }
        i += step;
    }
}

static void store(error_info_t *error, const char *text, size_t full_length) {
    size_t length = full_length;
    if (length >= ERROR_MESSAGE_SIZE)
        length = whole_characters(text, ERROR_MESSAGE_SIZE - 1);
    memcpy(error->message, text, length);
    error->message[length] = '\0';
    clean(error->message, length);
}

bool error_set(error_info_t *error, error_class_t class_, const char *format, ...) {
    if (!error)
        return false;
    /* A local copy first: the arguments may point into error->message. */
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error->class_ = class_;
    store(error, text, length < 0 ? 0 : (size_t)length);
    return false;
}

bool error_prefix(error_info_t *error, const char *format, ...) {
    if (!error)
        return false;
    char text[2 * ERROR_MESSAGE_SIZE + 2];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, ERROR_MESSAGE_SIZE, format, arguments);
    va_end(arguments);
    size_t length = written < 0 ? 0 : (size_t)written;
    if (length >= ERROR_MESSAGE_SIZE)
        length = ERROR_MESSAGE_SIZE - 1;
    size_t old = strnlen(error->message, ERROR_MESSAGE_SIZE - 1);
    memcpy(text + length, ": ", 2);
    memcpy(text + length + 2, error->message, old);
    text[length + 2 + old] = '\0';
    store(error, text, length + 2 + old);
    return false;
}

const char *error_class_name(error_class_t class_) {
    switch (class_) {
#define ERROR_CLASS_NAME(name, text, code) \
    case ERROR_##name: return text;
        ERROR_CLASS_MAP(ERROR_CLASS_NAME)
#undef ERROR_CLASS_NAME
    }
    return "unknown";
}

int error_exit_code(error_class_t class_) {
    switch (class_) {
#define ERROR_CLASS_CODE(name, text, code) \
    case ERROR_##name: return code;
        ERROR_CLASS_MAP(ERROR_CLASS_CODE)
#undef ERROR_CLASS_CODE
    }
    return 1;
}
