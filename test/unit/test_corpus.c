/* test_corpus.c - excerpts of texts, directories, JSON lines and packed files; samples; files
 * that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/corpus.h"
#include "core/subject/corpus_stream.h"
#include "test/unit/store_dir.h"
#include "test/unit/tiny_tokenizer.h"

static const char *const MERGES[] = {
    "t h", "th e", "\xC4\xA0 the", "a a", "aa aa", "\xC4\xA0 \xC4\xA0", "' r", "'r e", NULL};
enum { END = 264 }; /* <|endoftext|> of the tokenizer above */

typedef struct {
    char *directory;
    tokenizer_t *tokenizer;
} fixture_t;

static int set_up(void **state) {
    fixture_t *fixture = MEMORY_NEW(fixture_t);
    fixture->directory = store_dir_make();
    fixture->tokenizer = tiny_tokenizer(MERGES);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_t *fixture = *state;
    store_dir_empty(fixture->directory);
    rmdir(fixture->directory);
    free(fixture->directory);
    tokenizer_free(fixture->tokenizer);
    free(fixture);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

static char *path_of(const fixture_t *fixture, const char *name) {
    return memory_format("%s/%s", fixture->directory, name);
}

static void put(const fixture_t *fixture, const char *name, const void *bytes, size_t length) {
    char *path = path_of(fixture, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void put_text(const fixture_t *fixture, const char *name, const char *text) {
    put(fixture, name, text, strlen(text));
}

static void make_directory(const fixture_t *fixture, const char *name) {
    char *path = path_of(fixture, name);
    assert_int_equal(mkdir(path, 0777), 0);
    free(path);
}

static void append_gzip(buffer_t *out, const void *bytes, size_t length) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&stream, length) + 64;
    uint8_t *packed = memory_new(bound, 1);
    uint8_t *copy = memory_copy(bytes, length);
    stream.next_in = copy;
    stream.avail_in = (uInt)length;
    stream.next_out = packed;
    stream.avail_out = (uInt)bound;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buffer_append(out, packed, stream.total_out);
    deflateEnd(&stream);
    free(packed);
    free(copy);
}

static void append_zstd(buffer_t *out, const void *bytes, size_t length) {
    size_t bound = ZSTD_compressBound(length);
    char *packed = memory_new(bound, 1);
    size_t size = ZSTD_compress(packed, bound, bytes, length, 3);
    assert_false(ZSTD_isError(size));
    buffer_append(out, packed, size);
    free(packed);
}

/* --- drawing ---------------------------------------------------------------------------------- */

static const corpus_options_t FIRST = {.length = 4, .count = 1000000, .in_order = true};

static bool draw(const fixture_t *fixture, const char *name, const corpus_options_t *options,
                 excerpts_t *excerpts, error_info_t *error) {
    char *path = path_of(fixture, name);
    const char *paths[] = {path};
    bool good = corpus_draw(paths, 1, fixture->tokenizer, options, excerpts, error);
    free(path);
    return good;
}

static excerpts_t drawn(const fixture_t *fixture, const char *name,
                        const corpus_options_t *options) {
    excerpts_t excerpts;
    error_info_t error = {0};
    if (!draw(fixture, name, options, &excerpts, &error))
        fail_msg("%s", error.message);
    return excerpts;
}

/* What the documents, encoded each by itself and joined, are when cut into windows. */
static void assert_windows(const fixture_t *fixture, const excerpts_t *excerpts,
                           const char *const *documents, size_t count) {
    token_list_t all = {0};
    for (size_t i = 0; i < count; i++) {
        if (i)
            token_list_add(&all, END);
        assert_true(
            tokenizer_encode(fixture->tokenizer, documents[i], strlen(documents[i]), &all, NULL));
    }
    assert_int_equal(excerpts->documents, count);
    assert_int_equal(excerpts->corpus_tokens, all.count);
    assert_int_equal(excerpts->corpus_windows, all.count / excerpts->length);
    assert_int_equal(excerpts->count, all.count / excerpts->length);
    assert_memory_equal(excerpts->tokens, all.ids,
                        excerpts->count * excerpts->length * sizeof *all.ids);
    for (size_t i = 0; i < excerpts->count; i++)
        assert_int_equal(excerpts->windows[i], i);
    token_list_clear(&all);
}

static void assert_documents(const fixture_t *fixture, const char *name,
                             const char *const *documents, size_t count) {
    excerpts_t excerpts = drawn(fixture, name, &FIRST);
    assert_windows(fixture, &excerpts, documents, count);
    excerpts_clear(&excerpts);
}

static void reads_a_text(void **state) {
    const fixture_t *fixture = *state;
    static const char *const documents[] = {"the cat sat on the mat,\r\n  the\tdog\xFF not"};
    put_text(fixture, "a.txt", documents[0]);
    assert_documents(fixture, "a.txt", documents, 1);
}

/* By name, hidden ones left out, empty ones left out, directories where their names stand. */
static void reads_a_directory(void **state) {
    const fixture_t *fixture = *state;
    static const char *const documents[] = {"the first one", "the second one", "the third",
                                            "and the fourth", "the last"};
    make_directory(fixture, "d");
    make_directory(fixture, "d/c");
    make_directory(fixture, "d/.git");
    make_directory(fixture, "d/empty");
    put_text(fixture, "d/z", documents[4]);
    put_text(fixture, "d/a.txt", documents[0]);
    put_text(fixture, "d/c/2.jsonl",
             "{\"text\":\"the third\"}\n{\"id\":7,\"text\":\"and the fourth\"}");
    put_text(fixture, "d/c/1.md", documents[1]);
    put_text(fixture, "d/nothing.txt", "");
    put_text(fixture, "d/.hidden", "no");
    put_text(fixture, "d/.git/x", "no");
    assert_documents(fixture, "d", documents, 5);
}

/* "corpus:" is read as its documents are. */
static void reads_the_shipped_corpus(void **state) {
    const fixture_t *fixture = *state;
    corpus_options_t options = {.length = 64, .count = 3, .seed = 1};
    excerpts_t excerpts;
    error_info_t error = {0};
    if (!corpus_draw((const char *const[]){CORPUS_EMBEDDED}, 1, fixture->tokenizer, &options,
                     &excerpts, &error))
        fail_msg("%s", error.message);
    assert_int_equal(excerpts.count, 3);
    assert_true(excerpts.documents > 1000 && excerpts.corpus_windows > 1000);
    excerpts_clear(&excerpts);
}

static void reads_json_lines(void **state) {
    const fixture_t *fixture = *state;
    static const char *const documents[] = {"the one", "the two \xC3\xA9", "three three"};
    put_text(
        fixture, "a.jsonl",
        "{\"text\":\"the one\"}\r\n\n{\"text\":\"\"}\n  \n{\"n\":1,\"text\":\"the two \\u00e9\"}\n"
        "{\"text\":\"three three\"}\n");
    assert_documents(fixture, "a.jsonl", documents, 3);
    /* Another field, another name. */
    put_text(fixture, "b.txt",
             "{\"body\":\"the one\",\"text\":5}\n{\"body\":\"the two \\u00e9\"}\n{\"body\":\"three "
             "three\"}");
    corpus_options_t options = FIRST;
    options.format = CORPUS_JSON_LINES;
    options.text_field = "body";
    excerpts_t excerpts = drawn(fixture, "b.txt", &options);
    assert_windows(fixture, &excerpts, documents, 3);
    excerpts_clear(&excerpts);
    /* The same as a text is one document. */
    options.format = CORPUS_TEXT;
    excerpts = drawn(fixture, "a.jsonl", &options);
    assert_int_equal(excerpts.documents, 1);
    excerpts_clear(&excerpts);
}

/* Files that are larger than any chunk, of pieces that are hard to cut, come out as
 * if encoded whole. */
static char *hard_text(size_t length, uint64_t seed) {
    static const char *const pieces[] = {"the",
                                         " the",
                                         "  ",
                                         "aaaaaaa",
                                         "'re",
                                         "'",
                                         "\n\n",
                                         "\xE3\x80\x80",
                                         "\xF0\x9F\xA6\x8A",
                                         "\xF0\x9F",
                                         "\xFF\xFE",
                                         ".",
                                         "12",
                                         "                          "};
    rng_t rng = rng_create(seed);
    buffer_t out = BUFFER_EMPTY;
    while (out.length < length)
        buffer_append_text(&out, pieces[rng_below(&rng, sizeof pieces / sizeof pieces[0])]);
    return buffer_take(&out);
}

static void cuts_large_texts_where_it_is_safe(void **state) {
    const fixture_t *fixture = *state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        char *text = hard_text(900000 + 7 * (size_t)seed, seed);
        put_text(fixture, "large.txt", text);
        assert_documents(fixture, "large.txt", (const char *const[]){text}, 1);
        free(text);
    }
    /* Pre-tokens that are longer than a chunk. */
    char *text = memory_new(1500001, 1);
    memset(text, 'a', 700000);
    memset(text + 700000, ' ', 300000);
    memset(text + 1000000, '.', 500000);
    put_text(fixture, "runs.txt", text);
    assert_documents(fixture, "runs.txt", (const char *const[]){text}, 1);
    free(text);
}

