/* traits.c - tests of units, and their names. */
#include "tools/standin/traits.h"

#include <string.h>

#include "core/base/hash.h"

typedef bool test_t(const standin_passage_t *passage, size_t i);

typedef struct {
    test_t *test;
    bool place;
    const char *phrases[3]; /* a place's are said behind "the word " or what the unit is */
    /* What names it in an explanation: all groups (separated by spaces) must be there, in this
     * order, each by one of its words (separated by |), at most a few words apart; alternatives are
     * separated by ;. Words are compared by stem. */
    const char *names;
} rule_t;

/* --- helpers --- */

static const standin_unit_t *unit_at(const standin_passage_t *passage, size_t i) {
    return &passage->units[i];
}

static const standin_unit_t *before(const standin_passage_t *passage, size_t i) {
    return i > 0 ? &passage->units[i - 1] : NULL;
}

static const standin_unit_t *behind(const standin_passage_t *passage, size_t i) {
    return i + 1 < passage->unit_count ? &passage->units[i + 1] : NULL;
}

static bool marks(const standin_unit_t *unit, const char *any) {
    return unit && unit->kind == UNIT_MARK && strpbrk(unit->word, any);
}

static bool is_word(const standin_unit_t *unit) {
    return unit && unit->kind == UNIT_WORD && !unit->contraction;
}

static bool is_content(const standin_unit_t *unit) {
    return unit->kind == UNIT_WORD || unit->kind == UNIT_NUMBER;
}

static bool ends_in(const standin_unit_t *unit, const char *ending, size_t least) {
    size_t size = strlen(ending);
    return is_word(unit) && unit->length >= least && unit->length > size &&
           memcmp(unit->word + unit->length - size, ending, size) == 0;
}

static bool is_number(const standin_unit_t *unit) {
    static const char *const small[] = {"two",   "three", "four",   "five",    "six",      "seven",
                                        "eight", "nine",  "ten",    "eleven",  "twelve",   "twenty",
                                        "fifty", "forty", "thirty", "hundred", "thousand", "dozen"};
    if (!unit || unit->kind == UNIT_NUMBER)
        return unit != NULL;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        if (strcmp(unit->word, small[i]) == 0)
            return true;
    return false;
}

/* --- what a unit is --- */

static bool is_digits(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->kind == UNIT_NUMBER;
}

static bool is_year(const standin_passage_t *p, size_t i) {
    const standin_unit_t *unit = unit_at(p, i);
    return unit->kind == UNIT_NUMBER && unit->length == 4 &&
           (unit->word[0] == '1' || unit->word[0] == '2');
}

static bool is_capitalised(const standin_passage_t *p, size_t i) {
    return is_word(unit_at(p, i)) && unit_at(p, i)->capital && unit_at(p, i)->order > 0 &&
           unit_at(p, i)->length > 1;
}

static bool is_shouted(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->shouted;
}

static bool is_single_letter(const standin_passage_t *p, size_t i) {
    return is_word(unit_at(p, i)) && unit_at(p, i)->length == 1;
}

static bool is_long(const standin_passage_t *p, size_t i) {
    return is_word(unit_at(p, i)) && unit_at(p, i)->length >= 10;
}

static bool is_in_pieces(const standin_passage_t *p, size_t i) {
    return is_word(unit_at(p, i)) && unit_at(p, i)->piece_count > 1;
}

static bool is_foreign(const standin_passage_t *p, size_t i) {
    const standin_unit_t *unit = unit_at(p, i);
    for (size_t j = 0; unit->kind == UNIT_WORD && j < unit->length; j++)
        if ((unsigned char)unit->word[j] >= 0x80)
            return true;
    return false;
}

static bool is_past(const standin_passage_t *p, size_t i) {
    return ends_in(unit_at(p, i), "ed", 4) && !ends_in(unit_at(p, i), "eed", 4);
}

static bool is_ing(const standin_passage_t *p, size_t i) {
    return ends_in(unit_at(p, i), "ing", 5);
}

static bool is_ly(const standin_passage_t *p, size_t i) {
    return ends_in(unit_at(p, i), "ly", 4);
}

