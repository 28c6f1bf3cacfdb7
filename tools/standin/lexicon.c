/* lexicon.c - two hash tables from words to sets of classes: as they stand, and by stem. */
#include "tools/standin/lexicon.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"

enum { PHRASES = 4, KEYS = 16, KEY_STEMS = 4 };

typedef struct {
    char stems[KEY_STEMS][STEM_SIZE];
    size_t count;
} naming_key_t;

typedef struct {
    char *name;
    bool exact; /* words match only as they stand */
    char *phrases[PHRASES];
    size_t phrase_count;
    naming_key_t keys[KEYS];
    size_t key_count;
} class_t;

typedef struct {
    uint64_t hash; /* 0: free */
    standin_classes_t classes;
} slot_t;

typedef struct {
    slot_t *slots; /* [capacity], a power of 2 */
    size_t capacity;
    size_t count;
} table_t;

struct standin_lexicon {
    class_t classes[LEXICON_CLASSES];
    size_t class_count;
    table_t exact;
    table_t stems;
};

/* --- stems --- */

static bool is_vowel(char c) {
    return c != '\0' && strchr("aeiouy", c);
}

static bool has_vowel(const char *stem, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (is_vowel(stem[i]))
            return true;
    return false;
}

static bool ends(const char *stem, size_t length, const char *ending) {
    size_t size = strlen(ending);
    return length >= size && memcmp(stem + length - size, ending, size) == 0;
}

/* "running" -> "runn" -> "run"; "falling" stays "fall". */
static size_t undouble(const char *stem, size_t length) {
    char last = stem[length - 1];
    bool doubled =
        length > 3 && last == stem[length - 2] && !is_vowel(last) && !strchr("lsz", last);
    return doubled ? length - 1 : length;
}

static size_t strip_plural(char *stem, size_t length) {
    if (ends(stem, length, "'s"))
        return length - 2;
    if (length > 4 && ends(stem, length, "ies")) {
        stem[length - 3] = 'y';
        return length - 2;
    }
    if (length > 4 &&
        (ends(stem, length, "sses") || ends(stem, length, "ches") || ends(stem, length, "shes") ||
         ends(stem, length, "xes") || ends(stem, length, "zes")))
        return length - 2;
    if (length > 3 && stem[length - 1] == 's' && !strchr("sui", stem[length - 2]))
        return length - 1;
    return length;
}

static size_t strip_ending(char *stem, size_t length) {
    if (length > 5 && ends(stem, length, "ing") && has_vowel(stem, length - 3))
        return undouble(stem, length - 3);
    if (length > 4 && ends(stem, length, "ied")) {
        stem[length - 3] = 'y';
        return length - 2;
    }
    if (length > 4 && ends(stem, length, "ed") && has_vowel(stem, length - 2))
        return undouble(stem, length - 2);
    if (length > 5 && ends(stem, length, "ly"))
        return length - 2;
    return length;
}

void standin_stem(const char *word, size_t length, char stem[STEM_SIZE]) {
    if (length > STEM_SIZE - 1)
        length = STEM_SIZE - 1;
    for (size_t i = 0; i < length; i++)
        stem[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + ('a' - 'A') : word[i]);
    length = strip_plural(stem, length);
    length = strip_ending(stem, length);
    if (length > 3 && stem[length - 1] == 'e')
        length--;
    if (length > 2 && stem[length - 1] == 'y')
        stem[length - 1] = 'i';
    stem[length] = '\0';
}

/* --- tables --- */

static uint64_t hash_word(const char *word, size_t length) {
    uint64_t hash = hash_low64(hash_bytes(word, length));
    return hash ? hash : 1;
}

static slot_t *table_slot(const table_t *table, uint64_t hash) {
    size_t i = (size_t)hash & (table->capacity - 1);
    while (table->slots[i].hash != 0 && table->slots[i].hash != hash)
        i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

static void table_grow(table_t *table) {
    table_t larger = {.capacity = table->capacity ? 2 * table->capacity : 1024,
                      .count = table->count};
    larger.slots = MEMORY_NEW_ARRAY(larger.capacity, slot_t);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].hash != 0)
            *table_slot(&larger, table->slots[i].hash) = table->slots[i];
    free(table->slots);
    *table = larger;
}

static void table_add(table_t *table, const char *word, size_t length, size_t class_) {
    if (2 * table->count >= table->capacity)
        table_grow(table);
    slot_t *slot = table_slot(table, hash_word(word, length));
    if (slot->hash == 0) {
        slot->hash = hash_word(word, length);
        table->count++;
    }
    slot->classes.bits[class_ / 64] |= (uint64_t)1 << (class_ % 64);
}

/* --- the file --- */

static bool read_header(standin_lexicon_t *lexicon, const char *line, size_t length) {
    const char *close = memchr(line, ']', length);
    if (!close || lexicon->class_count == LEXICON_CLASSES)
        return false;
    class_t *class_ = &lexicon->classes[lexicon->class_count++];
    class_->exact = close[-1] == '!';
    class_->name = memory_copy(line + 1, (size_t)(close - line) - 1 - class_->exact);
    size_t at = (size_t)(close - line) + 1;
    while (at < length && class_->phrase_count < PHRASES) {
        size_t stop = at;
        while (stop < length && line[stop] != '|')
            stop++;
        size_t next = stop + 1;
        while (at < stop && line[at] == ' ')
            at++;
        while (stop > at && line[stop - 1] == ' ')
            stop--;
        if (stop > at)
            class_->phrases[class_->phrase_count++] = memory_copy(line + at, stop - at);
        at = next;
    }
    return class_->phrase_count > 0;
}

