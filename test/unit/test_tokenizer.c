/* test_tokenizer.c - byte pair encoding against a plain version of it, GPT-2's cases, hostile
 * text and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/bpe.h"
#include "core/subject/tokenizer_private.h"
#include "test/unit/tiny_tokenizer.h"

static const char GPT2[] = "../shared/data/gpt2";

/* "\u0120" is a space in the alphabet of bytes, "\u010A" a newline; F0 9F A6 are the
 * characters F0, 0x141, A6. */
static const char *const MERGES[] = {
    "a a",
    "aa aa",
    "aaaa aaaa",
    "h e",
    "l l",
    "he ll",
    "hell o",
    "\xC4\xA0 hello",
    "\xC4\xA0 \xC4\xA0",
    "' r",
    "'r e",
    "' s",
    "1 2",
    "\xC4\x8A \xC4\x8A",
    "r e",
    "\xC3\xB0 \xC5\x81",
    "\xC3\xB0\xC5\x81 \xC2\xA6",
    NULL,
};

/* --- the procedure ---------------------------------------------------------------------------- */

typedef struct {
    uint32_t left, right, merged;
} rule_t;

/* As it is explained in words: O(n * rules). */
static size_t merge_plainly(const rule_t *rules, size_t rule_count, uint32_t *ids, size_t count) {
    for (;;) {
        size_t best = rule_count;
        for (size_t i = 0; i + 1 < count; i++)
            for (size_t r = 0; r < best; r++)
                if (rules[r].left == ids[i] && rules[r].right == ids[i + 1])
                    best = r;
        if (best == rule_count)
            return count;
        size_t out = 0;
        for (size_t i = 0; i < count; out++) {
            bool pair =
                i + 1 < count && ids[i] == rules[best].left && ids[i + 1] == rules[best].right;
            ids[out] = pair ? rules[best].merged : ids[i];
            i += pair ? 2 : 1;
        }
        count = out;
    }
}

/* Rules in any order: also such as no training makes, where a later rule's token has
 * an earlier rule. */
static void merges_like_the_plain_procedure(void **state) {
    (void)state;
    rng_t rng = rng_create(4);
    bpe_work_t work = {0};
    for (int round = 0; round < 3000; round++) {
        rule_t rules[24];
        size_t rule_count = 1 + (size_t)rng_below(&rng, 24);
        bpe_t *bpe = bpe_create(0);
        size_t kept = 0;
        for (size_t r = 0; r < rule_count; r++) {
            rule_t rule = {.left = (uint32_t)rng_below(&rng, 3 + r),
                           .right = (uint32_t)rng_below(&rng, 3 + r),
                           .merged = 3 + (uint32_t)r};
            bool twice = false;
            for (size_t k = 0; k < kept; k++)
                twice |= rules[k].left == rule.left && rules[k].right == rule.right;
            if (!twice)
                rules[kept++] = rule;
        }
        /* Two rules can make one token. */
        for (size_t r = 1; r < kept; r++)
            if (rng_below(&rng, 3) == 0)
                rules[r].merged = rules[rng_below(&rng, r)].merged;
        size_t order[24];
        for (size_t r = 0; r < kept; r++)
            order[r] = r;
        rng_shuffle(&rng, order, kept);
        rule_t shuffled[24];
        for (size_t r = 0; r < kept; r++) {
            shuffled[r] = rules[order[r]];
            bpe_add(bpe, shuffled[r].left, shuffled[r].right, (uint32_t)r, shuffled[r].merged);
        }
        uint32_t plain[40], fast[40];
        size_t count = (size_t)rng_below(&rng, 41);
        for (size_t i = 0; i < count; i++)
            plain[i] = fast[i] = (uint32_t)rng_below(&rng, 3);
        size_t expected = merge_plainly(shuffled, kept, plain, count);
        assert_int_equal(bpe_merge(bpe, &work, fast, count), expected);
        assert_memory_equal(fast, plain, expected * sizeof *plain);
        bpe_free(bpe);
    }
    bpe_work_clear(&work);
}

/* --- encoding --------------------------------------------------------------------------------- */

