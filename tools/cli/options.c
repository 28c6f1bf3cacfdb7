/* options.c - the parser of command lines, and --help. */
#include "tools/cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/base/wrap.h"

enum { HELP_INDENT = 24, MOST_OPTIONS = 64 };

/* --- parsing ---------------------------------------------------------------------------------- */

typedef struct {
    const command_t *command;
    int argc;
    char **argv;
    int at; /* the next one to look at */
    option_list_t *list;
} parser_t;

static bool refuse_unknown(const command_t *command, const char *word, size_t length,
                           error_info_t *error) {
    const char *names[MOST_OPTIONS];
    size_t count = 0;
    for (const option_t *o = command->options; o && o->name && count < MOST_OPTIONS; o++)
        names[count++] = o->name;
    char *name = memory_copy(word + 2, length - 2);
    const char *near = text_closest(name, names, count);
    if (near)
        error_set(error, ERROR_USAGE, "there is no option --%s; did you mean --%s?", name, near);
    else
        error_set(error, ERROR_USAGE, "there is no option --%s; see glia %s --help", name,
                  command->name);
    free(name);
    return false;
}

static bool add_value(parser_t *parser, const option_t *option, const char *value,
                      error_info_t *error) {
    option_list_t *list = parser->list;
    for (size_t i = 0; i < list->count && !option->repeats; i++)
        if (list->values[i].option == option && option->value)
            return error_set(error, ERROR_USAGE, "--%s is given twice; leave one out",
                             option->name);
    list->values[list->count++] = (struct option_value){option, value};
    return true;
}

/* The value stands behind the option: in the same word, or in the next. */
static bool take_value(parser_t *parser, const option_t *option, const char *shown,
                       error_info_t *error) {
    if (parser->at >= parser->argc)
        return error_set(error, ERROR_USAGE, "%s needs a value: %s %s", shown, shown,
                         option->value);
    return add_value(parser, option, parser->argv[parser->at++], error);
}

static bool parse_long(parser_t *parser, const char *word, error_info_t *error) {
    size_t length = strcspn(word, "=");
    const option_t *option = parser->command->options;
    while (option && option->name &&
           !(strlen(option->name) == length - 2 && !strncmp(option->name, word + 2, length - 2)))
        option++;
    if (!option || !option->name)
        return refuse_unknown(parser->command, word, length, error);
    if (word[length] && !option->value)
        return error_set(error, ERROR_USAGE, "--%s takes no value; write --%s alone", option->name,
                         option->name);
    if (word[length])
        return add_value(parser, option, word + length + 1, error);
    return option->value ? take_value(parser, option, word, error)
                         : add_value(parser, option, NULL, error);
}

static bool parse_short(parser_t *parser, const char *word, error_info_t *error) {
    const option_t *option = parser->command->options;
    while (option && option->name && option->letter != word[1])
        option++;
    if (!option || !option->name)
        return error_set(error, ERROR_USAGE, "there is no option %s; see glia %s --help", word,
                         parser->command->name);
    if (word[2] && !option->value)
        return error_set(error, ERROR_USAGE, "-%c takes no value; write -%c alone", option->letter,
                         option->letter);
    if (word[2])
        return add_value(parser, option, word + 2, error);
    return option->value ? take_value(parser, option, word, error)
                         : add_value(parser, option, NULL, error);
}

static bool parse_words(parser_t *parser, error_info_t *error) {
    bool only_arguments = false;
    while (parser->at < parser->argc) {
        char *word = parser->argv[parser->at++];
        bool good = true;
        if (only_arguments || word[0] != '-' || !word[1])
            parser->list->arguments[parser->list->argument_count++] = word;
        else if (!strcmp(word, "--"))
            only_arguments = true;
        else
            good =
                word[1] == '-' ? parse_long(parser, word, error) : parse_short(parser, word, error);
        if (!good)
            return false;
    }
    return true;
}

static bool check_arguments(const command_t *command, const option_list_t *list,
                            error_info_t *error) {
    if (option_given(list, "help"))
        return true;
    if (list->argument_count > command->most_arguments)
        return error_set(error, ERROR_USAGE, "\"%s\" is one argument too many; usage: glia %s %s",
                         list->arguments[command->most_arguments], command->name, command->usage);
    if (list->argument_count < command->least_arguments)
        return error_set(error, ERROR_USAGE, "an argument is missing; usage: glia %s %s",
                         command->name, command->usage);
    return true;
}

bool options_parse(const command_t *command, int argc, char **argv, option_list_t *list,
                   error_info_t *error) {
    size_t most = argc > 0 ? (size_t)argc : 0;
    *list = (option_list_t){
        .values = MEMORY_NEW_ARRAY(most + 1, struct option_value),
        .arguments = MEMORY_NEW_ARRAY(most + 1, char *),
        .scratch = MEMORY_NEW_ARRAY(most + 1, const char *),
    };
    parser_t parser = {.command = command, .argc = argc, .argv = argv, .list = list};
    if (parse_words(&parser, error) && check_arguments(command, list, error))
        return true;
    options_clear(list);
    return false;
}

void options_clear(option_list_t *list) {
    free(list->values);
    free(list->arguments);
    free(list->scratch);
    *list = (option_list_t){0};
}

/* --- asking ----------------------------------------------------------------------------------- */

const char *option_get(const option_list_t *options, const char *name) {
    const char *value = NULL;
    for (size_t i = 0; i < options->count; i++)
        if (!strcmp(options->values[i].option->name, name))
            value = options->values[i].value;
    return value;
}

bool option_given(const option_list_t *options, const char *name) {
    for (size_t i = 0; i < options->count; i++)
        if (!strcmp(options->values[i].option->name, name))
            return true;
    return false;
}

size_t option_all(const option_list_t *options, const char *name, const char *const **values) {
    size_t count = 0;
    for (size_t i = 0; i < options->count; i++)
        if (!strcmp(options->values[i].option->name, name))
            options->scratch[count++] = options->values[i].value;
    *values = options->scratch;
    return count;
}

/* --- help ------------------------------------------------------------------------------------- */

static void write_option(const option_t *option, buffer_t *out) {
    buffer_t head = BUFFER_EMPTY;
    if (option->letter)
        buffer_append_format(&head, "  -%c, --%s", option->letter, option->name);
    else
        buffer_append_format(&head, "      --%s", option->name);
    if (option->value)
        buffer_append_format(&head, " %s", option->value);
    size_t at = head.length;
    buffer_append_text(out, buffer_text(&head));
    if (at + 1 >= HELP_INDENT) {
        buffer_append_char(out, '\n');
        at = 0;
    }
    wrap_write(out, option->help, at, HELP_INDENT);
    buffer_free(&head);
}

void options_write_help(const command_t *command, buffer_t *out) {
    buffer_append_format(out, "usage: glia %s %s\n\n", command->name, command->usage);
    wrap_write(out, command->summary, 0, 0);
    if (command->details) {
        buffer_append_char(out, '\n');
        wrap_write(out, command->details, 0, 0);
    }
    buffer_append_text(out, "\noptions:\n");
    for (const option_t *option = command->options; option && option->name; option++)
        write_option(option, out);
}
