/* card.c - a neuron's card as text and as JSON. */
#include "tools/cli/card.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/base/wrap.h"
#include "tools/viewer/fields.h"

enum { GROUPS = NEURON_BANDS + 2, TEXT_INDENT = 12, NAME_SIZE = 64 };

void card_clear(card_t *card) {
    for (size_t i = 0; i < card->explanation_count; i++)
        free(card->explanations[i].text);
    free(card->explanations);
    card->explanations = NULL;
    card->explanation_count = 0;
}

/* --- groups of excerpts ----------------------------------------------------------------------- */

typedef struct {
    char name[NAME_SIZE];
    const record_list_t *list;
} group_t;

static void name_band(const neuron_record_t *neuron, size_t band, char name[NAME_SIZE]) {
    static const char *const marks[NEURON_QUANTILES] = {"0.5", "0.9", "0.99", "0.999"};
    char from[NAME_SIZE / 4] = "", to[NAME_SIZE / 4] = "";
    if (neuron->has_quantiles && band > 0)
        snprintf(from, sizeof from, " (%.3g)", neuron->quantiles[band - 1]);
    if (neuron->has_quantiles && band < NEURON_QUANTILES)
        snprintf(to, sizeof to, " (%.3g)", neuron->quantiles[band]);
    if (band == 0)
        snprintf(name, NAME_SIZE, "below quantile %s%s", marks[0], to);
    else if (band == NEURON_QUANTILES)
        snprintf(name, NAME_SIZE, "above quantile %s%s", marks[band - 1], from);
    else
        snprintf(name, NAME_SIZE, "quantiles %s%s to %s%s", marks[band - 1], from, marks[band], to);
}

/* From the strongest down, as far as there are excerpts. */
static size_t list_groups(const neuron_record_t *neuron, group_t groups[GROUPS]) {
    bool subject = neuron->source == NEURON_SOURCE_SUBJECT;
    size_t count = 0;
    groups[count].list = &neuron->top;
    snprintf(groups[count++].name, NAME_SIZE, "%s", subject ? "top" : "to explain from");
    for (size_t i = NEURON_BANDS; i-- > 0; count++) {
        groups[count].list = &neuron->bands[i];
        name_band(neuron, i, groups[count].name);
    }
    groups[count].list = &neuron->random;
    snprintf(groups[count++].name, NAME_SIZE, "%s", subject ? "random" : "to score on");
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (groups[i].list->count > 0)
            groups[kept++] = groups[i];
    return kept;
}

static size_t shown(const group_t *group, size_t most) {
    return group->list->count < most ? group->list->count : most;
}

static double record_maximum(const activation_record_t *record) {
    double maximum = record->activations[0];
    for (size_t i = 1; i < record->count; i++)
        maximum = fmax(maximum, record->activations[i]);
    return maximum;
}

/* Over all excerpts, shown or not; 0 if none is above. */
static double highest(const group_t *groups, size_t count) {
    double maximum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < groups[i].list->count; k++)
            maximum = fmax(maximum, record_maximum(&groups[i].list->records[k]));
    return maximum;
}

/* --- text: the head --------------------------------------------------------------------------- */

static void visible(buffer_t *out, const char *text) {
    text_append_visible(out, text, strlen(text));
}

static void write_statistic(buffer_t *out, const char *name, double value) {
    if (isfinite(value))
        buffer_append_format(out, "%s%s %.4g", out->length ? ", " : "", name, value);
}

static void write_statistics(const neuron_record_t *neuron, buffer_t *out) {
    buffer_t line = BUFFER_EMPTY;
    write_statistic(&line, "mean", neuron->mean);
    write_statistic(&line, "variance", neuron->variance);
    write_statistic(&line, "skewness", neuron->skewness);
    write_statistic(&line, "kurtosis", neuron->kurtosis);
    if (neuron->has_above_zero)
        buffer_append_format(&line, "%sabove zero %.4g %%", line.length ? ", " : "",
                             neuron->above_zero * 100);
    buffer_append_format(out, "%s\n", line.length ? buffer_text(&line) : "statistics not known");
    buffer_free(&line);
    if (neuron->has_quantiles)
        buffer_append_format(
            out, "quantiles 0.5 at %.4g, 0.9 at %.4g, 0.99 at %.4g, 0.999 at %.4g\n",
            neuron->quantiles[0], neuron->quantiles[1], neuron->quantiles[2], neuron->quantiles[3]);
}

