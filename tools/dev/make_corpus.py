#!/usr/bin/env python3
"""Writes the corpus of the default subject model: English-like documents whose word classes are
known.

    make_corpus.py --out DIR [--seed 1] [--documents 24000] [--name corpus]

leaves in DIR NAME.jsonl, a JSON object {"text": ...} a line for each document. With --classes it
writes classes.json instead: the classes of words.txt and those of form and place below, as
tools/report/classes.h reads them. The same seed and files give the same bytes. Python's standard
library is enough.
"""
import argparse
import json
import os
import random
import re

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'subject')
FEMININE = 'women'

# Classes that are no lists of words. kind: how "values" are read (tools/report/classes.h).
FORMS = [
    ('digits', 'characters', 'numbers in digits', 'number* numeral* digit* figure year*',
     ['0123456789']),
    ('commas', 'characters', 'commas', 'comma punctuation', [',']),
    ('full_stops', 'characters', 'full stops', 'full_stop period punctuation', ['.']),
    ('question_marks', 'characters', 'question marks', 'question_mark punctuation', ['?']),
    ('exclamation_marks', 'characters', 'exclamation marks',
     'exclamation_mark exclamation_point punctuation', ['!']),
    ('quotation_marks', 'characters', 'quotation marks',
     'quotation_mark quote_mark quote punctuation', ['"']),
    ('brackets', 'characters', 'brackets', 'bracket parenthes* punctuation', ['()[]{}']),
    ('colons', 'characters', 'colons and semicolons', 'colon semicolon punctuation', [':;']),
    ('dashes', 'characters', 'dashes and bullets', 'dash hyphen bullet punctuation', ['-*|']),
    ('line_breaks', 'breaks', 'line breaks', 'line_break newline new_line paragraph', []),
    ('capitalised', 'capitals', 'capitalised names', 'capital* proper_name proper_noun', []),
    ('in_quotes', 'within', 'words inside quotation marks',
     'inside_quot* within_quot* in_quot* quoted_word quoted_speech quoted_text', ['"', '"']),
    ('in_brackets', 'within', 'words inside parentheses',
     'inside_bracket inside_parenthes* within_bracket within_parenthes* in_bracket in_parenthes* '
     'parenthetical', ['(', ')']),
    ('sentence_start', 'first', 'the first word of a sentence',
     'begin*_of_sentence start*_of_sentence first_in_sentence first_word begin*_sentence '
     'start*_sentence', []),
    ('after_comma', 'after', 'the word after a comma', 'after_comma follow*_comma', [',']),
    ('after_negation', 'after', 'the word after a negation', 'after_negat* follow*_negat* negated',
     ['not', 'never', 'no', 't']),
    ('after_article', 'after', 'the word after an article', 'after_article follow*_article noun',
     ['the', 'a', 'an']),
    ('after_number', 'after', 'the word after a number word',
     'after_number* follow*_number* after_numeral counted',
     ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven',
      'twelve', 'fifteen', 'twenty', 'thirty', 'forty', 'fifty']),
]


def read_words(path):
    """Class -> {description, keywords, words}; keywords None: for the grammar only."""
    classes, current = {}, None
    for line in open(path, encoding='utf-8'):
        line = line.rstrip('\n')
        if not line or line.startswith('#'):
            continue
        if line.startswith('['):
            name, description = re.fullmatch(r'\[(\w+)\] (.*)', line).groups()
            current = classes[name] = {'description': description, 'keywords': None, 'words': []}
        elif line.startswith('= '):
            current['keywords'] = line[2:].split()
        else:
            current['words'] += line.split()
    return classes


def read_grammar(path):
    """Rule -> its alternatives, repeated by weight."""
    rules, current = {}, None
    for line in open(path, encoding='utf-8'):
        line = line.rstrip('\n')
        if not line or line.startswith('#'):
            continue
        if re.fullmatch(r'\[\w+\]', line):
            current = rules[line[1:-1]] = []
            continue
        weight, text = re.fullmatch(r'(?:(\d+)x )?(.*)', line).groups()
        current += [text] * int(weight or 1)
    return rules


def doubled(word):
    return re.fullmatch(r'(?:.*[^aeiou])?[aeiou][bdgmnprt]', word) and len(word) <= 5 and \
        not word.endswith(('er', 'en'))


def past(word):
    if word.endswith('e'):
        return word + 'd'
    if re.search(r'[^aeiou]y$', word):
        return word[:-1] + 'ied'
    return word + (word[-1] if doubled(word) else '') + 'ed'


def progressive(word):
    if word.endswith('e') and not word.endswith('ee'):
        return word[:-1] + 'ing'
    return word + (word[-1] if doubled(word) else '') + 'ing'


def plural(word):
    if re.search(r'(s|x|z|ch|sh)$', word):
        return word + 'es'
    if re.search(r'[^aeiou]y$', word):
        return word[:-1] + 'ies'
    return word + 's'


NOUN, VERB = 'noun', 'verb'
VERBS = {'motion', 'speech', 'perception', 'thought', 'cooking', 'making', 'giving',
         'animal_sounds'}
SLOT = re.compile(r'\{(\w+)((?::[a-z])*)(#\d)?((?::[a-z])*)(?:\*(\d+)-(\d+)([,/]?))?\}')


def forms(entry, kind):
    """A word's base and second form (plural or past)."""
    base, _, second = entry.replace('_', ' ').partition('/')
    return base, second or (past(base) if kind == VERB else plural(base))


