/* api_study.c - the pages of the blinded study and its answers. Nothing that is sent says which
 * explanation is which.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/runtime/loop.h"
#include "tools/viewer/call.h"

enum { EXCERPTS_SHOWN = 8, SEGMENT_SIZE = 80 };

/* One rater's page. */
typedef struct {
    const study_definition_t *definition;
    size_t rater, count; /* pages of this rater */
    size_t *items;       /* [count] in the rater's order; owned */
    size_t page;         /* from 0 */
    size_t item;
    size_t shown;                          /* explanations on the page */
    size_t order[STUDY_MOST_EXPLANATIONS]; /* [shown] */
} page_t;

/* --- which page ------------------------------------------------------------------------------- */

/* "CODE" or "CODE/7"; page -1: none named. */
static bool read_path(const char *rest, char code[SEGMENT_SIZE], int64_t *page) {
    size_t length = strcspn(rest, "/");
    if (length == 0 || length >= SEGMENT_SIZE)
        return false;
    memcpy(code, rest, length);
    code[length] = '\0';
    *page = -1;
    if (rest[length] == '\0')
        return true;
    char *end;
    long number = strtol(rest + length + 1, &end, 10);
    *page = number - 1;
    return end != rest + length + 1 && *end == '\0' && number >= 1;
}

/* Explanations in the order of the page; with `merge` those whose text stands
 * before are left out. */
static void lay_out(page_t *page) {
    const study_definition_t *definition = page->definition;
    size_t order[STUDY_MOST_EXPLANATIONS], groups[STUDY_MOST_EXPLANATIONS];
    page->item = page->items[page->page];
    study_order(definition->seed, page->rater, page->item, definition->format_count, order);
    study_group((const char *const *)definition->items[page->item].texts, definition->format_count,
                groups);
    page->shown = 0;
    for (size_t i = 0; i < definition->format_count; i++)
        if (!definition->merge || groups[order[i]] == order[i])
            page->order[page->shown++] = order[i];
}

/* --- what a page shows ------------------------------------------------------------------------ */

static void write_excerpts(const neuron_record_t *neuron, buffer_t *out) {
    float most = 0;
    field_open(out, "excerpts", '[');
    for (size_t i = 0; i < neuron->top.count && i < EXCERPTS_SHOWN; i++) {
        const activation_record_t *record = &neuron->top.records[i];
        for (size_t k = 0; k < record->count; k++)
            most = record->activations[k] > most ? record->activations[k] : most;
        field_open(out, NULL, '{');
        field_tokens(out, "tokens", record);
        field_activations(out, "activations", record);
        field_close(out, '}');
    }
    field_close(out, ']');
    field_number(out, "most", (double)most);
}

static void write_answer(const page_t *page, const study_answer_t *answer, buffer_t *out) {
    char name[STUDY_NAME_SIZE];
    size_t groups[STUDY_MOST_EXPLANATIONS];
    const study_definition_t *definition = page->definition;
    study_group((const char *const *)definition->items[page->item].texts, definition->format_count,
                groups);
    field_open(out, "answer", '{');
    field_open(out, "ratings", '{');
    for (size_t i = 0; i < page->shown; i++) {
        study_name(definition->seed, page->rater, page->item, i, name);
        field_integer(out, name, answer->ratings[page->order[i]]);
    }
    field_close(out, '}');
    for (size_t i = 0; i < page->shown; i++)
        if (page->order[i] == (definition->merge ? groups[answer->best] : answer->best)) {
            study_name(definition->seed, page->rater, page->item, i, name);
            field_text(out, "best", name);
        }
    field_close(out, '}');
}

static void write_page(call_t *call, const page_t *page, buffer_t *out) {
    error_info_t error = {0};
    neuron_record_t *neuron = study_record(call->study, page->item, &error);
    if (!neuron) {
        call_refuse(call, 503, "%s", error.message);
        return;
    }
    field_integer(out, "page", (int64_t)page->page + 1);
    write_excerpts(neuron, out);
    neuron_record_free(neuron);
    field_open(out, "explanations", '[');
    for (size_t i = 0; i < page->shown; i++) {
        char name[STUDY_NAME_SIZE];
        study_name(page->definition->seed, page->rater, page->item, i, name);
        field_open(out, NULL, '{');
        field_text(out, "name", name);
        field_text(out, "text", page->definition->items[page->item].texts[page->order[i]]);
        field_close(out, '}');
    }
    field_close(out, ']');
    study_answer_t answer;
    if (study_answer_get(call->study, page->rater, page->item, &answer, &error))
        write_answer(page, &answer, out);
    field_close(out, '}');
}

