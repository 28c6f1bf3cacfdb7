/* api_neurons.c - lists: neurons, the formats side by side, "a good one". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "tools/viewer/call.h"

enum { PAGE_DEFAULT = 100, PAGE_MOST = 1000 };

static const char *kind_of(const settings_t *settings, const index_entry_t *entry) {
    if (entry->layer >= 0)
        return "neuron";
    return strcmp(settings->sets[entry->set].source, "puzzles:") == 0 ? "puzzle" : "record";
}

/* A float as the few digits that it is good for. */
static void write_float(buffer_t *out, const char *key, float value) {
    field_number(out, key, round((double)value * 1e6) / 1e6);
}

static void write_floats(buffer_t *out, const char *key, const float *values) {
    field_open(out, key, '[');
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        write_float(out, NULL, values[f]);
    field_close(out, ']');
}

/* Rows that have members of their own: "scores": [...]; then all others in "measures". */
static void write_measured(buffer_t *out, const stages_measured_t *rows,
                           const index_entry_t *entry) {
    for (size_t m = 0; m < rows->count; m++)
        if (rows->rows[m]->telling->has_members)
            write_floats(out, rows->rows[m]->telling->table.key, entry->values[m]);
    if (field_measures_count(rows) == 0)
        return;
    field_open(out, "measures", '[');
    for (size_t m = 0; m < rows->count; m++) {
        if (rows->rows[m]->telling->has_members)
            continue;
        field_open(out, NULL, '{');
        field_text(out, "stage", rows->rows[m]->name);
        field_text(out, "label", rows->rows[m]->telling->measures[0].label);
        write_floats(out, "values", entry->values[m]);
        field_close(out, '}');
    }
    field_close(out, ']');
}

void api_write_entry(const view_t *view, const index_entry_t *entry, buffer_t *out) {
    field_open(out, NULL, '{');
    field_text(out, "kind", kind_of(view->settings, entry));
    field_text(out, "set", view->settings->sets[entry->set].name);
    field_text(out, "id", entry->id);
    field_count(out, "layer", entry->layer);
    field_count(out, "neuron", entry->index);
    write_float(out, "best", entry->best);
    write_float(out, "spread", entry->spread);
    write_measured(out, neuron_index_measured(view->index), entry);
    field_integer(out, "chains", (int64_t)(entry->end - entry->first));
    field_integer(out, "explained", entry->explained);
    field_integer(out, "failed", entry->failed);
    field_close(out, '}');
}

static bool has_neurons(call_t *call) {
    if (!call->view->index)
        call_refuse(call, 404, "run %s is a batch: it has no neurons", call->view->run.name);
    return call->view->index != NULL;
}

static void write_names(const view_t *view, buffer_t *out) {
    field_open(out, "formats", '[');
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        bool used = false;
        for (size_t i = 0; i < view->settings->set_count; i++)
            used = used || view->settings->sets[i].formats[f];
        field_open(out, NULL, '{');
        field_text(out, "name", prompt_format_name((prompt_format_t)f));
        field_boolean(out, "used", used);
        field_close(out, '}');
    }
    field_close(out, ']');
    field_open(out, "sets", '[');
    for (size_t i = 0; i < view->settings->set_count; i++)
        field_text(out, NULL, view->settings->sets[i].name);
    field_close(out, ']');
    field_text(out, "run", view->run.name);
}

static bool read_sort(call_t *call, index_query_t *query) {
    static const struct {
        const char *name;
        index_sort_t sort;
    } sorts[] = {{"order", INDEX_BY_ORDER}, {"layer", INDEX_BY_LAYER}, {"spread", INDEX_BY_SPREAD}};
    const char *name = http_server_query(call->request, "sort");
    const char *format = http_server_query(call->request, "format");
    prompt_format_t number;
    query->format = -1;
    if (format && *format) {
        if (!prompt_format_from_name(format, &number)) {
            call_refuse(call, 400, "format=%.40s: there is no such prompt format", format);
            return false;
        }
        query->format = (int)number;
    }
    if (!name || !*name)
        return true;
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
        if (strcmp(sorts[i].name, name) == 0) {
            query->sort = sorts[i].sort;
            return true;
        }
    const stages_measured_t *rows = neuron_index_measured(call->view->index);
    buffer_t known = BUFFER_EMPTY;
    for (size_t m = 0; m < rows->count; m++) {
        const char *key = rows->rows[m]->telling->measures[0].key;
        if (strcmp(key, name) == 0) {
            query->sort = INDEX_BY_MEASURE;
            query->row = m;
        }
        /* spread is of the first row's values */
        buffer_append_format(&known, ", %s%s", key, m == 0 ? ", spread" : "");
    }
    bool good = query->sort == INDEX_BY_MEASURE;
    if (!good)
        call_refuse(call, 400, "sort=%.40s: it is one of order, layer%s", name,
                    buffer_text(&known));
    buffer_free(&known);
    return good;
}

