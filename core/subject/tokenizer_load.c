/* tokenizer_load.c - a tokenizer from the files of a model: vocab.json and merges.txt, or
 * tokenizer.json. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/tokenizer_private.h"

static const char END_OF_TEXT[] = "<|endoftext|>";
enum { SHOWN = 80 }; /* bytes of a name in a message */

/* A token by its bytes; slots of a hash table. */
typedef struct {
    size_t start, length; /* in loader_t.bytes */
    uint32_t id;
    bool used;
} entry_t;

typedef struct {
    tokenizer_t *tokenizer;
    char *path;            /* of the file that is read, for messages */
    int16_t bytes_of[512]; /* byte of a character of the byte alphabet, -1: none */
    buffer_t bytes;        /* of all tokens */
    entry_t *entries;      /* [count] in order of the files */
    size_t count, capacity;
    uint32_t *slots; /* [mask + 1]: number of an entry + 1, 0: free */
    size_t mask;
    hash_builder_t *identity;
    error_info_t *error;
} loader_t;

static bool complain(loader_t *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool complain(loader_t *loader, const char *format, ...) {
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(loader->error, ERROR_CONFIG, "%s: %s", loader->path, text);
}

static void set_path(loader_t *loader, subject_files_t *files, const char *name) {
    free(loader->path);
    loader->path = subject_files_path(files, name);
}

/* --- the byte alphabet ------------------------------------------------------------------------ */

/* GPT-2's files write each byte as one printable character: itself where it is one in Latin-1,
 * else U+0100 and on. */
static void fill_alphabet(int16_t bytes_of[512]) {
    for (int i = 0; i < 512; i++)
        bytes_of[i] = -1;
    int next = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool printable =
            (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        bytes_of[printable ? byte : next++] = (int16_t)byte;
    }
}

/* Appends the bytes that `text` stands for; false: something else is in it. */
static bool append_alphabet(const loader_t *loader, const char *text, size_t length,
                            buffer_t *out) {
    for (size_t i = 0; i < length;) {
        uint32_t character;
        size_t step = text_utf8_decode(text + i, length - i, &character);
        if (step == 0 || character >= 512 || loader->bytes_of[character] < 0)
            return false;
        buffer_append_char(out, (char)loader->bytes_of[character]);
        i += step;
    }
    return true;
}

/* A name from the files as messages show it. */
static const char *show(const char *text, size_t length, buffer_t *scratch) {
    buffer_clear(scratch);
    text_append_visible(scratch, text, length < SHOWN ? length : SHOWN);
    if (length > SHOWN)
        buffer_append_text(scratch, "...");
    return buffer_text(scratch);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static uint32_t *find_slot(const loader_t *loader, const char *bytes, size_t length) {
    size_t at = (size_t)hash_low64(hash_bytes(bytes, length)) & loader->mask;
    for (; loader->slots[at]; at = (at + 1) & loader->mask) {
        const entry_t *entry = &loader->entries[loader->slots[at] - 1];
        if (entry->length == length && !memcmp(loader->bytes.data + entry->start, bytes, length))
            break;
    }
    return &loader->slots[at];
}

static bool find_token(const loader_t *loader, const char *bytes, size_t length, uint32_t *id) {
    uint32_t slot = *find_slot(loader, bytes, length);
    if (slot)
        *id = loader->entries[slot - 1].id;
    return slot != 0;
}

/* The last `length` bytes of loader->bytes are a token. */
static void add_entry(loader_t *loader, size_t length, uint32_t id) {
    if (loader->count == loader->capacity) {
        loader->capacity = loader->capacity ? 2 * loader->capacity : 1024;
        loader->entries = memory_resize(loader->entries, loader->capacity, sizeof *loader->entries);
    }
    loader->entries[loader->count++] =
        (entry_t){.start = loader->bytes.length - length, .length = length, .id = id, .used = true};
}

static bool read_id(loader_t *loader, const json_value_t *value, const char *name, uint32_t *id) {
    int64_t integer;
    if (!json_as_integer(value, &integer) || integer < 0 || integer >= TOKENIZER_MAX_TOKENS)
        return complain(loader, "token \"%s\" needs an id from 0 to %d", name,
                        TOKENIZER_MAX_TOKENS - 1);
    *id = (uint32_t)integer;
    return true;
}

static bool read_token(loader_t *loader, const json_value_t *value, buffer_t *scratch) {
    size_t length;
    const char *key = json_member_name(value, &length);
    uint32_t id = 0;
    if (!read_id(loader, value, show(key, length, scratch), &id))
        return false;
    size_t start = loader->bytes.length;
    if (length > 2 * TOKENIZER_MAX_TOKEN_BYTES ||
        !append_alphabet(loader, key, length, &loader->bytes))
        return complain(loader,
                        "token \"%s\" is not written in the alphabet of bytes of GPT-2's files",
                        show(key, length, scratch));
    size_t bytes = loader->bytes.length - start;
    if (bytes == 0 || bytes > TOKENIZER_MAX_TOKEN_BYTES)
        return complain(loader, "token \"%s\" has %zu bytes; 1 to %d are possible",
                        show(key, length, scratch), bytes, TOKENIZER_MAX_TOKEN_BYTES);
    add_entry(loader, bytes, id);
    return true;
}

static bool read_vocabulary(loader_t *loader, const json_value_t *object) {
    if (json_count(object) > TOKENIZER_MAX_TOKENS)
        return complain(loader, "%zu tokens are too many; %d are possible", json_count(object),
                        TOKENIZER_MAX_TOKENS);
    buffer_t scratch = BUFFER_EMPTY;
    json_iterator_t members = json_iterate(object);
    const char *key;
    const json_value_t *value;
    bool good = true;
    while (good && json_next(&members, &key, &value))
        good = read_token(loader, value, &scratch);
    buffer_free(&scratch);
    return good;
}

/* Tokens that tokenizer.json lists beside the vocabulary, mostly <|endoftext|>: their text
 * is their bytes. */
static bool read_added(loader_t *loader, const json_value_t *array) {
    if (json_count(array) > TOKENIZER_MAX_TOKENS)
        return complain(loader, "added_tokens has %zu members; %d are possible", json_count(array),
                        TOKENIZER_MAX_TOKENS);
    for (size_t i = 0; i < json_count(array); i++) {
        size_t length = 0;
        const char *content = json_as_string(json_get(json_at(array, i), "content"), &length);
        if (!content || length == 0 || length > TOKENIZER_MAX_TOKEN_BYTES)
            return complain(loader, "added_tokens.%zu needs a content of 1 to %d bytes", i,
                            TOKENIZER_MAX_TOKEN_BYTES);
        char name[64];
        snprintf(name, sizeof name, "added_tokens.%zu", i);
        uint32_t id = 0;
        if (!read_id(loader, json_get(json_at(array, i), "id"), name, &id))
            return false;
        buffer_append(&loader->bytes, content, length);
        add_entry(loader, length, id);
    }
    return true;
}

/* Entries of the same bytes and id become one; fills the table. */
static bool index_tokens(loader_t *loader) {
    size_t slots = 16;
    while (slots < 2 * loader->count)
        slots *= 2;
    loader->slots = MEMORY_NEW_ARRAY(slots, uint32_t);
    loader->mask = slots - 1;
    for (size_t i = 0; i < loader->count; i++) {
        entry_t *entry = &loader->entries[i];
        const char *bytes = loader->bytes.data + entry->start;
        uint32_t *slot = find_slot(loader, bytes, entry->length);
        if (*slot && loader->entries[*slot - 1].id != entry->id) {
            buffer_t scratch = BUFFER_EMPTY;
            complain(loader, "token \"%s\" has two ids, %u and %u",
                     show(bytes, entry->length, &scratch), loader->entries[*slot - 1].id,
                     entry->id);
            buffer_free(&scratch);
            return false;
        }
        entry->used = *slot == 0;
        if (entry->used)
            *slot = (uint32_t)i + 1;
    }
    return true;
}

/* by_id: [count of used entries], numbers of entries. */
static bool order_by_id(loader_t *loader, uint32_t *by_id, size_t size) {
    memset(by_id, 0xFF, size * sizeof *by_id);
    for (size_t i = 0; i < loader->count; i++) {
        uint32_t id = loader->entries[i].id;
        if (!loader->entries[i].used)
            continue;
        if (id >= size)
            return complain(
                loader, "id %u is too high for %zu tokens: ids have to be 0 to %zu without gaps",
                id, size, size - 1);
        if (by_id[id] != UINT32_MAX)
            return complain(loader, "id %u is given to two tokens", id);
        by_id[id] = (uint32_t)i;
    }
    return true;
}

static bool place_tokens(loader_t *loader) {
    tokenizer_t *tokenizer = loader->tokenizer;
    size_t size = 0;
    for (size_t i = 0; i < loader->count; i++)
        size += loader->entries[i].used;
    uint32_t *by_id = MEMORY_NEW_ARRAY(size + 1, uint32_t);
    bool good = order_by_id(loader, by_id, size);
    tokenizer->starts = MEMORY_NEW_ARRAY(size + 1, uint32_t);
    tokenizer->bytes = MEMORY_NEW_ARRAY(loader->bytes.length + loader->count + 1, char);
    size_t at = 0;
    for (size_t id = 0; good && id < size; id++) {
        const entry_t *entry = &loader->entries[by_id[id]];
        const char *bytes = loader->bytes.data + entry->start;
        memcpy(tokenizer->bytes + at, bytes, entry->length);
        tokenizer->starts[id] = (uint32_t)at;
        at += entry->length + 1;
        hash_builder_add_bytes(loader->identity, bytes, entry->length);
    }
    tokenizer->starts[size] = (uint32_t)at;
    tokenizer->size = size;
    free(by_id);
    return good;
}

static bool finish_tokens(loader_t *loader) {
    if (!index_tokens(loader) || !place_tokens(loader))
        return false;
    tokenizer_t *tokenizer = loader->tokenizer;
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        if (!find_token(loader, &one, 1, &tokenizer->byte_ids[byte]))
            return complain(
                loader,
                "no token for the byte 0x%02X; a byte-level vocabulary has one for each of the 256",
                (unsigned)byte);
    }
    tokenizer->has_end_of_text =
        find_token(loader, END_OF_TEXT, sizeof END_OF_TEXT - 1, &tokenizer->end_of_text);
    return true;
}

/* --- merges ----------------------------------------------------------------------------------- */

static bool complain_of_merge(loader_t *loader, const char *where, const char *name,
                              size_t length) {
    buffer_t scratch = BUFFER_EMPTY;
    complain(loader, "%s: \"%s\" is no token", where, show(name, length, &scratch));
    buffer_free(&scratch);
    return false;
}

/* `where`: what messages call the rule ("line 7", "model.merges.6"). */
static bool add_merge(loader_t *loader, const char *left, size_t left_length, const char *right,
                      size_t right_length, uint32_t rank, const char *where) {
    buffer_t bytes = BUFFER_EMPTY;
    bool good = left_length > 0 && right_length > 0 &&
                left_length + right_length <= 2 * TOKENIZER_MAX_TOKEN_BYTES &&
                append_alphabet(loader, left, left_length, &bytes);
    size_t split = bytes.length;
    good = good && append_alphabet(loader, right, right_length, &bytes);
    uint32_t ids[3] = {0};
    if (!good)
        complain(loader, "%s: a merge is two tokens with a space between them", where);
    else if (!find_token(loader, bytes.data, split, &ids[0]))
        good = complain_of_merge(loader, where, left, left_length);
    else if (!find_token(loader, bytes.data + split, bytes.length - split, &ids[1]))
        good = complain_of_merge(loader, where, right, right_length);
    else if (!find_token(loader, bytes.data, bytes.length, &ids[2]))
        good = complain(loader, "%s: the two together are no token", where);
    buffer_free(&bytes);
    if (!good)
        return false;
    bpe_add(loader->tokenizer->bpe, ids[0], ids[1], rank, ids[2]);
    hash_builder_add_integer(loader->identity, (int64_t)((uint64_t)ids[0] << 32 | ids[1]));
    return true;
}

static bool add_merge_text(loader_t *loader, const char *text, size_t length, uint32_t rank,
                           const char *where) {
    const char *space = memchr(text, ' ', length);
    if (!space)
        return complain(loader, "%s: a merge is two tokens with a space between them", where);
    size_t left = (size_t)(space - text);
    return add_merge(loader, text, left, space + 1, length - left - 1, rank, where);
}

static bool read_merges(loader_t *loader, const char *text, size_t length) {
    loader->tokenizer->bpe =
        bpe_create(length / 8 < TOKENIZER_MAX_TOKENS ? length / 8 : TOKENIZER_MAX_TOKENS);
    uint32_t rank = 0;
    size_t number = 1;
    for (size_t at = 0; at < length; number++) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', length - at);
        size_t size = end ? (size_t)(end - line) : length - at;
        at += size + 1;
        while (size > 0 && line[size - 1] == '\r')
            size--;
        if (size == 0 || (number == 1 && size >= 8 && !memcmp(line, "#version", 8)))
            continue;
        char where[32];
        snprintf(where, sizeof where, "line %zu", number);
        if (rank == TOKENIZER_MAX_TOKENS)
            return complain(loader, "%s: more than %d merges", where, TOKENIZER_MAX_TOKENS);
        if (!add_merge_text(loader, line, size, rank++, where))
            return false;
    }
    return true;
}