static bool is_plural(const standin_passage_t *p, size_t i) {
    static const char *const not_plural[] = {"this", "was",  "his",     "has",   "does", "is",
                                             "as",   "its",  "us",      "yes",   "thus", "ours",
                                             "says", "goes", "perhaps", "always"};
    const standin_unit_t *unit = unit_at(p, i);
    if (!ends_in(unit, "s", 4) || ends_in(unit, "ss", 4) || ends_in(unit, "us", 4) ||
        ends_in(unit, "is", 4))
        return false;
    for (size_t j = 0; j < sizeof not_plural / sizeof not_plural[0]; j++)
        if (strcmp(unit->word, not_plural[j]) == 0)
            return false;
    return true;
}

static bool is_comparative(const standin_passage_t *p, size_t i) {
    static const char *const not_comparative[] = {"never",  "after",  "water",  "other",  "under",
                                                  "over",   "ever",   "their",  "river",  "paper",
                                                  "number", "father", "mother", "brother"};
    const standin_unit_t *next = behind(p, i), *unit = unit_at(p, i);
    for (size_t j = 0; j < sizeof not_comparative / sizeof not_comparative[0]; j++)
        if (strcmp(unit->word, not_comparative[j]) == 0)
            return false;
    return ends_in(unit, "er", 5) && (!next || !next->contraction);
}

static bool is_superlative(const standin_passage_t *p, size_t i) {
    return ends_in(unit_at(p, i), "est", 5);
}

static bool is_passive(const standin_passage_t *p, size_t i) {
    static const char *const be[] = {"was", "were",  "been", "be",  "is",
                                     "are", "being", "am",   "get", "got"};
    const standin_unit_t *unit = unit_at(p, i);
    if (!is_word(unit) || unit->length < 4)
        return false;
    for (size_t back = 1; back <= 2 && back <= i; back++)
        for (size_t j = 0; j < sizeof be / sizeof be[0]; j++)
            if (strcmp(unit_at(p, i - back)->word, be[j]) == 0)
                return is_past(p, i) || ends_in(unit, "en", 5) || ends_in(unit, "een", 4) ||
                       ends_in(unit, "wn", 4) || ends_in(unit, "ilt", 5) ||
                       ends_in(unit, "ept", 4) || ends_in(unit, "ent", 4) ||
                       ends_in(unit, "ght", 5) || strcmp(unit->word, "made") == 0 ||
                       strcmp(unit->word, "done") == 0;
    return false;
}

static bool is_possessive(const standin_passage_t *p, size_t i) {
    const standin_unit_t *next = behind(p, i), *last = before(p, i);
    return unit_at(p, i)->contraction && strcmp(unit_at(p, i)->word, "'s") == 0 && is_word(next) &&
           is_word(last) && strcmp(last->word, "it") != 0 && strcmp(last->word, "that") != 0 &&
           strcmp(last->word, "he") != 0 && strcmp(last->word, "she") != 0 &&
           strcmp(last->word, "there") != 0 && strcmp(last->word, "what") != 0;
}

static bool is_contraction(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->contraction;
}

#define MARK_TEST(name, any)                                 \
    static bool name(const standin_passage_t *p, size_t i) { \
        return marks(unit_at(p, i), any);                    \
    }
MARK_TEST(is_comma, ",")
MARK_TEST(is_stop, ".")
MARK_TEST(is_question, "?")
MARK_TEST(is_exclamation, "!")
MARK_TEST(is_colon, ":;")
MARK_TEST(is_quote, "\"'`")
MARK_TEST(is_bracket, "()[]{}<>")
MARK_TEST(is_dash, "-_")
MARK_TEST(is_currency, "$%#&+*=")
MARK_TEST(is_slash, "/\\|@~^")

static bool is_mark(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->kind == UNIT_MARK;
}

static bool is_newline(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->kind == UNIT_BREAK && strchr(unit_at(p, i)->word, '\n');
}

/* --- where a unit stands --- */

static bool at_start(const standin_passage_t *p, size_t i) {
    return i == 0 && p->unit_count > 0;
}

static bool at_end(const standin_passage_t *p, size_t i) {
    return i + 1 == p->unit_count;
}

static bool starts_sentence(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->order == 0 && is_content(unit_at(p, i)) && !unit_at(p, i)->contraction;
}

static bool is_second(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->order == 1 && is_content(unit_at(p, i)) && !unit_at(p, i)->contraction;
}