static void reads_packed_files(void **state) {
    const fixture_t *fixture = *state;
    char *text = hard_text(700000, 9);
    size_t half = strlen(text) / 2;
    buffer_t packed = BUFFER_EMPTY;
    append_gzip(&packed, text, strlen(text));
    put(fixture, "a.txt.gz", packed.data, packed.length);
    assert_documents(fixture, "a.txt.gz", (const char *const[]){text}, 1);
    /* Two members, and the zeros of a tape. */
    buffer_clear(&packed);
    append_gzip(&packed, text, half);
    append_gzip(&packed, "", 0);
    append_gzip(&packed, text + half, strlen(text) - half);
    buffer_append(&packed, "\0\0\0\0\0", 5);
    put(fixture, "b.gz", packed.data, packed.length);
    assert_documents(fixture, "b.gz", (const char *const[]){text}, 1);
    buffer_clear(&packed);
    append_zstd(&packed, text, half);
    append_zstd(&packed, text + half, strlen(text) - half);
    put(fixture, "c.zst", packed.data, packed.length);
    assert_documents(fixture, "c.zst", (const char *const[]){text}, 1);
    buffer_clear(&packed);
    static const char lines[] = "{\"text\":\"the one\"}\n{\"text\":\"the two\"}\n";
    append_zstd(&packed, lines, sizeof lines - 1);
    put(fixture, "d.jsonl.zst", packed.data, packed.length);
    assert_documents(fixture, "d.jsonl.zst", (const char *const[]){"the one", "the two"}, 2);
    buffer_free(&packed);
    free(text);
}

