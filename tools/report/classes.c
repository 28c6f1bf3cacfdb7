/* classes.c - classes.json, and which tokens are in which class. */
#include "tools/report/classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "tools/report/classes_private.h"

static const char end_of_text[] = "<|endoftext|>";

/* --- reading ---------------------------------------------------------------------------------- */

static const char *const kinds[] = {"words", "characters", "breaks", "capitals",
                                    "first", "after",      "within"};

static bool read_kind(const char *name, class_kind_t *kind) {
    for (size_t i = 0; name && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i]) == 0) {
            *kind = (class_kind_t)i;
            return true;
        }
    return false;
}

/* An array of non-empty strings. */
static bool read_texts(const json_value_t *array, text_list_t *list) {
    if (!json_is(array, JSON_KIND_ARRAY))
        return false;
    list->texts = MEMORY_NEW_ARRAY(json_count(array), char *);
    for (size_t i = 0; i < json_count(array); i++) {
        size_t length;
        const char *text = json_as_string(json_at(array, i), &length);
        if (!text || length == 0 || strlen(text) != length)
            return false;
        list->texts[list->count++] = memory_copy_string(text);
    }
    return true;
}

/* Words with one space between them. */
static bool keywords_fit(const text_list_t *keywords) {
    for (size_t i = 0; i < keywords->count; i++) {
        const char *text = keywords->texts[i];
        if (text[0] == ' ' || text[strlen(text) - 1] == ' ' || strstr(text, "  "))
            return false;
    }
    return keywords->count > 0;
}

static bool values_fit(const word_class_t *class_) {
    switch (class_->kind) {
    case CLASS_WORDS:
    case CLASS_AFTER: return class_->values.count > 0;
    case CLASS_CHARACTERS: return class_->values.count == 1;
    case CLASS_WITHIN:
        return class_->values.count == 2 && strlen(class_->values.texts[0]) == 1 &&
               strlen(class_->values.texts[1]) == 1;
    case CLASS_BREAKS:
    case CLASS_CAPITALS:
    case CLASS_FIRST: return class_->values.count == 0;
    }
    return false;
}

static bool read_class(const json_value_t *value, word_class_t *class_) {
    const char *name = json_as_string(json_get(value, "name"), NULL);
    class_->name = memory_copy_string(name);
    return name && read_kind(json_as_string(json_get(value, "kind"), NULL), &class_->kind) &&
           read_texts(json_get(value, "keywords"), &class_->keywords) &&
           read_texts(json_get(value, "values"), &class_->values) &&
           keywords_fit(&class_->keywords) && values_fit(class_);
}

static int compare_words(const void *a, const void *b) {
    const word_entry_t *x = a, *y = b;
    int order = strcmp(x->word, y->word);
    return order != 0 ? order : (x->class_ > y->class_) - (x->class_ < y->class_);
}

/* The values of all classes of words, sorted. */
static void index_words(word_classes_t *classes) {
    for (size_t i = 0; i < classes->count; i++)
        if (classes->classes[i].kind == CLASS_WORDS)
            classes->word_count += classes->classes[i].values.count;
    classes->words = MEMORY_NEW_ARRAY(classes->word_count, word_entry_t);
    size_t at = 0;
    for (size_t i = 0; i < classes->count; i++)
        for (size_t j = 0;
             classes->classes[i].kind == CLASS_WORDS && j < classes->classes[i].values.count; j++)
            classes->words[at++] = (word_entry_t){classes->classes[i].values.texts[j], i};
    if (at > 0)
        qsort(classes->words, at, sizeof *classes->words, compare_words);
}

