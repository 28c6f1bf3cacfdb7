/* classes_private.h - how classes are held; shared by classes.c and class_names.c only. */
#ifndef GLIA_TOOLS_REPORT_CLASSES_PRIVATE_H
#define GLIA_TOOLS_REPORT_CLASSES_PRIVATE_H

#include "tools/report/classes.h"

/* In the order of `kinds` in classes.c. */
typedef enum {
    CLASS_WORDS,
    CLASS_CHARACTERS,
    CLASS_BREAKS,
    CLASS_CAPITALS,
    CLASS_FIRST,
    CLASS_AFTER,
    CLASS_WITHIN
} class_kind_t;

typedef struct {
    size_t count;
    char **texts; /* [count] */
} text_list_t;

typedef struct {
    char *name;
    class_kind_t kind;
    text_list_t keywords, values;
} word_class_t;

typedef struct {
    const char *word;
    size_t class_;
} word_entry_t;

struct word_classes {
    size_t count;
    word_class_t classes[CLASSES_MAX];
    size_t word_count;
    word_entry_t *words; /* [word_count], sorted */
};

#endif
