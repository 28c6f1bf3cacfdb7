/* class_table.c - class tallies to a table. */
#include "tools/report/class_table.h"

#include <math.h>

#include "core/base/buffer.h"

enum { DECIMALS = 3, CLASSES_A_NOTE = 8 };

static void fill_row(cell_t *row, prompt_format_t format, const class_tally_t *tally) {
    double named = (double)class_tally_named(tally), count = (double)tally->count;
    row[0] = cell_text(prompt_format_name(format));
    row[1] = cell_count(tally->neurons);
    row[2] = cell_count(tally->selective);
    row[3] = cell_count(tally->count);
    row[4] = cell_count(class_tally_named(tally));
    row[5] = cell_number(tally->count ? named / count : (double)NAN);
    row[6] = cell_number(class_tally_by_chance(tally) / count);
}

/* "colours 3, cities 2 and 4 others": the classes of the neurons of one format, most
 * frequent first. */
static void note_classes(const class_tally_t *tally, const word_classes_t *classes,
                         table_t *table) {
    size_t neurons[CLASSES_MAX] = {0}, different = 0, said = 0;
    for (size_t i = 0; i < tally->count; i++)
        different += neurons[tally->explained[i].class_]++ == 0;
    buffer_t text = BUFFER_EMPTY;
    for (; said < different && said < CLASSES_A_NOTE; said++) {
        size_t best = 0;
        for (size_t c = 1; c < classes_count(classes); c++)
            if (neurons[c] > neurons[best])
                best = c;
        buffer_append_format(&text, "%s%s %zu", said ? ", " : "", classes_name(classes, best),
                             neurons[best]);
        neurons[best] = 0;
    }
    if (different > said)
        buffer_append_format(&text, " and %zu other class%s", different - said,
                             different - said == 1 ? "" : "es");
    table_add_note(table, "neurons by class: %s", buffer_text(&text));
    buffer_free(&text);
}

static table_t *class_table(const settings_t *settings, const tally_group_t *group,
                            const word_classes_t *classes) {
    const char *set = settings->sets[group->set].name;
    const char *explainer = settings->models[group->explainer].name;
    const class_tally_t *most = NULL;
    table_t *table = table_create(
        "classes", "Explanations that name the class of words a neuron is selective for");
    table_set_caption(table, "%s, explained by %s", set, explainer);
    table_add_group(table, "set", set);
    table_add_group(table, "explainer", explainer);
    table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "explained", "explained", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "selective", "selective", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "both", "both", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "named", "named", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "share", "share", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "chance", "by chance", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const class_tally_t *tally = &group->formats[f].classes;
        if (!settings->sets[group->set].formats[f])
            continue;
        fill_row(table_add_row(table), (prompt_format_t)f, tally);
        if (!most || tally->count > most->count)
            most = tally;
    }
    table_add_note(table,
                   "selective: of at least %d tokens above the threshold in at least %d top "
                   "records, a share of %.1f is in one class, %.0f times as many as in random "
                   "records; share: of both, explanations that name the class; by chance: the same "
                   "if explanations went to those neurons at random",
                   CLASSES_SUPPORT, CLASSES_RECORDS, CLASSES_SHARE, CLASSES_LIFT);
    if (most && most->count > 0) {
        note_classes(most, classes, table);
        return table;
    }
    table_free(table);
    return NULL;
}

void class_tables_add(const settings_t *settings, const tally_list_t *tallies,
                      const word_classes_t *classes, report_t *report) {
    for (size_t i = 0; classes && i < tallies->count; i++) {
        table_t *table = class_table(settings, &tallies->groups[i], classes);
        if (table)
            report_add_result(report, table);
    }
}