static bool read_merge_array(loader_t *loader, const json_value_t *array) {
    size_t count = json_count(array);
    if (!json_is(array, JSON_KIND_ARRAY) || count > TOKENIZER_MAX_TOKENS)
        return complain(loader, "model.merges has to be a list of at most %d",
                        TOKENIZER_MAX_TOKENS);
    loader->tokenizer->bpe = bpe_create(count);
    for (size_t i = 0; i < count; i++) {
        const json_value_t *rule = json_at(array, i);
        char where[48];
        snprintf(where, sizeof where, "model.merges.%zu", i);
        size_t length = 0, left_length = 0, right_length = 0;
        const char *text = json_as_string(rule, &length);
        const char *left = json_as_string(json_at(rule, 0), &left_length);
        const char *right = json_as_string(json_at(rule, 1), &right_length);
        bool good =
            text ? add_merge_text(loader, text, length, (uint32_t)i, where)
            : left && right && json_count(rule) == 2
                ? add_merge(loader, left, left_length, right, right_length, (uint32_t)i, where)
                : complain(loader, "%s: a merge is \"a b\" or [\"a\", \"b\"]", where);
        if (!good)
            return false;
    }
    return true;
}

/* --- tokenizer.json --------------------------------------------------------------------------- */

static bool is_empty(const json_value_t *value) {
    size_t length = 0;
    bool flag = false;
    double number = 0;
    return !value || json_is(value, JSON_KIND_NULL) ||
           (json_as_string(value, &length) && length == 0) ||
           (json_as_boolean(value, &flag) && !flag) ||
           (json_as_number(value, &number) && number == 0);
}

