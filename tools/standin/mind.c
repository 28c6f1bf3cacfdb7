/* mind.c - decides what a prompt asks for. */
#include "tools/standin/mind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "tools/standin/embed.h"
#include "tools/standin/explain.h"
#include "tools/standin/lexicon.h"
#include "tools/standin/records.h"
#include "tools/standin/simulate.h"

struct standin_mind {
    standin_lexicon_t *lexicon;
};

standin_mind_t *standin_mind_create(const char *lexicon, size_t length, error_info_t *error) {
    standin_lexicon_t *read = standin_lexicon_create(lexicon, length, error);
    if (!read)
        return NULL;
    standin_mind_t *mind = MEMORY_NEW(standin_mind_t);
    mind->lexicon = read;
    return mind;
}

void standin_mind_free(standin_mind_t *mind) {
    if (!mind)
        return;
    standin_lexicon_free(mind->lexicon);
    free(mind);
}

void standin_thought_clear(standin_thought_t *thought) {
    buffer_free(&thought->text);
    free(thought->spots);
    *thought = (standin_thought_t){0};
}

/* --- belief --- */

void standin_belief(double score, double probabilities[STANDIN_VALUES]) {
    const int most = STANDIN_VALUES - 1;
    /* share of the wide part: a binomial distribution, whose mean is the score too */
    const double spread = 0.3;
    double s = fmin(fmax(score, 0), most), share = s / most, binomial = pow(1 - share, most);
    for (int k = 0; k <= most; k++) {
        double peak = fmax(0, 1 - fabs(s - k));
        if (share >= 1)
            binomial = k == most;
        probabilities[k] = (1 - spread) * peak + spread * binomial;
        if (share < 1)
            binomial *= share / (1 - share) * (most - k) / (k + 1);
    }
}

/* The value that is said: the most probable one, or one drawn. */
static int choose_value(double score, double temperature, rng_t *rng) {
    double probabilities[STANDIN_VALUES], draw = rng_unit(rng);
    int best = 0;
    standin_belief(score, probabilities);
    for (int k = 0; k < STANDIN_VALUES; k++) {
        if (probabilities[k] > probabilities[best])
            best = k;
        if (temperature > 0 && draw < probabilities[k])
            return k;
        draw -= probabilities[k];
    }
    return best;
}

/* --- simulations --- */

static void add_spot(standin_thought_t *thought, size_t offset, double score) {
    thought->spots = memory_resize(thought->spots, thought->spot_count + 1, sizeof *thought->spots);
    thought->spots[thought->spot_count++] = (standin_spot_t){.offset = offset, .score = score};
}

static standin_meaning_t *read_meaning(const standin_mind_t *mind, const standin_record_t *record) {
    return standin_meaning_read(mind->lexicon, record->explanation ? record->explanation : "",
                                record->explanation_length);
}

static void say_value(standin_thought_t *thought, double score, double temperature, rng_t *rng) {
    add_spot(thought, thought->text.length, score);
    buffer_append_format(&thought->text, "%d", choose_value(score, temperature, rng));
}

/* Repeats a record with values in the place of "unknown", or gives the one value
 * that is asked for. */
static void simulate(const standin_mind_t *mind, const standin_record_t *record, double temperature,
                     uint64_t seed, standin_thought_t *thought) {
    standin_meaning_t *meaning = read_meaning(mind, record);
    const standin_passage_t *passage = &record->passage;
    rng_t rng = rng_create(seed);
    if (record->open) {
        size_t last = passage->piece_count - 1;
        say_value(thought, standin_meaning_score(meaning, passage, last), temperature, &rng);
    } else {
        buffer_append_text(&thought->text, "<start>\n");
        for (size_t i = 0; i < passage->piece_count; i++) {
            buffer_append(&thought->text, passage->pieces[i].bytes, passage->pieces[i].length);
            buffer_append_char(&thought->text, '\t');
            say_value(thought, standin_meaning_score(meaning, passage, i), temperature, &rng);
            buffer_append_char(&thought->text, '\n');
        }
        buffer_append_text(&thought->text, "<end>");
    }
    standin_meaning_free(meaning);
}

void standin_mind_echo(const standin_mind_t *mind, const char *prompt, size_t length,
                       standin_thought_t *thought) {
    standin_records_t records;
    standin_records_read(mind->lexicon, prompt, length, &records);
    for (size_t r = 0; r < records.count; r++) {
        const standin_record_t *record = &records.records[r];
        if (record->unknowns == 0)
            continue;
        standin_meaning_t *meaning = read_meaning(mind, record);
        for (size_t i = 0; i < record->passage.piece_count; i++)
            if (record->passage.pieces[i].unknown)
                add_spot(thought, record->passage.pieces[i].value_offset,
                         standin_meaning_score(meaning, &record->passage, i));
        standin_meaning_free(meaning);
    }
    standin_records_clear(&records);
}

/* --- answers --- */

static const message_t *last_question(const message_list_t *messages) {
    for (size_t i = messages->count; i > 0; i--)
        if (strcmp(messages->messages[i - 1].role, "user") == 0)
            return &messages->messages[i - 1];
    return messages->count > 0 ? &messages->messages[messages->count - 1] : NULL;
}

void standin_mind_answer(const standin_mind_t *mind, const message_list_t *messages,
                         double temperature, uint64_t seed, standin_thought_t *thought) {
    const message_t *question = last_question(messages);
    standin_records_t records = {0};
    if (question)
        standin_records_read(mind->lexicon, question->content, question->length, &records);
    const standin_record_t *last = records.count > 0 ? &records.records[records.count - 1] : NULL;
    if (!last)
        buffer_append_text(&thought->text,
                           "This is glia's stand-in: it explains and simulates records between "
                           "<start> and <end>, and nothing else.");
    else if (last->unknowns > 0)
        simulate(mind, last, temperature, seed, thought);
    else
        standin_explain(mind->lexicon, &records, temperature, seed, &thought->text);
    standin_records_clear(&records);
}

void standin_mind_embed(const standin_mind_t *mind, const char *text, size_t length,
                        size_t dimensions, float *vector) {
    standin_embed(mind->lexicon, text, length, dimensions, vector);
}