static void write_head(const card_t *card, buffer_t *out) {
    buffer_append_text(out, card->record->source == NEURON_SOURCE_SUBJECT  ? "neuron "
                            : card->record->source == NEURON_SOURCE_PUZZLE ? "puzzle "
                                                                           : "record set ");
    visible(out, card->id);
    buffer_append_text(out, " of set ");
    visible(out, card->set);
    buffer_append_text(out, ", run ");
    visible(out, card->run);
    buffer_append_char(out, '\n');
    write_statistics(card->record, out);
}

/* --- text: excerpts --------------------------------------------------------------------------- */

typedef struct {
    bool colour;
    double maximum; /* of the scale */
    double mark;    /* tokens above it are marked */
} heat_t;

/* Black on pale yellow to red. -1: no colour. */
static int heat_colour(const heat_t *heat, double activation) {
    static const int ramp[] = {230, 229, 228, 222, 221, 215, 209, 203, 196};
    enum { STEPS = sizeof ramp / sizeof ramp[0] };
    if (activation <= 0 || heat->maximum <= 0)
        return -1;
    int step = (int)(activation / heat->maximum * STEPS);
    return ramp[step < STEPS ? step : STEPS - 1];
}

/* Returns the columns that it takes. */
static size_t write_token(const heat_t *heat, const char *text, double activation, buffer_t *out) {
    int colour = heat->colour ? heat_colour(heat, activation) : -1;
    if (colour >= 0)
        buffer_append_format(out, "\x1b[38;5;16;48;5;%dm%s\x1b[0m", colour, text);
    else if (!heat->colour && activation > heat->mark)
        buffer_append_format(out, "[%s]", text);
    else
        buffer_append_text(out, text);
    return text_display_width(text) + (!heat->colour && activation > heat->mark ? 2 : 0);
}

static void write_excerpt(const heat_t *heat, const activation_record_t *record, buffer_t *out) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(out, "%*.4g  ", TEXT_INDENT - 2, record_maximum(record));
    size_t column = TEXT_INDENT;
    for (size_t i = 0; i < record->count; i++) {
        buffer_clear(&text);
        text_append_visible(&text, record->tokens[i].bytes, record->tokens[i].length);
        /* marks or not: lines break alike */
        size_t width = text_display_width(buffer_text(&text)) + 2;
        if (column > TEXT_INDENT && column + width > WRAP_WIDTH) {
            buffer_append_format(out, "\n%*s", TEXT_INDENT, "");
            column = TEXT_INDENT;
        }
        column += write_token(heat, buffer_text(&text), record->activations[i], out);
    }
    buffer_append_char(out, '\n');
    buffer_free(&text);
}

static void write_excerpts(const neuron_record_t *neuron, const card_options_t *options,
                           buffer_t *out) {
    group_t groups[GROUPS];
    size_t count = list_groups(neuron, groups);
    heat_t heat = {.colour = options->colour, .maximum = highest(groups, count)};
    bool known = neuron_threshold(neuron, &heat.mark);
    if (!known)
        heat.mark = heat.maximum / 2;
    buffer_append_format(out, "highest activation %.4g; ", heat.maximum);
    if (heat.colour)
        buffer_append_text(out, "colours go from 0 to it");
    else
        buffer_append_format(out, "marked are [tokens] above %.4g, %s", heat.mark,
                             known ? "the threshold" : "half of it");
    buffer_append_text(out, "; before each excerpt its maximum\n");
    for (size_t i = 0; i < count; i++) {
        size_t excerpts = shown(&groups[i], options->most);
        buffer_append_format(out, "\n%s", groups[i].name);
        if (excerpts < groups[i].list->count)
            buffer_append_format(out, ", %zu of %zu", excerpts, groups[i].list->count);
        buffer_append_char(out, '\n');
        for (size_t k = 0; k < excerpts; k++)
            write_excerpt(&heat, &groups[i].list->records[k], out);
    }
}

/* --- text: explanations ----------------------------------------------------------------------- */

static void write_result(const char *name, const chain_measured_t *measured, buffer_t *out) {
    if (measured->state == CHAIN_UNWANTED)
        return;
    buffer_append_format(out, ", %s ", name);
    if (measured->state != CHAIN_DONE)
        buffer_append_text(out, chain_state_name(measured->state));
    else if (isfinite(measured->values[0]))
        buffer_append_format(out, "%.3f", measured->values[0]);
    else
        buffer_append_text(out, "undefined");
}

static void write_paragraph(const char *text, buffer_t *out) {
    buffer_t line = BUFFER_EMPTY;
    visible(&line, text);
    wrap_write(out, buffer_text(&line), 0, 4);
    buffer_free(&line);
}