/* However the bytes arrive, and wherever the file is cut: what comes out is a beginning of the
 * text, then an error. */
static void packed_files_that_are_cut_short(void **state) {
    (void)state;
    char *text = hard_text(3000, 4);
    size_t size = strlen(text);
    for (int kind = 0; kind < 2; kind++) {
        buffer_t packed = BUFFER_EMPTY;
        (kind ? append_zstd : append_gzip)(&packed, text, size);
        for (size_t cut = 0; cut <= packed.length; cut++) {
            uint8_t *copy = memory_new(cut + 1, 1);
            memcpy(copy, packed.data, cut);
            corpus_stream_t *stream = corpus_stream_open_memory(kind ? "a.zst" : "a.gz", copy, cut);
            error_info_t error = {0};
            char out[97];
            size_t total = 0, got;
            bool good;
            while ((good = corpus_stream_read(stream, out, 1 + cut % sizeof out, &got, &error)) &&
                   got > 0) {
                assert_true(total + got <= size);
                assert_memory_equal(out, text + total, got);
                total += got;
            }
            assert_int_equal(good, cut == packed.length);
            assert_true(!good || total == size);
            assert_true(good || strstr(error.message, cut ? "ends too early" : "is empty"));
            corpus_stream_close(stream);
            free(copy);
        }
        buffer_free(&packed);
    }
    free(text);
}

/* --- samples ---------------------------------------------------------------------------------- */

static void numbered_corpus(const fixture_t *fixture, size_t windows) {
    buffer_t text = BUFFER_EMPTY;
    for (size_t i = 0; i < windows; i++)
        buffer_append_format(&text, "%c%c%c%c", 'A' + (int)(i % 26), 'A' + (int)(i / 26 % 26),
                             'A' + (int)(i / 676 % 26), '\n');
    put(fixture, "numbered.txt", text.data, text.length);
    buffer_free(&text);
}

static size_t number_of(const uint32_t *window) {
    return window[0] - 'A' + 26 * (window[1] - 'A') + 676 * (window[2] - 'A');
}

static void draws_in_order(void **state) {
    const fixture_t *fixture = *state;
    numbered_corpus(fixture, 200);
    corpus_options_t options = {.length = 4, .count = 7, .in_order = true};
    excerpts_t excerpts = drawn(fixture, "numbered.txt", &options);
    assert_int_equal(excerpts.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(excerpts.windows[i], i);
        assert_int_equal(number_of(excerpts.tokens + 4 * i), i);
    }
    excerpts_clear(&excerpts);
}