word_classes_t *classes_parse(const char *json, size_t length, error_info_t *error) {
    if (length > CLASSES_MAX_BYTES) {
        error_set(error, ERROR_CONFIG, "classes.json is over %d bytes", (int)CLASSES_MAX_BYTES);
        return NULL;
    }
    json_value_t *root = json_parse(json, length, "classes.json", JSON_PLAIN, error);
    if (!root)
        return NULL;
    const json_value_t *list = json_get(root, "classes");
    word_classes_t *classes = MEMORY_NEW(word_classes_t);
    bool good = json_is(list, JSON_KIND_ARRAY) && json_count(list) <= CLASSES_MAX;
    if (!good)
        error_set(error, ERROR_CONFIG, "classes.json: \"classes\" is no array of at most %d",
                  (int)CLASSES_MAX);
    for (size_t i = 0; good && i < json_count(list); i++) {
        good = read_class(json_at(list, i), &classes->classes[classes->count++]);
        if (!good)
            error_set(error, ERROR_CONFIG,
                      "classes.json: class number %zu lacks a name, kind, keywords or values", i);
    }
    json_free(root);
    if (good) {
        index_words(classes);
        return classes;
    }
    classes_free(classes);
    return NULL;
}

static void free_texts(text_list_t *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->texts[i]);
    free(list->texts);
}

void classes_free(word_classes_t *classes) {
    if (!classes)
        return;
    for (size_t i = 0; i < classes->count; i++) {
        free(classes->classes[i].name);
        free_texts(&classes->classes[i].keywords);
        free_texts(&classes->classes[i].values);
    }
    free(classes->words);
    free(classes);
}

size_t classes_count(const word_classes_t *classes) {
    return classes->count;
}

const char *classes_name(const word_classes_t *classes, size_t index) {
    return classes->classes[index].name;
}

/* --- a token in its text ---------------------------------------------------------------------- */

enum { WORD_SIZE = 64 };

/* One token, as the tests of membership see it. */
typedef struct {
    const char *text; /* of the record */
    size_t length;
    /* the token, spaces in front left out; start == end: nothing but spaces */
    size_t start, end;
    /* the word or number that it begins in; equal: it begins with a mark */
    size_t word_start, word_end;
    /* the word or mark in front of the word (or mark); equal: none */
    size_t before_start, before_end;
    bool breaks; /* the token has a line break */
    bool opens;  /* a line break or <|endoftext|> is right before it */
} place_t;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The run of letters (or of digits) around `at`; empty if there is a mark. */
static void find_run(const char *text, size_t length, size_t at, size_t *start, size_t *end) {
    *start = *end = at;
    if (at == length || !(is_letter(text[at]) || is_digit(text[at])))
        return;
    bool digits = is_digit(text[at]);
    while (*start > 0 && (digits ? is_digit(text[*start - 1]) : is_letter(text[*start - 1])))
        --*start;
    while (*end < length && (digits ? is_digit(text[*end]) : is_letter(text[*end])))
        ++*end;
}

static bool ends_document(const char *text, size_t end) {
    size_t size = sizeof end_of_text - 1;
    return end >= size && memcmp(text + end - size, end_of_text, size) == 0;
}

static void find_before(place_t *place) {
    size_t at = place->word_start < place->word_end ? place->word_start : place->start;
    place->opens = false;
    while (at > 0 && is_space(place->text[at - 1])) {
        at--;
        place->opens = place->opens || place->text[at] == '\n';
    }
    place->before_start = place->before_end = at;
    if (at == 0)
        return;
    if (ends_document(place->text, at)) {
        place->opens = true;
        return;
    }
    find_run(place->text, place->length, at - 1, &place->before_start, &place->before_end);
    if (place->before_start == place->before_end) {
        place->before_start = at - 1;
        place->before_end = at;
    }
}

static place_t find_place(const char *text, size_t length, size_t start, size_t end) {
    place_t place = {.text = text, .length = length, .start = start, .end = end};
    place.breaks = memchr(text + start, '\n', end - start) != NULL;
    while (place.start < end && is_space(text[place.start]))
        place.start++;
    if (place.start < end)
        find_run(text, length, place.start, &place.word_start, &place.word_end);
    find_before(&place);
    return place;
}

