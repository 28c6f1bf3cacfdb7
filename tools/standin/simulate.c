/* simulate.c - reads an explanation's words and matches them with tokens. */
#include "tools/standin/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "tools/standin/traits.h"

enum { TERMS = 24, STEMS = 48, EXPLANATION = 400 };

typedef struct {
    standin_trait_t trait;
    double weight;
} term_t;

/* A word of the explanation that names nothing the stand-in knows. */
typedef struct {
    char stem[STEM_SIZE];
    standin_classes_t classes;
} loose_word_t;

struct standin_meaning {
    term_t terms[TERMS]; /* what a unit is: any will do */
    size_t term_count;
    standin_trait_t places[2]; /* where it stands: all must hold */
    size_t place_count;
    loose_word_t loose[STEMS];
    size_t loose_count;
    struct standin_meaning *excluded; /* "but not ...", may be NULL */
};

static const double elsewhere = 0.1; /* of the score where a place does not hold */
static const double early_piece =
    0.7; /* of the score before the last piece of a word: the neuron knows the word late */

/* --- reading --- */

static void add_term(standin_meaning_t *meaning, standin_trait_t trait, double weight) {
    if (meaning->term_count < TERMS)
        meaning->terms[meaning->term_count++] = (term_t){trait, weight};
}

static void add_place(standin_meaning_t *meaning, standin_trait_t trait) {
    if (meaning->place_count < sizeof meaning->places / sizeof meaning->places[0])
        meaning->places[meaning->place_count++] = trait;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Whether any of the words stands, as the beginning of a word, in the last few
 * words before `end`. */
static bool said_before(const char *text, size_t end, const char *const words[]) {
    size_t from = end, spaces = 0;
    while (from > 0 && (text[from - 1] != ' ' || ++spaces < 5) && !strchr(".,;", text[from - 1]))
        from--;
    for (size_t at = from; at < end; at++)
        for (size_t i = 0; words[i]; i++)
            if ((at == from || text[at - 1] == ' ') && text_starts_with(text + at, words[i]))
                return true;
    return false;
}

/* Something in quotes: a word, an ending, a neighbour; what stands before the quotes tells. */
static void read_quoted(standin_meaning_t *meaning, const char *text, size_t open, size_t close) {
    static const char *const after[] = {"after", "follow", "behind", NULL};
    static const char *const before[] = {"before", "preced", NULL};
    static const char *const ending[] = {"end", "suffix", "-", NULL};
    static const char *const beginning[] = {"begin", "start", "prefix", NULL};
    const char *quoted = text + open + 1;
    size_t length = close - open - 1;
    while (length > 0 && (quoted[0] == ' ' || quoted[0] == '-')) {
        quoted++;
        length--;
    }
    if (length == 0)
        return;
    if (said_before(text, open, after))
        add_place(meaning, standin_trait_of_text(TRAIT_AFTER_WORD, quoted, length));
    else if (said_before(text, open, before))
        add_place(meaning, standin_trait_of_text(TRAIT_BEFORE_WORD, quoted, length));
    else if (said_before(text, open, ending))
        add_term(meaning, standin_trait_of_text(TRAIT_SUFFIX, quoted, length), 1);
    else if (said_before(text, open, beginning))
        add_term(meaning, standin_trait_of_text(TRAIT_PREFIX, quoted, length), 1);
    else
        add_term(meaning, standin_trait_of_text(TRAIT_WORD, quoted, length), 1);
}

/* Takes everything in quotes out of the text. An apostrophe opens only before a word and closes
 * only behind one. */
static void take_quoted(standin_meaning_t *meaning, char *text) {
    for (size_t open = 0; text[open] != '\0'; open++) {
        bool may_open = open == 0 || !is_letter(text[open - 1]);
        if ((text[open] != '\'' && text[open] != '"') || !may_open)
            continue;
        size_t close = open + 1;
        while (text[close] != '\0' && (text[close] != text[open] || is_letter(text[close + 1])))
            close++;
        if (text[close] == '\0' || close - open > TRAIT_TEXT)
            continue;
        read_quoted(meaning, text, open, close);
        memset(text + open, ' ', close - open + 1);
        open = close;
    }
}

static bool is_filler(const char *stem) {
    static const char *const fillers[] = {
        "the",    "a",      "an",         "of",      "and",       "or",      "in",       "on",
        "to",     "for",    "with",       "by",      "that",      "which",   "who",      "is",
        "are",    "wa",     "be",         "it",      "such",      "as",      "other",    "word",
        "nam",    "kind",   "thing",      "relat",   "about",     "like",    "phras",    "term",
        "token",  "refer",  "referr",     "mention", "occurrenc", "express", "describ",  "type",
        "form",   "when",   "mean",       "onli",    "not",       "at",      "from",     "into",
        "any",    "all",    "each",       "everi",   "especial",  "includ",  "us",       "uses",
        "someth", "som",    "particular", "their",   "them",      "thes",    "thos",     "direct",
        "right",  "find",   "neuron",     "text",    "context",   "specif",  "relating", "occurr",
        "end",    "letter", "its",        "wher",    "while",     "whil",    "noun",     "they",
        "also",   "often",  "can",        "piec"};
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++)
        if (strcmp(stem, fillers[i]) == 0)
            return true;
    return false;
}