/* The tokens' texts with | between them. */
static char *split(const tokenizer_t *tokenizer, const char *text, size_t length) {
    token_list_t list = {0};
    error_info_t error = {0};
    assert_true(tokenizer_encode(tokenizer, text, length, &list, &error));
    buffer_t out = BUFFER_EMPTY, decoded = BUFFER_EMPTY;
    for (size_t i = 0; i < list.count; i++) {
        size_t size;
        const char *bytes = tokenizer_token(tokenizer, list.ids[i], &size);
        buffer_append_text(&out, i ? "|" : "");
        buffer_append(&out, bytes, size);
    }
    assert_true(tokenizer_decode(tokenizer, list.ids, list.count, &decoded));
    assert_int_equal(decoded.length, length);
    assert_memory_equal(buffer_text(&decoded), text, length);
    buffer_free(&decoded);
    token_list_clear(&list);
    return buffer_take(&out);
}

static void assert_split(const tokenizer_t *tokenizer, const char *text, const char *expected) {
    char *got = split(tokenizer, text, strlen(text));
    assert_string_equal(got, expected);
    free(got);
}

static void splits_into_pre_tokens(void **state) {
    (void)state;
    tokenizer_t *tokenizer = tiny_tokenizer(MERGES);
    assert_split(tokenizer, "", "");
    assert_split(tokenizer, "hello hello", "hello| hello");
    /* the last space belongs to the word */
    assert_split(tokenizer, "hello  hello", "hello| | hello");
    assert_split(tokenizer, "hello   hello", "hello|  | hello");
    assert_split(tokenizer, "a's", "a|'s");
    assert_split(tokenizer, "'re 're", "'re| |'|re"); /* a contraction has no space before it */
    assert_split(tokenizer, "'Re", "'|R|e");
    assert_split(tokenizer, "a12", "a|12");
    assert_split(tokenizer, "\n\n\n\nx", "\n\n|\n|\n|x");
    assert_split(tokenizer, "<|endoftext|>", "<|||e|n|d|o|f|t|e|x|t|||>");
    assert_split(tokenizer, "aaaaaaaaaaa", "aaaaaaaa|aa|a");
    tokenizer_free(tokenizer);
}

static void splits_at_what_is_no_utf8(void **state) {
    (void)state;
    tokenizer_t *tokenizer = tiny_tokenizer(MERGES);
    /* A run of invalid bytes is one pre-token: its bytes join. */
    assert_split(tokenizer, "a\xF0\x9F\xA6", "a|\xF0\x9F\xA6");
    assert_split(tokenizer, "\xF0\x9F\xA6hello", "\xF0\x9F\xA6|hello");
    /* The text before it ends there: both spaces are one pre-token. */
    assert_split(tokenizer, "  \xFF", "  |\xFF");
    assert_split(tokenizer, " \xFF \xFE", " |\xFF| |\xFE");
    /* Overlong forms, surrogates, characters past the last one. */
    assert_split(tokenizer, "\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80",
                 "\xC0|\x80|\xED|\xA0|\x80|\xF4|\x90|\x80|\x80");
    /* White space as Unicode has it: U+3000 is some, so both spaces are in one pre-token with it;
     * U+180E is none, so the second space belongs to it. */
    assert_split(tokenizer, "  \xE3\x80\x80", "  |\xE3|\x80|\x80");
    assert_split(tokenizer, "  \xC2\x85", "  |\xC2|\x85");
    assert_split(tokenizer, "  \xE1\xA0\x8E", " | |\xE1|\xA0|\x8E");
    tokenizer_free(tokenizer);
}

/* Whatever the bytes: they come back, and a text that is cut anywhere and encoded from the front
 * is encoded the same.
 */
