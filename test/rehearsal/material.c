/* material.c - small records and prompts. */
#include "test/rehearsal/material.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/base/rng.h"

static void write_file(const char *directory, const char *name, buffer_t *text) {
    char *path = memory_format("%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text->data, 1, text->length, file) != text->length || fclose(file) != 0) {
        perror(path);
        abort();
    }
    free(path);
    buffer_free(text);
}

/* A few tokens, some with an activation. */
static void append_sentence(buffer_t *text, rng_t *rng) {
    static const char *const words[] = {"The",  " old", " dog",        " fl",
                                        "ies",  " to",  " a",          " quiet",
                                        " sea", ",",    " \\\"so\\\"", " \u00e9t\u00e9"};
    enum { WORDS = sizeof words / sizeof *words };
    size_t tokens = 3 + (size_t)rng_below(rng, 3);
    for (size_t i = 0; i < tokens; i++) {
        const char *word = words[rng_below(rng, WORDS)];
        buffer_append_text(text, i ? ", " : "[");
        if (i == 1 || rng_below(rng, 3) == 0)
            buffer_append_format(text, "[\"%s\", %u]", word, 3 + (unsigned)rng_below(rng, 8));
        else
            buffer_append_format(text, "\"%s\"", word);
    }
    buffer_append_char(text, ']');
}

static void append_sentences(buffer_t *text, const char *name, size_t count, rng_t *rng) {
    buffer_append_format(text, ", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(text, i ? ", " : "");
        append_sentence(text, rng);
    }
    buffer_append_char(text, ']');
}

void material_write_records(const char *directory) {
    buffer_t text = BUFFER_EMPTY;
    rng_t rng = rng_create(1);
    for (int i = 0; i < MATERIAL_NEURONS; i++) {
        buffer_append_format(
            &text, "%s\"puzzle_%d\": {\"name\": \"puzzle_%d\", \"explanation\": \"truth %d\"",
            i ? ",\n" : "{", i, i, i);
        append_sentences(&text, "sentences", 2, &rng);
        append_sentences(&text, "score_sentences", 2 + (size_t)i % 2, &rng);
        buffer_append_text(&text, ", \"false_explanations\": [\"a lie\"]}");
    }
    buffer_append_text(&text, "}\n");
    write_file(directory, "records.json", &text);
}

/* Even editions show an example, odd ones none. */
static void write_template(const char *directory, const char *layout, unsigned edition,
                           const char *rows) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(&text, "layout = \"%s\"\nsystem = \"Edition %u of %s.\\n\"\n%s%s", layout,
                         edition, layout, rows,
                         edition % 2 == 0 ? "few_shot = \"few_shot.json\"\n" : "");
    char *name = memory_format("%s.toml", layout);
    write_file(directory, name, &text);
    free(name);
}

void material_write_prompts(const char *directory, unsigned explain, unsigned simulate) {
    static const char header[] = "neuron_header = \"Neuron {n}:\"\nneuron_suffix = \"\\nSays:\"\n";
    static const char told[] =
        "neuron_header = \"Neuron {n} likes {explanation}\\n\"\nneuron_suffix = \"\\n\"\n";
    static const char *const formats[][2] = {
        {"original", "repeat_nonzero = true\nrepeat_header = \"\\nAgain:\"\n"},
        {"summary", "excerpt_header = \"\\n{letter}: \"\ntokens_header = \"\\nTokens: \"\n"},
        {"highlight", "excerpt_header = \"\\n{letter}: \"\n"},
        {"highlight_summary",
         "excerpt_header = \"\\n{letter}: \"\ntokens_header = \"\\nTokens: \"\n"},
        {"avhs", "excerpt_header = \"\\n{letter}: \"\ntokens_header = \"\\nTokens: \"\n"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char *rows = memory_format("%s%s", header, formats[i][1]);
        write_template(directory, formats[i][0], explain, rows);
        free(rows);
    }
    write_template(directory, "simulate_echo", simulate, told);
    write_template(directory, "simulate_repeat", simulate, told);
    buffer_t examples = BUFFER_EMPTY;
    buffer_append_text(
        &examples, "[{\"explanation\": \"pets\", \"first_revealed_activation_indices\": [1], "
                   "\"records\": [{\"tokens\": [\"A\", \" cat\"], \"activations\": [0, 5.5]}]}]\n");
    write_file(directory, "few_shot.json", &examples);
}