static void write_explanations(const card_t *card, buffer_t *out) {
    size_t done = 0;
    for (size_t i = 0; i < card->explanation_count; i++)
        done += card->explanations[i].explained == CHAIN_DONE;
    buffer_append_format(out, "\nexplanations, %zu of %zu so far\n", done, card->explanation_count);
    for (size_t i = 0; i < card->explanation_count; i++) {
        const card_explanation_t *explanation = &card->explanations[i];
        buffer_append_format(out, "  %s, ", explanation->format);
        visible(out, explanation->explainer);
        buffer_append_format(out, " #%u", explanation->sample);
        if (explanation->explained != CHAIN_DONE) {
            buffer_append_format(out, ": %s\n", chain_state_name(explanation->explained));
            continue;
        }
        for (size_t m = 0; m < card->measured.count; m++)
            write_result(card->measured.rows[m]->telling->measures[0].label,
                         &explanation->measured[m], out);
        buffer_append_char(out, '\n');
        write_paragraph(explanation->text, out);
    }
    if (card->baseline) {
        buffer_append_text(out, card->record->source == NEURON_SOURCE_PUZZLE ? "  the truth\n"
                                                                             : "  the baseline\n");
        write_paragraph(card->baseline, out);
    }
}

void card_write_text(const card_t *card, const card_options_t *options, buffer_t *out) {
    write_head(card, out);
    write_excerpts(card->record, options, out);
    write_explanations(card, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void write_json_groups(const neuron_record_t *neuron, size_t most, buffer_t *out) {
    group_t groups[GROUPS];
    size_t count = list_groups(neuron, groups);
    field_number(out, "maximum", highest(groups, count));
    field_open(out, "groups", '[');
    for (size_t i = 0; i < count; i++) {
        field_open(out, NULL, '{');
        field_text(out, "name", groups[i].name);
        field_integer(out, "total", (int64_t)groups[i].list->count);
        field_open(out, "excerpts", '[');
        for (size_t k = 0; k < shown(&groups[i], most); k++) {
            const activation_record_t *record = &groups[i].list->records[k];
            field_open(out, NULL, '{');
            field_number(out, "maximum", record_maximum(record));
            field_tokens(out, "tokens", record);
            field_activations(out, "activations", record);
            field_close(out, '}');
        }
        field_close(out, ']');
        field_close(out, '}');
    }
    field_close(out, ']');
}

static void write_json_explanations(const card_t *card, buffer_t *out) {
    field_open(out, "explanations", '[');
    for (size_t i = 0; i < card->explanation_count; i++) {
        const card_explanation_t *explanation = &card->explanations[i];
        field_open(out, NULL, '{');
        field_text(out, "format", explanation->format);
        field_text(out, "explainer", explanation->explainer);
        field_integer(out, "sample", explanation->sample);
        field_text(out, "explained", chain_state_name(explanation->explained));
        field_measured_states(out, &card->measured, explanation->measured);
        field_text(out, "text", explanation->text);
        field_measured_values(out, &card->measured, explanation->measured, 1);
        field_measures(out, &card->measured, explanation->measured);
        field_close(out, '}');
    }
    field_close(out, ']');
}

void card_write_json(const card_t *card, size_t most, buffer_t *out) {
    const neuron_record_t *neuron = card->record;
    buffer_t json = BUFFER_EMPTY;
    double threshold;
    field_open(&json, NULL, '{');
    field_text(&json, "run", card->run);
    field_text(&json, "set", card->set);
    field_text(&json, "id", card->id);
    field_count(&json, "layer", neuron->layer);
    field_count(&json, "neuron", neuron->index);
    field_number(&json, "mean", neuron->mean);
    field_number(&json, "variance", neuron->variance);
    field_number(&json, "skewness", neuron->skewness);
    field_number(&json, "kurtosis", neuron->kurtosis);
    field_number(&json, "above_zero", neuron->has_above_zero ? neuron->above_zero : (double)NAN);
    if (neuron->has_quantiles) {
        field_open(&json, "quantiles", '[');
        for (size_t i = 0; i < NEURON_QUANTILES; i++)
            field_number(&json, NULL, neuron->quantiles[i]);
        field_close(&json, ']');
    } else {
        field_text(&json, "quantiles", NULL);
    }
    field_number(&json, "threshold",
                 neuron_threshold(neuron, &threshold) ? threshold : (double)NAN);
    field_text(&json, "baseline", card->baseline);
    write_json_groups(neuron, most, &json);
    write_json_explanations(card, &json);
    field_close(&json, '}');
    buffer_append_char(&json, '\n');
    text_append_harmless(out, buffer_text(&json), json.length);
    buffer_free(&json);
}