static void lower_word(const place_t *place, size_t start, size_t end, char word[WORD_SIZE]) {
    size_t length = end - start < WORD_SIZE - 1 ? end - start : WORD_SIZE - 1;
    for (size_t i = 0; i < length; i++) {
        char c = place->text[start + i];
        word[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    word[length] = '\0';
}

static bool begins_sentence(const place_t *place) {
    size_t at = place->before_end;
    if (place->opens)
        return true;
    while (at > 0 && (place->text[at - 1] == '"' || is_space(place->text[at - 1])))
        at--;
    return at > 0 && strchr(".!?", place->text[at - 1]) && place->text[at - 1] != '\0';
}

/* Whether `at` lies behind an opening mark that is not closed yet. A mark that opens and closes is
 * an opening one if it stands at the start or behind a space or bracket. */
static bool stands_within(const char *text, size_t at, char open, char close) {
    bool within = false;
    for (size_t i = 0; i < at; i++) {
        bool may_open = open != close || i == 0 || is_space(text[i - 1]) || text[i - 1] == '(';
        if (text[i] == open && may_open)
            within = true;
        else if (text[i] == close || ends_document(text, i + 1))
            within = false;
    }
    return within;
}

static bool is_one_of(const text_list_t *values, const char *word) {
    for (size_t i = 0; i < values->count; i++)
        if (strcmp(values->texts[i], word) == 0)
            return true;
    return false;
}

static bool is_capital(const place_t *place) {
    char first = place->text[place->word_start];
    return first >= 'A' && first <= 'Z' && place->word_end - place->word_start > 1 &&
           !begins_sentence(place) && place->before_start < place->before_end;
}

/* Membership in a class that is no list of words. */
static bool is_member(const word_class_t *class_, const place_t *place) {
    char word[WORD_SIZE];
    bool wordy = place->word_start < place->word_end;
    switch (class_->kind) {
    case CLASS_WORDS: return false;
    case CLASS_CHARACTERS: {
        size_t end = place->end;
        while (end > place->start && is_space(place->text[end - 1]))
            end--;
        for (size_t i = place->start; i < end; i++)
            if (place->text[i] == '\0' || !strchr(class_->values.texts[0], place->text[i]))
                return false;
        return end > place->start;
    }
    case CLASS_BREAKS: return place->breaks;
    case CLASS_CAPITALS: return wordy && is_capital(place);
    case CLASS_FIRST: return wordy && begins_sentence(place);
    case CLASS_AFTER:
        lower_word(place, place->before_start, place->before_end, word);
        return wordy && place->before_start < place->before_end && is_one_of(&class_->values, word);
    case CLASS_WITHIN:
        return wordy && stands_within(place->text, place->word_start, class_->values.texts[0][0],
                                      class_->values.texts[1][0]);
    }
    return false;
}

static class_set_t classes_at(const word_classes_t *classes, const place_t *place) {
    class_set_t set = {{0}};
    char word[WORD_SIZE];
    if (place->word_start < place->word_end) {
        lower_word(place, place->word_start, place->word_end, word);
        size_t low = 0, high = classes->word_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (strcmp(classes->words[middle].word, word) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < classes->word_count && strcmp(classes->words[low].word, word) == 0; low++)
            set.bits[classes->words[low].class_ / 64] |= UINT64_C(1)
                                                         << (classes->words[low].class_ % 64);
    }
    for (size_t i = 0; i < classes->count; i++)
        if (classes->classes[i].kind != CLASS_WORDS && is_member(&classes->classes[i], place))
            set.bits[i / 64] |= UINT64_C(1) << (i % 64);
    return set;
}

void classes_of_record(const word_classes_t *classes, const activation_record_t *record,
                       class_set_t *sets) {
    buffer_t text = BUFFER_EMPTY;
    for (size_t i = 0; i < record->count; i++)
        buffer_append(&text, record->tokens[i].bytes, record->tokens[i].length);
    size_t at = 0;
    for (size_t i = 0; i < record->count; i++) {
        place_t place =
            find_place(buffer_text(&text), text.length, at, at + record->tokens[i].length);
        sets[i] = classes_at(classes, &place);
        at += record->tokens[i].length;
    }
    buffer_free(&text);
}

/* --- which class a neuron is selective for ---------------------------------------------------- */

typedef struct {
    size_t active;               /* active tokens */
    size_t members[CLASSES_MAX]; /* those in each class */
    size_t records[CLASSES_MAX]; /* records that have such a member */
    size_t words[CLASSES_MAX];   /* different ones among them, counted up to CLASSES_WORDS */
    const token_t *seen[CLASSES_MAX][CLASSES_WORDS];
} support_t;

static bool same_token(const token_t *a, const token_t *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void note_word(support_t *support, size_t class_, const token_t *token) {
    size_t count = support->words[class_];
    for (size_t i = 0; i < count; i++)
        if (same_token(support->seen[class_][i], token))
            return;
    if (count < CLASSES_WORDS)
        support->seen[class_][support->words[class_]++] = token;
}

static void count_active(const word_classes_t *classes, const activation_record_t *record,
                         double threshold, support_t *support) {
    class_set_t *sets = MEMORY_NEW_ARRAY(record->count, class_set_t), here = {{0}};
    classes_of_record(classes, record, sets);
    for (size_t i = 0; i < record->count; i++) {
        if (!((double)record->activations[i] > threshold))
            continue;
        support->active++;
        for (size_t c = 0; c < classes->count; c++) {
            if (!class_set_has(&sets[i], c))
                continue;
            support->members[c]++;
            support->records[c] += !class_set_has(&here, c);
            here.bits[c / 64] |= UINT64_C(1) << (c % 64);
            note_word(support, c, &record->tokens[i]);
        }
    }
    free(sets);
}

/* Adds up how many tokens are in each class; returns how many there are. */
static size_t count_all(const word_classes_t *classes, const record_list_t *list,
                        size_t totals[CLASSES_MAX]) {
    size_t tokens = 0;
    for (size_t r = 0; r < list->count; r++) {
        class_set_t *sets = MEMORY_NEW_ARRAY(list->records[r].count, class_set_t);
        classes_of_record(classes, &list->records[r], sets);
        for (size_t i = 0; i < list->records[r].count; i++)
            for (size_t c = 0; c < classes->count; c++)
                totals[c] += class_set_has(&sets[i], c);
        tokens += list->records[r].count;
        free(sets);
    }
    return tokens;
}

/* Twice the log of how much likelier `members` of `active` are at their own rate than
 * at the base rate. */
static double likelihood_ratio(size_t members, size_t active, double base) {
    double in = (double)members, out = (double)(active - members), share = in / (double)active;
    return 2 * (in * log(share / base) + (out > 0 ? out * log((1 - share) / (1 - base)) : 0));
}

static bool is_supported(const word_class_t *class_, const support_t *support, size_t c,
                         double base) {
    size_t words = class_->kind != CLASS_WORDS            ? 0
                   : class_->values.count < CLASSES_WORDS ? class_->values.count
                                                          : (size_t)CLASSES_WORDS;
    double share = (double)support->members[c] / (double)support->active;
    return support->members[c] > 0 && support->records[c] >= CLASSES_RECORDS &&
           support->words[c] >= words && share >= CLASSES_SHARE && share >= CLASSES_LIFT * base;
}

bool classes_select(const word_classes_t *classes, const neuron_record_t *neuron,
                    class_choice_t *choice) {
    double threshold, best = 0;
    if (!neuron_threshold(neuron, &threshold))
        return false;
    size_t totals[CLASSES_MAX] = {0};
    size_t tokens = count_all(classes, &neuron->random, totals);
    support_t *support = MEMORY_NEW(support_t);
    for (size_t r = 0; r < neuron->top.count; r++)
        count_active(classes, &neuron->top.records[r], threshold, support);
    bool found = false;
    for (size_t c = 0; tokens > 0 && support->active >= CLASSES_SUPPORT && c < classes->count;
         c++) {
        /* A class that no random record has is as rare as half a token. */
        double base = (totals[c] > 0 ? (double)totals[c] : 0.5) / (double)tokens;
        if (!is_supported(&classes->classes[c], support, c, base))
            continue;
        double ratio = likelihood_ratio(support->members[c], support->active, base);
        if (found && ratio <= best)
            continue;
        found = true;
        best = ratio;
        *choice = (class_choice_t){
            .class_ = c, .active = support->active, .members = support->members[c], .base = base};
    }
    free(support);
    return found;
}