void api_neurons(call_t *call) {
    index_query_t query = {.layer = -1, .least = NAN, .most = NAN};
    int64_t from = 0, count = PAGE_DEFAULT, descending = 0;
    if (!has_neurons(call) || !call_set(call, &query.set) || !read_sort(call, &query))
        return;
    call_integer(call, "layer", &query.layer);
    call_integer(call, "from", &from);
    call_integer(call, "count", &count);
    call_integer(call, "descending", &descending);
    call_number(call, "least", &query.least);
    call_number(call, "most", &query.most);
    query.text = http_server_query(call->request, "text");
    query.from = from > 0 ? (size_t)from : 0;
    query.count = (size_t)(count < 0 ? 0 : count > PAGE_MOST ? PAGE_MOST : count);
    query.descending = descending != 0;
    index_page_t page;
    neuron_index_query(call->view->index, &query, &page);
    buffer_t *out = &call->response->body;
    field_open(out, NULL, '{');
    write_names(call->view, out);
    field_integer(out, "total", (int64_t)page.total);
    field_integer(out, "matches", (int64_t)page.matches);
    field_integer(out, "seen", (int64_t)page.seen);
    field_integer(out, "from", (int64_t)query.from);
    field_open(out, "neurons", '[');
    for (size_t i = 0; i < page.count; i++)
        api_write_entry(call->view, &page.entries[i], out);
    field_close(out, ']');
    field_close(out, '}');
    index_page_clear(&page);
}

static void write_mean(buffer_t *out, const char *key, double mean, double error) {
    char *of_error = memory_format("%s_se", key);
    field_number(out, key, mean);
    field_number(out, of_error, error);
    free(of_error);
}

static void write_summary(buffer_t *out, const stages_measured_t *rows, const index_summary_t *of) {
    for (size_t m = 0; m < rows->count; m++) {
        const stage_telling_t *telling = rows->rows[m]->telling;
        if (telling->has_members) {
            field_integer(out, telling->done, (int64_t)of->measured[m].count);
            write_mean(out, telling->measures[0].key, of->measured[m].mean, of->measured[m].error);
        }
        if (m == 0)
            field_integer(out, "wins", (int64_t)of->wins);
    }
    if (field_measures_count(rows) == 0)
        return;
    field_open(out, "measures", '[');
    for (size_t m = 0; m < rows->count; m++) {
        if (rows->rows[m]->telling->has_members)
            continue;
        field_open(out, NULL, '{');
        field_text(out, "stage", rows->rows[m]->name);
        field_text(out, "label", rows->rows[m]->telling->measures[0].label);
        field_integer(out, "count", (int64_t)of->measured[m].count);
        write_mean(out, "mean", of->measured[m].mean, of->measured[m].error);
        field_close(out, '}');
    }
    field_close(out, ']');
}

void api_compare(call_t *call) {
    int64_t set;
    if (!has_neurons(call) || !call_set(call, &set))
        return;
    index_summary_t summary[PROMPT_FORMAT_COUNT];
    neuron_index_summary(call->view->index, set, summary);
    buffer_t *out = &call->response->body;
    field_open(out, NULL, '{');
    write_names(call->view, out);
    field_open(out, "summary", '[');
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        field_open(out, NULL, '{');
        write_summary(out, neuron_index_measured(call->view->index), &summary[f]);
        field_close(out, '}');
    }
    field_close(out, ']');
    field_close(out, '}');
}

void api_good(call_t *call) {
    index_entry_t entry;
    if (!has_neurons(call))
        return;
    if (neuron_index_good(call->view->index, &entry))
        api_write_entry(call->view, &entry, &call->response->body);
    else
        call_refuse(call, 404, "no neuron has a score yet");
}