/* What would make other ids of the same vocabulary and merges is refused. */
static bool check_kind(loader_t *loader, const json_value_t *root) {
    static const char *const foreign[] = {
        "normalizer",
        "pre_tokenizer.add_prefix_space",
        "model.dropout",
        "model.continuing_subword_prefix",
        "model.end_of_word_suffix",
        "model.byte_fallback",
        "model.ignore_merges",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (!is_empty(json_path(root, foreign[i])))
            return complain(loader, "%s is set: this is not GPT-2's kind of tokenizer", foreign[i]);
    const char *model = json_as_string(json_path(root, "model.type"), NULL);
    const json_value_t *splitter = json_get(root, "pre_tokenizer");
    const char *split = json_as_string(json_get(splitter, "type"), NULL);
    bool regex = true;
    (void)json_as_boolean(json_get(splitter, "use_regex"), &regex);
    if (model && strcmp(model, "BPE") != 0)
        return complain(loader, "model.type is \"%.40s\"; only BPE is supported", model);
    if (!split || strcmp(split, "ByteLevel") != 0 || !regex)
        return complain(
            loader,
            "pre_tokenizer.type has to be \"ByteLevel\", with its pattern in use (use_regex)");
    return true;
}

/* --- files ------------------------------------------------------------------------------------ */

typedef struct {
    const uint8_t *bytes; /* NULL: not there */
    size_t length;
} file_t;

/* False with an error only. */
static bool get_file(loader_t *loader, subject_files_t *files, const char *name, file_t *file) {
    error_info_t error = {0};
    *file = (file_t){0};
    if (!subject_files_get(files, name, &file->bytes, &file->length, &error)) {
        file->bytes = NULL;
        if (error.class_ != ERROR_NONE && loader->error)
            *loader->error = error;
        return error.class_ == ERROR_NONE;
    }
    set_path(loader, files, name);
    if (file->length > TOKENIZER_MAX_FILE)
        return complain(loader, "%zu bytes are too many; %d are possible", file->length,
                        TOKENIZER_MAX_FILE);
    return true;
}

static json_value_t *parse(loader_t *loader, file_t file) {
    json_value_t *root =
        json_parse((const char *)file.bytes, file.length, loader->path, JSON_PLAIN, loader->error);
    if (root && !json_is(root, JSON_KIND_OBJECT)) {
        complain(loader, "has to be a JSON object");
        json_free(root);
        return NULL;
    }
    return root;
}

static bool load_two(loader_t *loader, subject_files_t *files, file_t vocabulary, file_t merges) {
    set_path(loader, files, "vocab.json");
    json_value_t *root = parse(loader, vocabulary);
    bool good = root && read_vocabulary(loader, root) && finish_tokens(loader);
    json_free(root);
    set_path(loader, files, "merges.txt");
    return good && read_merges(loader, (const char *)merges.bytes, merges.length);
}

static bool load_one(loader_t *loader, subject_files_t *files, file_t file) {
    set_path(loader, files, "tokenizer.json");
    json_value_t *root = parse(loader, file);
    if (!root)
        return false;
    bool good = check_kind(loader, root) &&
                (json_is(json_path(root, "model.vocab"), JSON_KIND_OBJECT) ||
                 complain(loader, "model.vocab has to be an object of tokens and ids")) &&
                read_vocabulary(loader, json_path(root, "model.vocab")) &&
                read_added(loader, json_get(root, "added_tokens")) && finish_tokens(loader) &&
                read_merge_array(loader, json_path(root, "model.merges"));
    json_free(root);
    return good;
}

static bool load_files(loader_t *loader, subject_files_t *files) {
    file_t vocabulary, merges, both;
    if (!get_file(loader, files, "vocab.json", &vocabulary) ||
        !get_file(loader, files, "merges.txt", &merges) ||
        !get_file(loader, files, "tokenizer.json", &both))
        return false;
    if (vocabulary.bytes && merges.bytes)
        return load_two(loader, files, vocabulary, merges);
    if (both.bytes)
        return load_one(loader, files, both);
    set_path(loader, files,
             merges.bytes       ? "vocab.json"
             : vocabulary.bytes ? "merges.txt"
                                : "tokenizer.json");
    return complain(loader,
                    "is not there; a tokenizer is vocab.json and merges.txt, or tokenizer.json");
}

tokenizer_t *tokenizer_load(subject_files_t *files, error_info_t *error) {
    tokenizer_t *tokenizer = MEMORY_NEW(tokenizer_t);
    loader_t loader = {
        .tokenizer = tokenizer, .identity = hash_builder_create("tokenizer"), .error = error};
    fill_alphabet(loader.bytes_of);
    bool good = load_files(&loader, files) && tokenizer_prepare_pattern(tokenizer, error);
    tokenizer->identity = hash_builder_finish(loader.identity);
    buffer_free(&loader.bytes);
    free(loader.entries);
    free(loader.slots);
    free(loader.path);
    if (!good) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}