static bool ends_sentence(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->closes_sentence;
}

static bool after_comma(const standin_passage_t *p, size_t i) {
    return marks(before(p, i), ",") && is_content(unit_at(p, i));
}

static bool before_comma(const standin_passage_t *p, size_t i) {
    return marks(behind(p, i), ",") && is_content(unit_at(p, i));
}

static bool after_number(const standin_passage_t *p, size_t i) {
    return is_number(before(p, i)) && is_word(unit_at(p, i));
}

static bool before_number(const standin_passage_t *p, size_t i) {
    return is_number(behind(p, i)) && !is_number(unit_at(p, i));
}

static bool after_capital(const standin_passage_t *p, size_t i) {
    return i > 0 && is_capitalised(p, i - 1) && is_word(unit_at(p, i));
}

static bool in_parentheses(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->in_parentheses;
}

static bool in_quotes(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->in_quotes && is_content(unit_at(p, i));
}

static bool near_quotes(const standin_passage_t *p, size_t i) {
    return unit_at(p, i)->near_quotes && !unit_at(p, i)->in_quotes && is_content(unit_at(p, i));
}

static bool after_stop(const standin_passage_t *p, size_t i) {
    return marks(before(p, i), ".!?");
}

static bool repeats_last(const standin_passage_t *p, size_t i) {
    const standin_unit_t *last = before(p, i);
    return last && is_content(last) && last->hash == unit_at(p, i)->hash;
}

static bool seen_before(const standin_passage_t *p, size_t i) {
    const standin_unit_t *unit = unit_at(p, i);
    for (size_t j = 0; j < i && is_word(unit) && unit->length > 3; j++)
        if (unit_at(p, j)->hash == unit->hash)
            return true;
    return false;
}

/* Rules are looked for in an explanation in this order: places that name other things ("after a
 * number") go first. */