static void draws_at_random(void **state) {
    const fixture_t *fixture = *state;
    enum { WINDOWS = 500, COUNT = 50, SEEDS = 200 };
    numbered_corpus(fixture, WINDOWS);
    size_t hits[WINDOWS] = {0};
    hash_t last = {{0}};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        corpus_options_t options = {.length = 4, .count = COUNT, .seed = seed};
        excerpts_t excerpts = drawn(fixture, "numbered.txt", &options);
        excerpts_t again = drawn(fixture, "numbered.txt", &options);
        assert_int_equal(excerpts.count, COUNT);
        assert_int_equal(excerpts.corpus_windows, WINDOWS);
        assert_true(hash_equal(excerpts.identity, again.identity));
        assert_false(hash_equal(excerpts.identity, last));
        last = excerpts.identity;
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(i == 0 || excerpts.windows[i] > excerpts.windows[i - 1]);
            assert_int_equal(number_of(excerpts.tokens + 4 * i), excerpts.windows[i]);
            hits[excerpts.windows[i]]++;
        }
        excerpts_clear(&excerpts);
        excerpts_clear(&again);
    }
    /* 20 are expected of each window: within five standard deviations (sqrt(200 * 0.1 * 0.9) =
     * 4.24). The seeds are fixed, so this cannot come out otherwise. */
    for (size_t i = 0; i < WINDOWS; i++)
        assert_in_range(hits[i], 1, 42);
}

/* A larger sample holds the smaller one, and both are what the smallest hashes are: no order of
 * arrival matters. */