static void assert_fronts(const tokenizer_t *tokenizer, const char *text, size_t length,
                          rng_t *rng) {
    token_list_t whole = {0}, parts = {0};
    error_info_t error = {0};
    assert_true(tokenizer_encode(tokenizer, text, length, &whole, &error));
    size_t at = 0, end = 0;
    while (at < length) {
        if (end < length)
            end += 1 + (size_t)rng_below(rng, 6);
        end = end < length ? end : length;
        size_t taken = 0;
        if (end == length) {
            assert_true(tokenizer_encode(tokenizer, text + at, length - at, &parts, &error));
            break;
        }
        /* A copy of its own, so that reading past its end is seen by the sanitizers. */
        char *copy = memory_copy(text + at, end - at);
        assert_true(tokenizer_encode_front(tokenizer, copy, end - at, &parts, &taken, &error));
        free(copy);
        at += taken;
    }
    assert_int_equal(parts.count, whole.count);
    assert_memory_equal(parts.ids, whole.ids, whole.count * sizeof *whole.ids);
    buffer_t decoded = BUFFER_EMPTY;
    assert_true(tokenizer_decode(tokenizer, whole.ids, whole.count, &decoded));
    assert_int_equal(decoded.length, length);
    assert_memory_equal(buffer_text(&decoded), text, length);
    buffer_free(&decoded);
    token_list_clear(&whole);
    token_list_clear(&parts);
}

static void encodes_any_bytes_in_parts(void **state) {
    (void)state;
    static const char *const pieces[] = {"a",
                                         "aaaa",
                                         " ",
                                         "  ",
                                         "'",
                                         "'re",
                                         "'r",
                                         "'ll",
                                         "hello",
                                         "12",
                                         "\n",
                                         "\t",
                                         "\xC2\x85",
                                         "\xE3\x80\x80",
                                         "\xE1\xA0\x8E",
                                         "\xC3\xA9",
                                         "\xF0\x9F\xA6\x8A",
                                         "\xF0\x9F",
                                         "\xFF",
                                         "\x80",
                                         ".",
                                         "\xD9\xA3",
                                         "\xE2\x85\xA7",
                                         "\xE6\x97\xA5"};
    tokenizer_t *tokenizer = tiny_tokenizer(MERGES);
    rng_t rng = rng_create(11);
    for (int round = 0; round < 4000; round++) {
        buffer_t text = BUFFER_EMPTY;
        for (uint64_t i = rng_below(&rng, 12); i > 0; i--) {
            const char *piece = pieces[rng_below(&rng, sizeof pieces / sizeof pieces[0])];
            if (rng_below(&rng, 10) == 0)
                buffer_append_char(&text, (char)rng_below(&rng, 256));
            buffer_append_text(&text, piece);
        }
        if (text.length > 0)
            assert_fronts(tokenizer, text.data, text.length, &rng);
        buffer_free(&text);
    }
    tokenizer_free(tokenizer);
}

static void all_byte_values_round_trip(void **state) {
    (void)state;
    tokenizer_t *tokenizer = tiny_tokenizer(MERGES);
    char all[256 * 2];
    for (int i = 0; i < 256; i++) {
        all[i] = (char)i;
        all[511 - i] = (char)i;
        char *got = split(tokenizer, &all[i], 1);
        assert_int_equal(got[0], all[i]);
        free(got);
    }
    free(split(tokenizer, all, sizeof all));
    tokenizer_free(tokenizer);
}

/* --- work ------------------------------------------------------------------------------------- */

/* Every byte costs one look-up; every join, of which there is less than one a byte, two more and
 * what they put on the heap. Quadratic work would be a million times that. */
static void assert_linear(const tokenizer_t *tokenizer, const char *text, size_t length) {
    token_list_t list = {0};
    error_info_t error = {0};
    uint64_t steps = 0;
    assert_true(tokenizer_encode_counted(tokenizer, text, length, &list, &steps, &error));
    assert_true(steps <= 7 * (uint64_t)length);
    buffer_t decoded = BUFFER_EMPTY;
    assert_true(tokenizer_decode(tokenizer, list.ids, list.count, &decoded));
    assert_int_equal(decoded.length, length);
    assert_int_equal(memcmp(decoded.data, text, length), 0);
    buffer_free(&decoded);
    token_list_clear(&list);
}