static const rule_t rules[] = {
    {after_comma,
     true,
     {"right after a comma", "that follows a comma"},
     "after|follow|behind comma"},
    {before_comma,
     true,
     {"right before a comma", "that is followed by a comma"},
     "before|precede|preceding|by comma"},
    {ends_sentence,
     true,
     {"at the end of a sentence", "right before a full stop"},
     "last|end|final|before|closing|conclude sentence|stop|period"},
    {after_stop, true, {"right after a full stop"}, "after|follow stop|period|punctuation"},
    {is_second, true, {"in second place of a sentence"}, "second sentence;second word"},
    {starts_sentence,
     true,
     {"at the beginning of a sentence", "that comes first in a sentence"},
     "first|start|begin|beginning|initial sentence"},
    {at_start,
     true,
     {"at the very beginning of a text"},
     "first|start|begin|beginning|initial text|passage|document|excerpt|sequence|token"},
    {at_end,
     true,
     {"at the very end of a text"},
     "last|end|final text|passage|document|excerpt|sequence|token"},
    {after_number,
     true,
     {"right after a number", "that follows a number"},
     "after|follow|behind number|digit|numeral"},
    {before_number,
     true,
     {"right before a number"},
     "before|precede|preceding number|digit|numeral"},
    {after_capital,
     true,
     {"right after a capitalised name"},
     "after|follow name|capitalised|capitalized"},
    {in_parentheses,
     true,
     {"inside parentheses", "within brackets"},
     "inside|within|in|between|enclosed|parenthetical parenthesis|parentheses|bracket"},
    {in_quotes,
     true,
     {"inside quotation marks", "within a quotation"},
     "inside|within|in|enclosed quote|quotes|quotation|quoted"},
    {near_quotes,
     true,
     {"next to a quotation", "before or after quoted words"},
     "before|after|next|near|around|introduce quote|quotes|quotation|quoted"},
    {repeats_last,
     true,
     {"that repeats the word directly before it", "doubled by mistake"},
     "repeat|same|identical before|twice|previous;double|doubled;twice|immediate row|succession"},
    {seen_before,
     true,
     {"that stood in the text before"},
     "repeat|again|already|recur text|before|earlier"},
    {is_passive,
     false,
     {"past participles of the passive voice", "verbs in the passive voice"},
     "passive;past participle"},
    {is_past, false, {"verbs in the past tense", "words that end in 'ed'"}, "past tense;past verb"},
    {is_ing,
     false,
     {"words that end in 'ing'", "verbs ending in 'ing'"},
     "gerund;present participle;progressive"},
    {is_ly, false, {"adverbs that end in 'ly'", "adverbs of manner"}, "adverb"},
    {is_comparative, false, {"comparative forms that end in 'er'", "comparatives"}, "comparative"},
    {is_superlative, false, {"superlative forms that end in 'est'", "superlatives"}, "superlative"},
    {is_possessive, false, {"the possessive 's", "possessive endings"}, "possessive"},
    {is_contraction,
     false,
     {"contractions such as 's and 're", "contracted endings"},
     "contraction|contracted"},
    {is_plural, false, {"plural nouns", "nouns in the plural"}, "plural"},
    {is_year,
     false,
     {"years written in digits", "years such as 1999"},
     "year digit|written|such|number"},
    {is_digits,
     false,
     {"numbers in digits", "numbers and digits"},
     "number|numeric|digit|numeral|figure"},
    {is_capitalised,
     false,
     {"capitalised names", "proper names with a capital letter"},
     "capitalised|capitalized;proper name|noun;capital letter"},
    {is_shouted,
     false,
     {"words in capital letters only", "words all in upper case"},
     "capital only;upper|uppercase case|letter|word;acronym"},
    {is_single_letter, false, {"single letters"}, "single letter"},
    {is_long, false, {"long words"}, "long word"},
    {is_in_pieces, false, {"rare words cut into pieces"}, "rare word;piece|fragment|part word"},
    {is_foreign, false, {"letters with accents or of another script"}, "accent|foreign|script"},
    {is_comma, false, {"commas"}, "comma"},
    {is_stop, false, {"full stops", "periods"}, "full stop;period"},
    {is_question, false, {"question marks"}, "question mark"},
    {is_exclamation, false, {"exclamation marks"}, "exclamation mark|point"},
    {is_colon, false, {"colons and semicolons"}, "colon|semicolon"},
    {is_quote, false, {"quotation marks"}, "quotation|quote mark|marks"},
    {is_bracket, false, {"brackets and parentheses"}, "bracket|parenthesis|parentheses"},
    {is_dash, false, {"dashes and hyphens"}, "dash|hyphen"},
    {is_currency, false, {"signs for money, per cent and the like"}, "sign|symbol"},
    {is_slash, false, {"slashes and signs of addresses"}, "slash|slashes"},
    {is_mark, false, {"punctuation", "punctuation marks"}, "punctuation"},
    {is_newline, false, {"line breaks"}, "line break;newline;paragraph"},
};

size_t standin_rule_count(void) {
    return sizeof rules / sizeof rules[0];
}

/* --- traits --- */

standin_trait_t standin_trait_of_class(standin_trait_kind_t kind, size_t class_) {
    return (standin_trait_t){.kind = kind, .index = class_};
}

standin_trait_t standin_trait_of_rule(size_t rule) {
    return (standin_trait_t){.kind = TRAIT_RULE, .index = rule};
}

standin_trait_t standin_trait_of_text(standin_trait_kind_t kind, const char *text, size_t length) {
    standin_trait_t trait = {.kind = kind};
    if (length > TRAIT_TEXT - 1)
        length = TRAIT_TEXT - 1;
    memcpy(trait.text, text, length);
    trait.hash = hash_low64(hash_bytes(text, length));
    return trait;
}

bool standin_trait_holds(const standin_trait_t *trait, const standin_passage_t *passage, size_t i) {
    const standin_unit_t *unit = unit_at(passage, i);
    size_t length = strlen(trait->text);
    switch (trait->kind) {
    case TRAIT_NONE: return false;
    case TRAIT_CLASS: return standin_classes_have(unit->classes, trait->index);
    case TRAIT_RULE: return rules[trait->index].test(passage, i);
    case TRAIT_WORD: return unit->hash == trait->hash;
    case TRAIT_SUFFIX: return ends_in(unit, trait->text, length + 1);
    case TRAIT_PREFIX:
        return is_word(unit) && unit->length > length &&
               memcmp(unit->word, trait->text, length) == 0;
    case TRAIT_AFTER_WORD:
        return i > 0 && unit_at(passage, i - 1)->hash == trait->hash && is_content(unit);
    case TRAIT_BEFORE_WORD:
        return i + 1 < passage->unit_count && unit_at(passage, i + 1)->hash == trait->hash &&
               is_content(unit);
    case TRAIT_AFTER_CLASS:
        return i > 0 && standin_classes_have(unit_at(passage, i - 1)->classes, trait->index) &&
               is_content(unit);
    }
    return false;
}