static bool add_key(class_t *class_, const char *word, size_t length) {
    if (class_->key_count == KEYS)
        return false;
    naming_key_t *key = &class_->keys[class_->key_count++];
    for (size_t at = 0; at < length && key->count < KEY_STEMS; at++) {
        const char *bar = memchr(word + at, '_', length - at);
        size_t part = bar ? (size_t)(bar - word) - at : length - at;
        standin_stem(word + at, part, key->stems[key->count++]);
        at += part;
    }
    return true;
}

static void add_word(standin_lexicon_t *lexicon, const char *word, size_t length) {
    char stem[STEM_SIZE];
    size_t number = lexicon->class_count - 1;
    table_add(&lexicon->exact, word, length, number);
    if (lexicon->classes[number].exact)
        return;
    standin_stem(word, length, stem);
    table_add(&lexicon->stems, stem, strlen(stem), number);
}

static bool read_line(standin_lexicon_t *lexicon, const char *line, size_t length) {
    if (length == 0 || line[0] == '#')
        return true;
    if (line[0] == '[')
        return read_header(lexicon, line, length);
    if (lexicon->class_count == 0)
        return false;
    bool keys = line[0] == '=';
    for (size_t at = keys; at < length;) {
        size_t word = 0;
        while (at + word < length && line[at + word] != ' ')
            word++;
        if (word > 0 && keys &&
            !add_key(&lexicon->classes[lexicon->class_count - 1], line + at, word))
            return false;
        if (word > 0 && !keys)
            add_word(lexicon, line + at, word);
        at += word + 1;
    }
    return true;
}

standin_lexicon_t *standin_lexicon_create(const char *text, size_t length, error_info_t *error) {
    standin_lexicon_t *lexicon = MEMORY_NEW(standin_lexicon_t);
    table_grow(&lexicon->exact);
    table_grow(&lexicon->stems);
    for (size_t at = 0, line = 1; at < length; line++) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t size = newline ? (size_t)(newline - text) - at : length - at;
        if (!read_line(lexicon, text + at, size)) {
            error_set(error, ERROR_CONFIG,
                      "lexicon.txt:%zu: '%.40s': a class begins with \"[name] phrase\", and there "
                      "may be %d classes of %d keys each",
                      line, text + at, LEXICON_CLASSES, KEYS);
            standin_lexicon_free(lexicon);
            return NULL;
        }
        at += size + 1;
    }
    return lexicon;
}

void standin_lexicon_free(standin_lexicon_t *lexicon) {
    if (!lexicon)
        return;
    for (size_t i = 0; i < lexicon->class_count; i++) {
        free(lexicon->classes[i].name);
        for (size_t j = 0; j < lexicon->classes[i].phrase_count; j++)
            free(lexicon->classes[i].phrases[j]);
    }
    free(lexicon->exact.slots);
    free(lexicon->stems.slots);
    free(lexicon);
}

/* --- questions --- */

size_t standin_lexicon_count(const standin_lexicon_t *lexicon) {
    return lexicon->class_count;
}

size_t standin_lexicon_find(const standin_lexicon_t *lexicon, const char *name) {
    for (size_t i = 0; i < lexicon->class_count; i++)
        if (strcmp(lexicon->classes[i].name, name) == 0)
            return i;
    return LEXICON_CLASSES;
}

standin_classes_t standin_lexicon_look_up(const standin_lexicon_t *lexicon, const char *word,
                                          size_t length) {
    char stem[STEM_SIZE];
    standin_stem(word, length, stem);
    standin_classes_t classes = table_slot(&lexicon->exact, hash_word(word, length))->classes;
    standin_classes_t by_stem = table_slot(&lexicon->stems, hash_word(stem, strlen(stem)))->classes;
    for (size_t i = 0; i < LEXICON_CLASSES / 64; i++)
        classes.bits[i] |= by_stem.bits[i];
    return classes;
}

const char *standin_lexicon_phrase(const standin_lexicon_t *lexicon, size_t class_,
                                   size_t variant) {
    const class_t *asked = &lexicon->classes[class_];
    return asked->phrases[variant % asked->phrase_count];
}

static bool key_stands(const naming_key_t *key, const char (*stems)[STEM_SIZE], size_t count,
                       size_t at) {
    if (at + key->count > count)
        return false;
    for (size_t i = 0; i < key->count; i++)
        if (strcmp(key->stems[i], stems[at + i]) != 0)
            return false;
    return true;
}

standin_naming_t standin_lexicon_naming(const standin_lexicon_t *lexicon,
                                        const char (*stems)[STEM_SIZE], size_t count, size_t at,
                                        size_t *after) {
    for (size_t class_ = *after; class_ < lexicon->class_count; class_++) {
        size_t longest = 0;
        for (size_t i = 0; i < lexicon->classes[class_].key_count; i++) {
            const naming_key_t *key = &lexicon->classes[class_].keys[i];
            if (key->count > longest && key_stands(key, stems, count, at))
                longest = key->count;
        }
        if (longest > 0) {
            *after = class_ + 1;
            return (standin_naming_t){.class_ = class_, .stems = longest};
        }
    }
    return (standin_naming_t){.class_ = LEXICON_CLASSES};
}