static void work_is_linear(void **state) {
    (void)state;
    enum { LONG = 10 << 20, SHORT = 1 << 16 };
    static const char *const deep[] = {"a a", "aa a", "aaa a", "aaaa a", "aaaaa a",
                                       "b a", "ba a", "a b",   NULL};
    tokenizer_t *tokenizer = tiny_tokenizer(MERGES), *other = tiny_tokenizer(deep);
    char *text = memory_new(LONG, 1);
    memset(text, 'a', LONG);
    assert_linear(tokenizer, text, LONG);
    assert_linear(other, text, SHORT);
    for (int byte = 0; byte < 256; byte++) {
        memset(text, byte, SHORT);
        assert_linear(tokenizer, text, SHORT);
    }
    /* What makes a backtracking matcher or a scan for the end of the valid part go over the text
     * again and again. */
    static const char *const repeats[] = {" a",           "' ",    "  \xFF", "\xF0\x9F", "'r",
                                          "\xC3\xA9\xFF", "  a\n", "ab",     "ba"};
    for (size_t r = 0; r < sizeof repeats / sizeof repeats[0]; r++) {
        size_t size = strlen(repeats[r]);
        for (size_t i = 0; i < SHORT; i++)
            text[i] = repeats[r][i % size];
        assert_linear(r % 2 ? other : tokenizer, text, SHORT);
    }
    free(text);
    tokenizer_free(tokenizer);
    tokenizer_free(other);
}

/* --- GPT-2 ------------------------------------------------------------------------------------ */

static void encodes_like_gpt2(void **state) {
    (void)state;
    if (access(GPT2, R_OK) != 0) {
        print_message("%s is not there: GPT-2's cases are left out\n", GPT2);
        skip();
    }
    error_info_t error = {0};
    subject_files_t *files = subject_files_open(GPT2, &error);
    tokenizer_t *tokenizer = tokenizer_load(files, &error);
    assert_non_null(tokenizer);
    subject_files_close(files);
    assert_int_equal(tokenizer_size(tokenizer), 50257);
    uint32_t end = 0;
    assert_true(tokenizer_end_of_text(tokenizer, &end));
    assert_int_equal(end, 50256);
    buffer_t text = BUFFER_EMPTY;
    assert_true(buffer_read_file(&text, "../shared/data/gpt2/encode_cases.json", 1 << 20, &error));
    json_value_t *cases =
        json_parse(text.data, text.length, "encode_cases.json", JSON_PLAIN, &error);
    rng_t rng = rng_create(2);
    assert_true(json_count(cases) > 50);
    for (size_t i = 0; i < json_count(cases); i++) {
        size_t length;
        const char *bytes = json_as_string(json_path(json_at(cases, i), "text"), &length);
        const json_value_t *ids = json_path(json_at(cases, i), "ids");
        token_list_t list = {0};
        assert_true(tokenizer_encode(tokenizer, bytes, length, &list, &error));
        assert_int_equal(list.count, json_count(ids));
        for (size_t k = 0; k < list.count; k++) {
            int64_t id = -1;
            assert_true(json_as_integer(json_at(ids, k), &id));
            assert_int_equal(list.ids[k], id);
        }
        token_list_clear(&list);
        if (length > 0)
            assert_fronts(tokenizer, bytes, length, &rng);
    }
    json_free(cases);
    buffer_free(&text);
    tokenizer_free(tokenizer);
}

/* --- files ------------------------------------------------------------------------------------ */

static tokenizer_t *load(const char *vocabulary, const char *merges, const char *both,
                         error_info_t *error) {
    embedded_file_t list[3];
    size_t count = 0;
    if (vocabulary)
        list[count++] =
            (embedded_file_t){.name = "vocab.json", .data = vocabulary, .size = strlen(vocabulary)};
    if (merges)
        list[count++] =
            (embedded_file_t){.name = "merges.txt", .data = merges, .size = strlen(merges)};
    if (both)
        list[count++] =
            (embedded_file_t){.name = "tokenizer.json", .data = both, .size = strlen(both)};
    subject_files_t *files = subject_files_of(list, count);
    tokenizer_t *tokenizer = tokenizer_load(files, error);
    subject_files_close(files);
    return tokenizer;
}