/* Progress, and with a page number that page. */
static void get(call_t *call, page_t *page, int64_t number) {
    error_info_t error;
    buffer_t *out = &call->response->body;
    study_answer_t answer;
    size_t done = 0, next = page->count;
    for (size_t i = 0; i < page->count; i++)
        if (study_answer_get(call->study, page->rater, page->items[i], &answer, &error))
            done++;
        else if (next == page->count)
            next = i;
    field_open(out, NULL, '{');
    field_integer(out, "count", (int64_t)page->count);
    field_integer(out, "done", (int64_t)done);
    field_count(out, "next", next < page->count ? (int64_t)next + 1 : -1);
    if (number < 0)
        field_close(out, '}');
    else
        write_page(call, page, out);
}

/* --- an answer -------------------------------------------------------------------------------- */

/* The place on the page that a name means; `shown` if it means none. */
static size_t place_of(const page_t *page, const char *said) {
    char name[STUDY_NAME_SIZE];
    for (size_t i = 0; said && i < page->shown; i++) {
        study_name(page->definition->seed, page->rater, page->item, i, name);
        if (strcmp(said, name) == 0)
            return i;
    }
    return page->shown;
}

/* {"ratings": {name: 1..5, ...}, "best": name}, with every explanation of the page. */
static bool read_answer(const page_t *page, const json_value_t *said, study_answer_t *answer) {
    const study_definition_t *definition = page->definition;
    size_t groups[STUDY_MOST_EXPLANATIONS];
    study_group((const char *const *)definition->items[page->item].texts, definition->format_count,
                groups);
    answer->count = definition->format_count;
    json_iterator_t ratings = json_iterate(json_get(said, "ratings"));
    const char *name;
    const json_value_t *value;
    while (json_next(&ratings, &name, &value)) {
        size_t place = place_of(page, name);
        int64_t rating = 0;
        if (place == page->shown || !json_as_integer(value, &rating) || rating < 1 ||
            rating > STUDY_RATINGS)
            return false;
        size_t rated = page->order[place];
        for (size_t i = 0; i < definition->format_count; i++)
            if (i == rated || (definition->merge && groups[i] == rated))
                answer->ratings[i] = (int)rating;
    }
    for (size_t i = 0; i < answer->count; i++)
        if (answer->ratings[i] == 0)
            return false;
    size_t best = place_of(page, json_as_string(json_get(said, "best"), NULL));
    answer->best = best < page->shown ? page->order[best] : 0;
    return best < page->shown;
}

static void post(call_t *call, page_t *page) {
    error_info_t error;
    json_value_t *said = json_parse(call->request->body, call->request->body_length, "the answer",
                                    JSON_PLAIN, &error);
    study_answer_t answer = {.utc = loop_utc()};
    bool good = said && read_answer(page, said, &answer);
    json_free(said);
    if (!good)
        call_refuse(call, 400,
                    "an answer has a rating from 1 to 5 for each explanation of the page, and the "
                    "best one");
    else if (!study_answer_put(call->study, page->rater, page->item, &answer, &error))
        call_refuse(call, 503, "%s", error.message);
    else
        get(call, page, -1);
}

void api_study(call_t *call) {
    char code[SEGMENT_SIZE];
    int64_t number;
    page_t page = {0};
    bool is_post = strcmp(call->request->method, "POST") == 0;
    if (!call->study) {
        call_refuse(call, 404, "there is no study; glia viewer --raters CODE,CODE makes one");
        return;
    }
    page.definition = study_definition(call->study);
    if (!read_path(call->rest, code, &number) ||
        !study_find_rater(call->study, code, &page.rater)) {
        call_refuse(call, 404, "This code is not known.");
        return;
    }
    const study_definition_t *definition = page.definition;
    page.items = MEMORY_NEW_ARRAY(definition->item_count + 1, size_t);
    page.count = study_deal(definition->seed, definition->item_count, definition->rater_count,
                            definition->overlap, page.rater, page.items);
    if (number >= (int64_t)page.count || (is_post && number < 0)) {
        call_refuse(call, 404, "There are %zu pages.", page.count);
    } else {
        page.page = number < 0 ? 0 : (size_t)number;
        if (number >= 0)
            lay_out(&page);
        if (is_post)
            post(call, &page);
        else
            get(call, &page, number);
    }
    free(page.items);
}