static size_t read_stems(const char *text, char stems[STEMS][STEM_SIZE]) {
    size_t count = 0;
    for (size_t at = 0; text[at] != '\0' && count < STEMS;) {
        size_t length = 0;
        while (is_letter(text[at + length]) ||
               (length > 0 && text[at + length] == '\'' && is_letter(text[at + length + 1])))
            length++;
        if (length > 0)
            standin_stem(text + at, length, stems[count++]);
        at += length + (length == 0);
    }
    return count;
}

/* The classes that are named at a stem: those with the longest name. The first thing named is what
 * an explanation is about, so what comes later weighs less. "Verbs" alone is a class; "verbs of
 * motion" is about motion. */
static void read_classes(standin_meaning_t *meaning, const standin_lexicon_t *lexicon,
                         char stems[STEMS][STEM_SIZE], size_t count, bool *used) {
    const char(*names)[STEM_SIZE] = (const char(*)[STEM_SIZE])stems;
    size_t verbs = standin_lexicon_find(lexicon, "verbs");
    bool verbs_named = false;
    double weight = 1;
    for (size_t at = 0; at < count; at++) {
        size_t longest = 0, after = 0;
        double later = weight;
        standin_naming_t naming;
        while (!used[at] &&
               (naming = standin_lexicon_naming(lexicon, names, count, at, &after)).stems > 0)
            longest = naming.stems > longest ? naming.stems : longest;
        if (longest == 0)
            continue;
        for (after = 0;
             (naming = standin_lexicon_naming(lexicon, names, count, at, &after)).stems > 0;) {
            verbs_named = verbs_named || naming.class_ == verbs;
            if (naming.stems != longest || naming.class_ == verbs)
                continue;
            add_term(meaning, standin_trait_of_class(TRAIT_CLASS, naming.class_), weight);
            later = 0.6;
        }
        for (size_t i = 0; i < longest; i++)
            used[at + i] = true;
        at += longest - 1;
        weight = later;
    }
    if (verbs_named && meaning->term_count == 0)
        add_term(meaning, standin_trait_of_class(TRAIT_CLASS, verbs), 1);
}

/* "right after an article": a class behind "after" says where, not what. */
static void read_class_places(standin_meaning_t *meaning, const standin_lexicon_t *lexicon,
                              char stems[STEMS][STEM_SIZE], size_t count, bool *used) {
    const char(*names)[STEM_SIZE] = (const char(*)[STEM_SIZE])stems;
    for (size_t at = 0; at < count; at++) {
        if (used[at] || (strcmp(stems[at], "after") != 0 && strcmp(stems[at], "follow") != 0))
            continue;
        for (size_t i = at + 1; i < count && i < at + 4; i++) {
            size_t after = 0;
            standin_naming_t naming = standin_lexicon_naming(lexicon, names, count, i, &after);
            if (naming.stems == 0)
                continue;
            add_place(meaning, standin_trait_of_class(TRAIT_AFTER_CLASS, naming.class_));
            memset(used + at, true, i + naming.stems - at);
            break;
        }
    }
}

static void read_rules(standin_meaning_t *meaning, bool places, char stems[STEMS][STEM_SIZE],
                       size_t count, bool *used) {
    const char(*names)[STEM_SIZE] = (const char(*)[STEM_SIZE])stems;
    for (size_t rule = 0; rule < standin_rule_count(); rule++) {
        standin_trait_t trait = standin_trait_of_rule(rule);
        bool wanted =
            standin_trait_is_place(&trait) == places && (!places || meaning->place_count == 0);
        if (!wanted || !standin_rule_named(rule, names, count, used))
            continue;
        if (places)
            add_place(meaning, trait);
        else
            add_term(meaning, trait, 1);
    }
}

static standin_meaning_t *read_part(const standin_lexicon_t *lexicon, char *text) {
    standin_meaning_t *meaning = MEMORY_NEW(standin_meaning_t);
    char stems[STEMS][STEM_SIZE];
    bool used[STEMS] = {false};
    take_quoted(meaning, text);
    size_t count = read_stems(text, stems);
    read_rules(meaning, true, stems, count, used);
    read_class_places(meaning, lexicon, stems, count, used);
    read_classes(meaning, lexicon, stems, count, used);
    read_rules(meaning, false, stems, count, used);
    for (size_t i = 0; i < count; i++) {
        if (used[i] || is_filler(stems[i]) || strlen(stems[i]) < 3)
            continue;
        loose_word_t *loose = &meaning->loose[meaning->loose_count++];
        memcpy(loose->stem, stems[i], STEM_SIZE);
        loose->classes = standin_lexicon_look_up(lexicon, stems[i], strlen(stems[i]));
    }
    return meaning;
}