class Writer:
    """Expands the grammar for one document after the other."""

    def __init__(self, words, rules, rng):
        self.words, self.rules, self.rng = words, rules, rng
        self.bound = {}

    def choose(self, name):
        """A choice of class or rule: (base, second form, kind, feminine)."""
        if name in self.rules and name not in self.words:
            text = self.rng.choice(self.rules[name])
            whole = SLOT.fullmatch(text)
            if whole and not any(whole.groups()[1:]):
                return self.choose(whole.group(1))
            last = list(SLOT.finditer(text))
            second = text
            if last and last[-1].end() == len(text) and not any(last[-1].groups()[1:]):
                # "white {noun}": its plural is that of its last word
                head = self.choose(last[-1].group(1))
                prefix = self.expand(text[:last[-1].start()])
                return prefix + head[0], prefix + head[1], head[2], head[3] or FEMININE in text
            expanded = self.expand(text)
            return expanded, expanded, NOUN, '{women}' in text
        entry = self.rng.choice(self.words[name]['words'])
        kind = VERB if name in VERBS else NOUN
        base, second = forms(entry, kind)
        return base, second, kind, name == FEMININE or entry in ('Lady', 'Mrs')

    def pick(self, name, mark):
        if mark is None:
            return self.choose(name)
        key = ('who' if name in ('he', 'him', 'his') else name) + mark
        if key not in self.bound:
            self.bound[key] = self.choose(key[:-len(mark)])
        if name in ('he', 'him', 'his'):
            feminine = self.bound[key][3]
            word = {'he': 'she', 'him': 'her', 'his': 'her'}[name] if feminine else name
            return word, word, NOUN, feminine
        return self.bound[key]

    def slot(self, match):
        name, before, mark, after, low, high, joiner = match.groups()
        if low:
            parts = [self.expand('{' + name + (before or '') + (mark or '') + '}')
                     for _ in range(self.rng.randint(int(low), int(high)))]
            if joiner == ',':
                return ', '.join(parts[:-1]) + ' and ' + parts[-1]
            return ('\n' if joiner == '/' else ' ').join(parts)
        base, second, kind, _ = self.pick(name, mark)
        text = base
        for modifier in ((before or '') + (after or '')).replace(':', ''):
            if modifier in 'pd':
                text = second
            elif modifier == 'g':
                text = progressive(base)
            elif modifier == 's':
                text = plural(base)
            elif modifier == 'a':
                text = ('an ' if text[0] in 'aeiouAEIOU' else 'a ') + text
            elif modifier == 'c':
                text = text[0].upper() + text[1:]
        return text

    def expand(self, text):
        out, at = [], 0
        for match in SLOT.finditer(text):
            out += [text[at:match.start()], self.slot(match)]
            at = match.end()
        return ''.join(out + [text[at:]]).replace('\\n', '\n')

    def document(self):
        self.bound = {}
        text = self.expand(self.rng.choice(self.rules['document']))
        # Rules that stand at the beginning of a sentence may give a small letter.
        return re.sub(r'(^|[.!?]["\']? |\n)([a-z])(?=[a-z ]*[ ,])',
                      lambda m: m.group(1) + m.group(2).upper(),
                      text) if '    ' not in text else text


def write_classes(words, path):
    """classes.json, one class a line."""
    rows = []
    for name, one in words.items():
        if one['keywords'] is None or not one['words']:
            continue
        kind = VERB if name in VERBS else NOUN
        values = []
        for entry in one['words']:
            base, second = forms(entry, kind)
            more = [progressive(base)] if kind == VERB else []
            for form in [base, second] + more if kind == VERB or name in PLURALS else [base]:
                if form.lower() not in values:
                    values.append(form.lower())
        rows.append((name, 'words', one['description'],
                     [k.replace('_', ' ') for k in one['keywords']], values))
    verbs = [forms(entry, VERB) for name in words if name in VERBS
             for entry in words[name]['words']]
    nouns = [forms(entry, NOUN) for name in words if name in PLURALS
             for entry in words[name]['words']]
    for name, kind, description, keywords, values in FORMS + [
            ('ing_forms', 'words', 'words that end in ing', 'ing gerund participle progressive',
             sorted({progressive(base) for base, _ in verbs})),
            ('past_forms', 'words', 'verbs in the past tense', 'ed past past_tense participle',
             sorted({form for _, form in verbs})),
            ('plurals', 'words', 'plural nouns', 'plural',
             sorted({form for base, form in nouns if form != base}))]:
        rows.append((name, kind, description, [k.replace('_', ' ') for k in keywords.split()],
                     values))
    with open(path, 'w', encoding='utf-8') as out:
        out.write('{"version": 1, "classes": [\n')
        out.write(',\n'.join(json.dumps(
            dict(zip(('name', 'kind', 'description', 'keywords', 'values'), row)))
                             for row in rows))
        out.write('\n]}\n')


PLURALS = {'mammals', 'birds', 'fish', 'insects', 'plants', 'fruits', 'utensils', 'furniture',
           'buildings', 'clothes', 'tools',
           'body', 'family', 'jobs', 'vehicles', 'instruments', 'containers', 'shapes', 'landscape',
           'houseparts', 'sky'}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', required=True)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--documents', type=int, default=24000)
    parser.add_argument('--name', default='corpus')
    parser.add_argument('--classes', action='store_true', help='write classes.json instead')
    options = parser.parse_args()
    words = read_words(os.path.join(HERE, 'words.txt'))
    rules = read_grammar(os.path.join(HERE, 'grammar.txt'))
    if options.classes:
        write_classes(words, os.path.join(options.out, 'classes.json'))
        return
    writer = Writer(words, rules, random.Random(options.seed))
    with open(os.path.join(options.out, options.name + '.jsonl'), 'w', encoding='utf-8') as out:
        for _ in range(options.documents):
            out.write(json.dumps({'text': writer.document()}, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main()