static void samples_are_nested(void **state) {
    const fixture_t *fixture = *state;
    numbered_corpus(fixture, 300);
    corpus_options_t options = {.length = 4, .count = 300, .seed = 3};
    excerpts_t all = drawn(fixture, "numbered.txt", &options);
    assert_int_equal(all.count, 300);
    options.count = 1000;
    excerpts_t more = drawn(fixture, "numbered.txt", &options);
    assert_int_equal(more.count, 300);
    assert_true(hash_equal(all.identity, more.identity));
    options.count = 40;
    excerpts_t large = drawn(fixture, "numbered.txt", &options);
    options.count = 10;
    excerpts_t small = drawn(fixture, "numbered.txt", &options);
    size_t found = 0;
    for (size_t i = 0; i < large.count; i++)
        found += found < small.count && small.windows[found] == large.windows[i];
    assert_int_equal(found, 10);
    excerpts_clear(&all);
    excerpts_clear(&more);
    excerpts_clear(&large);
    excerpts_clear(&small);
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static void assert_refused_as(const fixture_t *fixture, const char *name,
                              const corpus_options_t *options, error_class_t class_,
                              const char *what) {
    excerpts_t excerpts;
    error_info_t error = {0};
    assert_false(draw(fixture, name, options, &excerpts, &error));
    assert_int_equal(error.class_, class_);
    assert_null(excerpts.tokens);
    if (!strstr(error.message, what))
        fail_msg("\"%s\" does not say \"%s\"", error.message, what);
}

static void assert_refused(const fixture_t *fixture, const char *name, const char *what) {
    assert_refused_as(fixture, name, &FIRST, ERROR_CONFIG, what);
}

static void refuses_bad_corpora(void **state) {
    const fixture_t *fixture = *state;
    assert_refused(fixture, "none.txt", "none.txt: No such file");
    put_text(fixture, "empty.txt", "");
    assert_refused(fixture, "empty.txt", "the corpus is empty: there is no text in");
    put_text(fixture, "empty.jsonl", "\n{\"text\":\"\"}\n");
    assert_refused(fixture, "empty.jsonl", "the corpus is empty");
    put_text(fixture, "short.txt", "abc");
    assert_refused(fixture, "short.txt", "short.txt: 3 tokens, and an excerpt has 4");
    make_directory(fixture, "dir");
    assert_refused(fixture, "dir", "dir: no file of a corpus is in it");
    put_text(fixture, "a.jsonl", "{\"text\":\"ok ok ok\"}\n\n{\"txt\":\"no\"}\n");
    assert_refused(fixture, "a.jsonl", "a.jsonl:3: there is no text field \"text\"");
    put_text(fixture, "b.jsonl", "{\"text\":\"ok\"}\n{\"text\":7}\n");
    assert_refused(fixture, "b.jsonl", "b.jsonl:2: \"text\" has to be a string");
    put_text(fixture, "c.jsonl", "{\"text\":\"ok\"}\n[1]\n");
    assert_refused(fixture, "c.jsonl", "c.jsonl:2: a line has to be a JSON object");
    put_text(fixture, "d.jsonl", "{\"text\":\"ok\"}\n{\"text\":\n");
    assert_refused(fixture, "d.jsonl", "d.jsonl:2:");
    put_text(fixture, "a.gz", "this is no gzip");
    assert_refused(fixture, "a.gz", "a.gz: is no gzip file, or a damaged one");
    put_text(fixture, "a.zst", "this is no zstd");
    assert_refused(fixture, "a.zst", "a.zst: is no zstd file, or a damaged one");
    put_text(fixture, "empty.gz", "");
    assert_refused(fixture, "empty.gz", "empty.gz: is empty, and so no gzip file");
    put_text(fixture, "a.txt.xz", "x");
    assert_refused(fixture, "a.txt.xz", ".xz is neither");
    put_text(fixture, "a.parquet", "PAR1");
    assert_refused(fixture, "a.parquet", ".parquet is neither");
    buffer_t packed = BUFFER_EMPTY;
    append_gzip(&packed, "the text, the text", 18);
    packed.data[packed.length - 6] ^= 1; /* the checksum */
    put(fixture, "sum.gz", packed.data, packed.length);
    assert_refused(fixture, "sum.gz", "sum.gz: is no gzip file, or a damaged one");
    buffer_free(&packed);
}

static void refuses_bad_paths_and_options(void **state) {
    const fixture_t *fixture = *state;
    excerpts_t excerpts;
    error_info_t error = {0};
    assert_false(corpus_draw((const char *const[]){"-", "-"}, 2, fixture->tokenizer, &FIRST,
                             &excerpts, &error));
    assert_non_null(strstr(error.message, "twice"));
    assert_false(corpus_draw(NULL, 0, fixture->tokenizer, &FIRST, &excerpts, &error));
    assert_non_null(strstr(error.message, "no corpus is named"));
    put_text(fixture, "a.txt", "the text");
    corpus_options_t options = FIRST;
    options.length = 0;
    assert_refused_as(fixture, "a.txt", &options, ERROR_CONFIG, "1 to 65536");
    options = FIRST;
    options.count = 0;
    assert_refused_as(fixture, "a.txt", &options, ERROR_CONFIG, "at least 1");
    /* A link that goes round. */
    make_directory(fixture, "round");
    char *link = path_of(fixture, "round/again");
    assert_int_equal(symlink(".", link), 0);
    assert_refused(fixture, "round", "is a link going round?");
    unlink(link);
    free(link);
}

static void refuses_runs_without_end(void **state) {
    const fixture_t *fixture = *state;
    char *text = memory_new(CORPUS_MAX_TEXT + 10, 1);
    memset(text, 'x', CORPUS_MAX_TEXT + 10);
    memcpy(text, "the ", 4);
    buffer_t packed = BUFFER_EMPTY;
    append_zstd(&packed, text, CORPUS_MAX_TEXT + 10);
    put(fixture, "run.txt.zst", packed.data, packed.length);
    assert_refused(fixture, "run.txt.zst",
                   "67108864 bytes from byte 3 on are one run without a break");
    put(fixture, "run.jsonl.zst", packed.data, packed.length);
    assert_refused(fixture, "run.jsonl.zst", "run.jsonl.zst:1: a line may have 67108864 bytes");
    buffer_free(&packed);
    free(text);
}

typedef struct {
    size_t calls, most;
    corpus_progress_t last;
} watch_t;

static bool watch(void *context, const corpus_progress_t *progress) {
    watch_t *watched = context;
    assert_true(progress->bytes_read >= watched->last.bytes_read &&
                progress->bytes_read <= progress->bytes_total);
    assert_true(progress->windows >= watched->last.windows);
    watched->last = *progress;
    return ++watched->calls < watched->most;
}

static void tells_how_far_it_is_and_stops(void **state) {
    const fixture_t *fixture = *state;
    char *text = hard_text(3000000, 1);
    put_text(fixture, "large.txt", text);
    watch_t watched = {.most = 1000};
    corpus_options_t options = FIRST;
    options.progress = watch;
    options.context = &watched;
    excerpts_t excerpts = drawn(fixture, "large.txt", &options);
    assert_in_range(watched.calls, 5, 100);
    assert_int_equal(watched.last.bytes_total, strlen(text));
    assert_true(watched.last.windows > 0 && watched.last.bytes_read > 2000000);
    excerpts_clear(&excerpts);
    watched = (watch_t){.most = 3};
    assert_refused_as(fixture, "large.txt", &options, ERROR_RETRYABLE, "stopped while reading");
    assert_int_equal(watched.calls, 3);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_a_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_a_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_the_shipped_corpus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_json_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cuts_large_texts_where_it_is_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_packed_files, set_up, tear_down),
        cmocka_unit_test(packed_files_that_are_cut_short),
        cmocka_unit_test_setup_teardown(draws_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(draws_at_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(samples_are_nested, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_corpora, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_paths_and_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_runs_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_how_far_it_is_and_stops, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