bool standin_trait_is_place(const standin_trait_t *trait) {
    return trait->kind >= TRAIT_AFTER_WORD ||
           (trait->kind == TRAIT_RULE && rules[trait->index].place);
}

/* --- words --- */

static const char *rule_phrase(size_t rule, size_t variant) {
    const char *const *phrases = rules[rule].phrases;
    size_t count = !phrases[1] ? 1 : !phrases[2] ? 2 : 3;
    return phrases[variant % count];
}

void standin_trait_say_place(const standin_trait_t *trait, const standin_lexicon_t *lexicon,
                             buffer_t *out) {
    if (trait->kind == TRAIT_RULE)
        buffer_append_text(out, rule_phrase(trait->index, 0));
    else if (trait->kind == TRAIT_AFTER_CLASS)
        buffer_append_format(out, "right after %s",
                             standin_lexicon_phrase(lexicon, trait->index, 0));
    else
        buffer_append_format(out, "right %s the word '%s'",
                             trait->kind == TRAIT_AFTER_WORD ? "after" : "before", trait->text);
}

void standin_trait_say(const standin_trait_t *trait, const standin_lexicon_t *lexicon,
                       size_t variant, buffer_t *out) {
    if (trait->kind == TRAIT_CLASS) {
        buffer_append_text(out, standin_lexicon_phrase(lexicon, trait->index, variant));
    } else if (trait->kind == TRAIT_RULE && !rules[trait->index].place) {
        buffer_append_text(out, rule_phrase(trait->index, variant));
    } else if (trait->kind == TRAIT_RULE) {
        buffer_append_format(out, "the word %s", rule_phrase(trait->index, variant));
    } else if (trait->kind == TRAIT_WORD) {
        buffer_append_format(out, "%s '%s'", variant % 2 ? "uses of the word" : "the word",
                             trait->text);
    } else if (trait->kind == TRAIT_SUFFIX) {
        buffer_append_format(out, "words that end in '%s'", trait->text);
    } else if (trait->kind == TRAIT_PREFIX) {
        buffer_append_format(out, "words that begin with '%s'", trait->text);
    } else {
        buffer_append_text(out, variant % 2 ? "words " : "the word ");
        standin_trait_say_place(trait, lexicon, out);
    }
}

/* --- names of rules in explanations --- */

enum { FAR = 6, GROUPS = 4 };

/* Whether one of the words in `group` ("a|b|c") has this stem. */
static bool group_has(const char *group, size_t length, const char *stem) {
    char own[STEM_SIZE];
    for (size_t at = 0; at < length;) {
        size_t word = 0;
        while (at + word < length && group[at + word] != '|')
            word++;
        standin_stem(group + at, word, own);
        if (strcmp(own, stem) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

/* Finds the groups of one alternative one behind the other. */
static bool alternative_named(const char *names, size_t length, const char (*stems)[STEM_SIZE],
                              size_t count, bool *used) {
    size_t found[GROUPS], groups = 0, from = 0;
    for (size_t at = 0; at < length && groups < GROUPS;) {
        size_t group = 0;
        while (at + group < length && names[at + group] != ' ')
            group++;
        size_t i = from, last = groups == 0 ? count : from + FAR;
        while (i < count && i < last && (used[i] || !group_has(names + at, group, stems[i])))
            i++;
        if (i == count || i == last)
            return false;
        found[groups++] = i;
        from = i + 1;
        at += group + 1;
    }
    for (size_t i = 0; i < groups; i++)
        used[found[i]] = true;
    return groups > 0;
}

bool standin_rule_named(size_t rule, const char (*stems)[STEM_SIZE], size_t count, bool *used) {
    for (const char *names = rules[rule].names; *names != '\0';) {
        size_t length = strcspn(names, ";");
        if (alternative_named(names, length, stems, count, used))
            return true;
        names += length;
        names += *names == ';';
    }
    return false;
}
