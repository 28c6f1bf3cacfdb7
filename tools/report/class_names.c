/* class_names.c - which classes an explanation names. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "tools/report/classes_private.h"

enum { FAR = 3 }; /* so many words before it, "after" and the like make a word a place */

/* The words of an explanation in lower case, one terminated text behind the other. */
typedef struct {
    size_t count;
    char *bytes;
    const char **words; /* [count] */
} words_t;

static bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

static words_t split_words(const char *text) {
    size_t length = strlen(text);
    words_t words = {.bytes = memory_copy(text, length),
                     .words = MEMORY_NEW_ARRAY(length / 2 + 1, const char *)};
    for (size_t i = 0; i < length; i++) {
        char c = words.bytes[i];
        if (!is_word_byte(c)) {
            words.bytes[i] = '\0';
            continue;
        }
        if (c >= 'A' && c <= 'Z')
            words.bytes[i] = (char)(c - 'A' + 'a');
        if (i == 0 || words.bytes[i - 1] == '\0')
            words.words[words.count++] = words.bytes + i;
    }
    return words;
}

static bool is_article(const char *word) {
    return strcmp(word, "a") == 0 || strcmp(word, "an") == 0 || strcmp(word, "the") == 0;
}

static bool is_place_word(const char *word) {
    static const char *const places[] = {
        "after",   "before",   "behind",    "inside",  "within",   "following", "follow",
        "follows", "followed", "preceding", "precede", "precedes", "preceded"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(word, places[i]) == 0)
            return true;
    return false;
}

/* Whether `word` fits one word of a keyword, [length] bytes: it, its plural, or what begins so. */
static bool fits(const char *word, const char *key, size_t length) {
    if (key[length - 1] == '*')
        return strncmp(word, key, length - 1) == 0;
    return strncmp(word, key, length) == 0 &&
           (word[length] == '\0' || strcmp(word + length, "s") == 0 ||
            strcmp(word + length, "es") == 0);
}

/* Whether the keyword's words stand at words[at] and behind, articles left out. */
static bool stands_at(const words_t *words, size_t at, const char *keyword) {
    for (;;) {
        size_t length = strcspn(keyword, " ");
        while (at < words->count && is_article(words->words[at]) &&
               !fits(words->words[at], keyword, length))
            at++;
        if (at == words->count || !fits(words->words[at], keyword, length))
            return false;
        at++;
        keyword += length;
        if (*keyword == '\0')
            return true;
        keyword++;
    }
}

static bool is_place(const words_t *words, size_t at) {
    for (size_t back = 1; back <= FAR && back <= at; back++)
        if (is_place_word(words->words[at - back]))
            return true;
    return false;
}

static bool is_named(const word_class_t *class_, const words_t *words) {
    bool place =
        class_->kind == CLASS_AFTER || class_->kind == CLASS_WITHIN || class_->kind == CLASS_FIRST;
    for (size_t at = 0; at < words->count; at++)
        for (size_t k = 0; k < class_->keywords.count; k++)
            if (stands_at(words, at, class_->keywords.texts[k]) && (place || !is_place(words, at)))
                return true;
    return false;
}

class_set_t classes_named(const word_classes_t *classes, const char *explanation) {
    class_set_t set = {{0}};
    words_t words = split_words(explanation);
    for (size_t i = 0; i < classes->count; i++)
        if (is_named(&classes->classes[i], &words))
            set.bits[i / 64] |= UINT64_C(1) << (i % 64);
    free(words.bytes);
    free(words.words);
    return set;
}