static void assert_refused(const char *vocabulary, const char *merges, const char *both,
                           const char *what) {
    error_info_t error = {0};
    assert_null(load(vocabulary, merges, both, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    if (!strstr(error.message, what))
        fail_msg("\"%s\" does not say \"%s\"", error.message, what);
}

/* The valid text with the first `from` replaced. */
static char *spoil(const buffer_t *text, const char *from, const char *to) {
    const char *at = strstr(text->data, from);
    assert_non_null(at);
    return memory_format("%.*s%s%s", (int)(at - text->data), text->data, to, at + strlen(from));
}

static void refuses_bad_files(void **state) {
    (void)state;
    buffer_t vocabulary = BUFFER_EMPTY;
    tiny_vocabulary(MERGES, &vocabulary);
    const char *good = vocabulary.data;
    static const struct {
        const char *from, *to, *what;
    } vocabularies[] = {
        {"\"aa\":256", "\"aa\":999", "vocab.json: id 999 is too high"},
        {"\"aa\":256", "\"aa\":97", "vocab.json: id 97 is given to two tokens"},
        {"\"aa\":256", "\"aa\":-1", "token \"aa\" needs an id"},
        {"\"aa\":256", "\"aa\":1.5", "token \"aa\" needs an id"},
        {"\"aa\":256", "\"aa\":\"256\"", "token \"aa\" needs an id"},
        {"\"aa\":256", "\"aa\":4294967297", "token \"aa\" needs an id"},
        {"\"aa\":256", "\"a a\":256", "token \"a a\" is not written in the alphabet"},
        {"\"aa\":256", "\"\":256", "has 0 bytes"},
        {"\"aa\":256", "\"he\":256", "vocab.json:"}, /* a key twice */
        {"\"q\":113", "\"qq\":113", "no token for the byte 0x71"},
        {"{", "[", "vocab.json:1:"},
        {"}", "", "vocab.json:"},
    };
    for (size_t i = 0; i < sizeof vocabularies / sizeof vocabularies[0]; i++) {
        char *text = spoil(&vocabulary, vocabularies[i].from, vocabularies[i].to);
        assert_refused(text, "a a\n", NULL, vocabularies[i].what);
        free(text);
    }
    assert_refused("[]", "", NULL, "has to be a JSON object");
    assert_refused(good, "#version: 0.2\na a\naa\n", NULL,
                   "merges.txt: line 3: a merge is two tokens");
    assert_refused(good, "a a\n\nq q\n", NULL, "merges.txt: line 3: the two together are no token");
    assert_refused(good, "zz q\n", NULL, "line 1: \"zz\" is no token");
    assert_refused(good, "q zz", NULL, "line 1: \"zz\" is no token");
    assert_refused(good, "a a a\n", NULL, "line 1: a merge is two tokens");
    assert_refused(good, " a\n", NULL, "line 1: a merge is two tokens");
    assert_refused(good, "a \xFF\n", NULL, "line 1: a merge is two tokens");
    assert_refused(good, NULL, NULL, "merges.txt: is not there");
    assert_refused(NULL, "a a\n", NULL, "vocab.json: is not there");
    assert_refused(NULL, NULL, NULL, "tokenizer.json: is not there");
    buffer_free(&vocabulary);
}

/* tokenizer.json around the tiny vocabulary. */
static char *make_json(const char *merges, const char *rest) {
    buffer_t out = BUFFER_EMPTY;
    buffer_append_format(
        &out,
        "{%s\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"\",\"vocab\":", rest);
    tiny_vocabulary(MERGES, &out);
    buffer_append_format(&out, ",\"merges\":%s}}", merges);
    return buffer_take(&out);
}

static const char SPLITTER[] =
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true},";

static char *merge_list(bool pairs) {
    buffer_t out = BUFFER_EMPTY;
    for (size_t i = 0; MERGES[i]; i++) {
        const char *space = strchr(MERGES[i], ' ');
        buffer_append_text(&out, i ? "," : "[");
        if (pairs)
            buffer_append_format(&out, "[\"%.*s\",\"%s\"]", (int)(space - MERGES[i]), MERGES[i],
                                 space + 1);
        else
            buffer_append_format(&out, "\"%s\"", MERGES[i]);
    }
    buffer_append_char(&out, ']');
    return buffer_take(&out);
}

static void reads_one_file_in_both_spellings(void **state) {
    (void)state;
    tokenizer_t *two = tiny_tokenizer(MERGES);
    for (int pairs = 0; pairs < 2; pairs++) {
        char *merges = merge_list(pairs == 1);
        char *text = make_json(merges, SPLITTER);
        error_info_t error = {0};
        tokenizer_t *one = load(NULL, NULL, text, &error);
        assert_non_null(one);
        assert_true(hash_equal(tokenizer_identity(one), tokenizer_identity(two)));
        assert_split(one, " hello's", " hello|'s");
        tokenizer_free(one);
        free(text);
        free(merges);
    }
    tokenizer_free(two);
}

static void takes_added_tokens(void **state) {
    (void)state;
    char *text =
        make_json("[\"a a\"]",
                  "\"added_tokens\":[{\"id\":273,\"content\":\"<|endoftext|>\",\"special\":true},"
                  "{\"id\":274,\"content\":\"<new one>\"}],"
                  "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},");
    error_info_t error = {0};
    tokenizer_t *tokenizer = load(NULL, NULL, text, &error);
    assert_non_null(tokenizer);
    assert_int_equal(tokenizer_size(tokenizer), 275);
    size_t length;
    assert_string_equal(tokenizer_token(tokenizer, 274, &length), "<new one>");
    assert_int_equal(length, 9);
    uint32_t end;
    assert_true(tokenizer_end_of_text(tokenizer, &end));
    assert_int_equal(end, 273);
    tokenizer_free(tokenizer);
    free(text);
}

static void refuses_other_kinds(void **state) {
    (void)state;
    static const struct {
        const char *merges, *rest, *what;
    } cases[] = {
        {"[]", "", "pre_tokenizer.type has to be \"ByteLevel\""},
        {"[]", "\"pre_tokenizer\":{\"type\":\"Sequence\"},", "pre_tokenizer.type has to be"},
        {"[]", "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},",
         "pre_tokenizer.type has to be"},
        {"[]", "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},",
         "add_prefix_space is set"},
        {"[]", "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "normalizer is set"},
        {"{}", "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},", "model.merges has to be a list"},
        {"[\"a a\",7]", "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "model.merges.1: a merge is"},
        {"[[\"a\",\"a\",\"a\"]]", "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "model.merges.0: a merge is"},
        {"[[\"a\",\"zz\"]]", "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "model.merges.0: \"zz\" is no token"},
        {"[]", "\"added_tokens\":[{\"id\":3}],\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "added_tokens.0 needs a content"},
        {"[]", "\"added_tokens\":[{\"content\":\"x\"}],\"pre_tokenizer\":{\"type\":\"ByteLevel\"},",
         "token \"added_tokens.0\" needs an id"},
        {"[]",
         "\"added_tokens\":[{\"id\":3,\"content\":\"hello\"}],\"pre_tokenizer\":{\"type\":"
         "\"ByteLevel\"},",
         "token \"hello\" has two ids"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = make_json(cases[i].merges, cases[i].rest);
        assert_refused(NULL, NULL, text, cases[i].what);
        free(text);
    }
    assert_refused(NULL, NULL, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}",
                   "model.vocab has to be");
    assert_refused(NULL, NULL, "{\"model\":{\"type\":\"Unigram\"}}", "only BPE is supported");
}

static void differs_in_identity(void **state) {
    (void)state;
    static const char *const one[] = {"a a", "b b", "aa bb", "aabb a", NULL};
    static const char *const other[] = {"a a", "b b", "aa bb", NULL};
    static const char *const turned[] = {"b b", "a a", "aa bb", "aabb a", NULL};
    tokenizer_t *a = tiny_tokenizer(one), *b = tiny_tokenizer(other), *c = tiny_tokenizer(turned);
    assert_false(hash_equal(tokenizer_identity(a), tokenizer_identity(b)));
    assert_false(hash_equal(tokenizer_identity(a), tokenizer_identity(c)));
    tokenizer_free(a);
    tokenizer_free(b);
    tokenizer_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_like_the_plain_procedure),
        cmocka_unit_test(splits_into_pre_tokens),
        cmocka_unit_test(splits_at_what_is_no_utf8),
        cmocka_unit_test(encodes_any_bytes_in_parts),
        cmocka_unit_test(all_byte_values_round_trip),
        cmocka_unit_test(work_is_linear),
        cmocka_unit_test(encodes_like_gpt2),
        cmocka_unit_test(refuses_bad_files),
        cmocka_unit_test(reads_one_file_in_both_spellings),
        cmocka_unit_test(takes_added_tokens),
        cmocka_unit_test(refuses_other_kinds),
        cmocka_unit_test(differs_in_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