standin_meaning_t *standin_meaning_read(const standin_lexicon_t *lexicon, const char *explanation,
                                        size_t length) {
    static const char *const cuts[] = {" but not ",   ", not ",       " except",
                                       " excluding ", " other than ", " rather than "};
    char text[EXPLANATION + 1];
    if (length > EXPLANATION)
        length = EXPLANATION;
    for (size_t i = 0; i < length; i++)
        text[i] =
            (char)(explanation[i] >= 'A' && explanation[i] <= 'Z' ? explanation[i] + ('a' - 'A')
                   : explanation[i] == '\0'                       ? ' '
                                                                  : explanation[i]);
    text[length] = '\0';
    char *excluded = NULL;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char *found = strstr(text, cuts[i]);
        if (found && (!excluded || found < excluded))
            excluded = found;
    }
    if (excluded)
        *excluded++ = '\0';
    standin_meaning_t *meaning = read_part(lexicon, text);
    meaning->excluded = excluded ? read_part(lexicon, excluded) : NULL;
    return meaning;
}

void standin_meaning_free(standin_meaning_t *meaning) {
    if (!meaning)
        return;
    free(meaning->excluded);
    free(meaning);
}

bool standin_meaning_has_class(const standin_meaning_t *meaning, size_t class_) {
    for (size_t i = 0; i < meaning->term_count; i++) {
        const term_t *term = &meaning->terms[i];
        if (term->trait.kind == TRAIT_CLASS && term->trait.index == class_ && term->weight >= 1)
            return true;
    }
    return false;
}

/* --- scoring --- */

/* Share of three-letter runs in common. */
static double likeness(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b), common = 0;
    if (la < 3 || lb < 3)
        return 0;
    for (size_t i = 0; i + 3 <= la; i++)
        for (size_t j = 0; j + 3 <= lb; j++)
            if (memcmp(a + i, b + j, 3) == 0) {
                common++;
                break;
            }
    return 2.0 * (double)common / (double)(la + lb - 4);
}

static double loose_match(const standin_meaning_t *meaning, const standin_unit_t *unit) {
    double best = 0;
    for (size_t i = 0; i < meaning->loose_count && unit->kind == UNIT_WORD; i++) {
        const loose_word_t *loose = &meaning->loose[i];
        double match =
            strcmp(loose->stem, unit->stem) == 0 ? 0.85 : 0.5 * likeness(loose->stem, unit->stem);
        uint64_t shared = 0;
        for (size_t j = 0; j < LEXICON_CLASSES / 64; j++)
            shared |= loose->classes.bits[j] & unit->classes.bits[j];
        if (shared != 0 && unit->length > 2 && match < 0.45)
            match = 0.45;
        best = match > best ? match : best;
    }
    return best;
}

static double term_match(const standin_meaning_t *meaning, const standin_passage_t *passage,
                         size_t unit) {
    double best = 0;
    for (size_t i = 0; i < meaning->term_count; i++)
        if (meaning->terms[i].weight > best &&
            standin_trait_holds(&meaning->terms[i].trait, passage, unit))
            best = meaning->terms[i].weight;
    return best;
}

/* How likely the unit is meant, 0..1. */
static double match_of(const standin_meaning_t *meaning, const standin_passage_t *passage,
                       size_t unit) {
    bool placed = meaning->place_count > 0, in_place = true;
    for (size_t i = 0; i < meaning->place_count; i++)
        in_place = in_place && standin_trait_holds(&meaning->places[i], passage, unit);
    double match = term_match(meaning, passage, unit);
    if (meaning->term_count == 0 && placed)
        match = 1;
    else if (match < 0.85) {
        double loose = loose_match(meaning, &passage->units[unit]);
        match = loose > match ? loose : match;
    }
    if (placed && !in_place)
        match *= elsewhere;
    if (meaning->excluded && term_match(meaning->excluded, passage, unit) > 0)
        match *= elsewhere;
    return match;
}

double standin_meaning_score(const standin_meaning_t *meaning, const standin_passage_t *passage,
                             size_t piece) {
    size_t number = passage->pieces[piece].unit;
    const standin_unit_t *unit = &passage->units[number];
    /* No simulator is quite sure or quite flat: words that carry meaning are a little
     * likelier than others. */
    double noise = (double)(unit->hash >> 48) / 65536;
    double base = unit->kind == UNIT_WORD && unit->length > 3 ? 0.02 + 0.03 * noise : 0.01 * noise;
    double match = match_of(meaning, passage, number) * (0.95 - 0.08 * noise);
    if (match < base)
        match = base;
    bool last = piece + 1 == unit->first_piece + unit->piece_count;
    return 10 * match * (last ? 1 : early_piece);
}
