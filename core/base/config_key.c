/* config_key.c - keys of a configuration: how they fit the rows, how they are spelled,
 * what was meant. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/config_internal.h"
#include "core/base/memory.h"
#include "core/base/text.h"

static bool is_star(const char *segment) {
    return strcmp(segment, "*") == 0;
}

bool config_pattern_fits(const config_pattern_t *pattern, char *const *segments, size_t count) {
    if (count > pattern->segment_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        bool fits = is_star(pattern->segments[i]) ? segments[i][0] != '\0'
                                                  : strcmp(pattern->segments[i], segments[i]) == 0;
        if (!fits)
            return false;
    }
    return true;
}

static size_t count_stars(const config_pattern_t *pattern) {
    size_t stars = 0;
    for (size_t i = 0; i < pattern->segment_count; i++)
        stars += is_star(pattern->segments[i]);
    return stars;
}

const config_row_t *config_row_of(const config_t *config, char *const *segments, size_t count) {
    const config_row_t *best = NULL;
    size_t best_stars = 0;
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        if (pattern->segment_count != count || !config_pattern_fits(pattern, segments, count))
            continue;
        size_t stars = count_stars(pattern);
        if (!best || stars < best_stars) {
            best = &config->rows[i];
            best_stars = stars;
        }
    }
    return best;
}

bool config_is_table(const config_t *config, char *const *segments, size_t count) {
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        if (pattern->segment_count > count && config_pattern_fits(pattern, segments, count))
            return true;
    }
    return false;
}

typedef struct {
    const config_pattern_t *pattern;
    /* where each segment starts in the key and how long it is: of the way being tried ... */
    const char **starts;
    size_t *lengths;
    char **first; /* ... and copies, of the first way found */
    size_t found;
} split_t;

static void keep_first(split_t *split) {
    split->first = MEMORY_NEW_ARRAY(split->pattern->segment_count, char *);
    for (size_t i = 0; i < split->pattern->segment_count; i++)
        split->first[i] = memory_copy(split->starts[i], split->lengths[i]);
}

/* Tries every way for segment `index` and those behind it; stops at the second way that fits. */
static void split_from(split_t *split, size_t index, const char *key) {
    const config_pattern_t *pattern = split->pattern;
    const char *literal = pattern->segments[index];
    for (size_t length = strcspn(key, "."); split->found < 2;
         length += 1 + strcspn(key + length + 1, ".")) {
        bool last = key[length] == '\0';
        bool fits = is_star(literal)
                        ? length > 0
                        : strlen(literal) == length && memcmp(literal, key, length) == 0;
        split->starts[index] = key;
        split->lengths[index] = length;
        if (fits && index + 1 == pattern->segment_count && last) {
            if (split->found++ == 0)
                keep_first(split);
        } else if (fits && index + 1 < pattern->segment_count && !last) {
            split_from(split, index + 1, key + length + 1);
        }
        if (last || !is_star(literal))
            return;
    }
}

size_t config_pattern_split(const config_pattern_t *pattern, const char *flat, char ***segments) {
    split_t split = {.pattern = pattern};
    split.starts = MEMORY_NEW_ARRAY(pattern->segment_count, const char *);
    split.lengths = MEMORY_NEW_ARRAY(pattern->segment_count, size_t);
    split_from(&split, 0, flat);
    free(split.starts);
    free(split.lengths);
    if (segments)
        *segments = split.first;
    else if (split.found > 0)
        config_segments_free(split.first, pattern->segment_count);
    return split.found;
}

void config_segments_free(char **segments, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(segments[i]);
    free(segments);
}

char *config_join(char *const *segments, size_t count) {
    buffer_t flat = BUFFER_EMPTY;
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(&flat, i == 0 ? "" : ".");
        buffer_append_text(&flat, segments[i]);
    }
    return buffer_take(&flat);
}

static bool is_bare(const char *segment) {
    for (const char *at = segment; *at != '\0'; at++) {
        bool bare = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                    (*at >= '0' && *at <= '9') || *at == '_' || *at == '-';
        if (!bare)
            return false;
    }
    return segment[0] != '\0';
}

void config_append_string(buffer_t *out, const char *text) {
    buffer_append_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, *text);
        } else if (byte == '\n') {
            buffer_append_text(out, "\\n");
        } else if (byte == '\t') {
            buffer_append_text(out, "\\t");
        } else if (byte < 0x20 || byte == 0x7F) {
            buffer_append_format(out, "\\u%04X", (unsigned)byte);
        } else {
            buffer_append_char(out, *text);
        }
    }
    buffer_append_char(out, '"');
}

