/* help.c - `glia help` and `glia help config`. */
#include "tools/cli/help.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/wrap.h"

void help_write_overview(const command_t *const *commands, size_t count, buffer_t *out) {
    buffer_append_text(out, "glia " GLIA_VERSION " - asks language models what the neurons of a "
                            "language model do, and scores the answers\n\n"
                            "usage: glia COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "  %-10s", commands[i]->name);
        wrap_write(out, commands[i]->summary, 12, 12);
    }
    buffer_append_text(
        out, "\n"
             "glia COMMAND --help   the options of a command\n"
             "glia help config      every key of the config\n"
             "glia --version        the version\n\n"
             "exit codes: 0 done, 1 internal error, 2 usage or config, 3 paused at a cap, 4 paused "
             "by the world\n"
             "and resumable, 5 done with terminally failed jobs, 130 interrupted and resumable\n");
}

static const char *type_name(config_type_t type) {
    switch (type) {
    case CONFIG_STRING: return "text";
    case CONFIG_CHOICE: return "one of";
    case CONFIG_INTEGER: return "integer";
    case CONFIG_NUMBER: return "number";
    case CONFIG_BOOLEAN: return "true or false";
    case CONFIG_MONEY: return "dollars";
    case CONFIG_STRING_LIST: return "list of texts";
    case CONFIG_NUMBER_LIST: return "list of numbers";
    }
    return "value";
}

static void write_choices(const char *choices, buffer_t *out) {
    for (const char *at = choices; *at;) {
        size_t length = strcspn(at, "|");
        buffer_append_format(out, "%s%.*s", at == choices ? "" : ", ", (int)length, at);
        at += length + (at[length] == '|');
    }
}

static void write_row(const config_row_t *row, buffer_t *out) {
    buffer_append_format(out, "  %s (%s", row->key, type_name(row->type));
    if (row->choices) {
        buffer_append_text(out, row->type == CONFIG_CHOICE ? " " : ": ");
        write_choices(row->choices, out);
    }
    if (row->minimum != 0 || row->maximum != 0) {
        buffer_append_char(out, ' ');
        json_write_number(out, row->minimum);
        buffer_append_text(out, " to ");
        json_write_number(out, row->maximum);
    }
    if (row->fallback && !strcmp(row->fallback, "!"))
        buffer_append_text(out, "; required");
    else if (row->fallback)
        buffer_append_format(out, "; default %s", row->fallback);
    buffer_append_text(out, ")\n");
    wrap_write(out, row->help, 0, 6);
}

void help_write_config(buffer_t *out) {
    size_t count;
    const config_row_t *rows = settings_rows(&count);
    buffer_append_text(out, "The config is a TOML file; --set KEY=VALUE overrides one key. A * "
                            "stands for a name of your own.\n");
    const char *table = "";
    size_t table_length = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(rows[i].key, ".");
        if (length != table_length || strncmp(rows[i].key, table, length) != 0)
            buffer_append_format(out, "\n[%.*s]\n", (int)length, rows[i].key);
        table = rows[i].key;
        table_length = length;
        write_row(&rows[i], out);
    }
}