void config_append_key(buffer_t *out, char *const *segments, size_t count) {
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i == 0 ? "" : ".");
        if (is_bare(segments[i]))
            buffer_append_text(out, segments[i]);
        else
            config_append_string(out, segments[i]);
    }
}

/* --- what was meant --------------------------------------------------------------------------- */

/* Whether each segment is that of the pattern, or close to it. */
static bool is_near(const config_pattern_t *pattern, char *const *segments, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *literal = pattern->segments[i];
        bool near = is_star(literal) ? segments[i][0] != '\0'
                                     : strcmp(literal, segments[i]) == 0 ||
                                           text_closest(segments[i], &literal, 1);
        if (!near)
            return false;
    }
    return true;
}

/* The first `count` segments of the pattern with the user's names in the place of `*`,
 * as TOML; owned. */
static char *instance(const config_pattern_t *pattern, char *const *segments, size_t count) {
    char **parts = MEMORY_NEW_ARRAY(count, char *);
    for (size_t i = 0; i < count; i++)
        parts[i] = is_star(pattern->segments[i]) ? segments[i] : (char *)pattern->segments[i];
    buffer_t key = BUFFER_EMPTY;
    config_append_key(&key, parts, count);
    free(parts);
    return buffer_take(&key);
}

/* The known key (or table) that is spelled most like the entry's; owned, NULL: none is close. */
static char *closest_key(const config_t *config, const config_entry_t *entry) {
    size_t count = entry->segment_count;
    bool table = entry->typed.raw.kind == CONFIG_KIND_TABLE;
    char **known = MEMORY_NEW_ARRAY(config->row_count, char *);
    size_t known_count = 0;
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        bool comparable = table ? pattern->segment_count > count : pattern->segment_count == count;
        if (comparable && is_near(pattern, entry->segments, count))
            known[known_count++] = instance(pattern, entry->segments, count);
    }
    buffer_t written = BUFFER_EMPTY;
    config_append_key(&written, entry->segments, count);
    char *closest = memory_copy_string(
        text_closest(buffer_text(&written), (const char *const *)known, known_count));
    buffer_free(&written);
    config_segments_free(known, known_count);
    return closest;
}

/* A value in the wrong table: the one row without `*` that ends in the same word; NULL:
 * none or several. */
static const char *key_elsewhere(const config_t *config, const config_entry_t *entry) {
    const char *word = entry->segments[entry->segment_count - 1];
    const char *found = NULL;
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        if (strcmp(pattern->segments[pattern->segment_count - 1], word) == 0 &&
            count_stars(pattern) == 0) {
            if (found)
                return NULL;
            found = config->rows[i].key;
        }
    }
    return found;
}

/* Appends what may stand in the table that the entry is in: "a, b, c". */
static void list_siblings(const config_t *config, const config_entry_t *entry, buffer_t *what) {
    size_t depth = entry->segment_count - 1;
    size_t listed = 0;
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        if (pattern->segment_count <= depth ||
            !config_pattern_fits(pattern, entry->segments, depth))
            continue;
        bool repeated = false;
        for (size_t j = 0; j < i && !repeated; j++) {
            const config_pattern_t *other = &config->patterns[j];
            repeated = other->segment_count > depth &&
                       config_pattern_fits(other, entry->segments, depth) &&
                       strcmp(other->segments[depth], pattern->segments[depth]) == 0;
        }
        if (!repeated)
            buffer_append_format(what, "%s%s", listed++ == 0 ? "" : ", ", pattern->segments[depth]);
    }
}

void config_explain_unknown(const config_t *config, const config_entry_t *entry, buffer_t *what) {
    bool table = entry->typed.raw.kind == CONFIG_KIND_TABLE;
    if (!table && config_is_table(config, entry->segments, entry->segment_count)) {
        buffer_append_text(what, "is a value; expected a table");
        return;
    }
    buffer_append_text(what, table ? "unknown table" : "unknown key");
    char *closest = closest_key(config, entry);
    const char *meant = !closest && !table ? key_elsewhere(config, entry) : closest;
    if (meant) {
        buffer_append_format(what, "; did you mean %s?", meant);
    } else {
        buffer_append_text(what, "; known here: ");
        list_siblings(config, entry, what);
    }
    free(closest);
}
