#!/usr/bin/env python3
"""Trains a byte-level BPE tokenizer in GPT-2's file format on a corpus of make_corpus.py.

    train_tokenizer.py --corpus corpus.jsonl --out DIR [--size 1536]

writes DIR/vocab.json and DIR/merges.txt: the 256 bytes, the merges, <|endoftext|> last. Texts are
cut into pieces as GPT-2 does; the pattern below is the same for ASCII, and the program refuses a
corpus that has anything else.
"""
import argparse
import collections
import json
import os
import re

# Contractions; letters, digits or other signs, each with at most one space before; white space.
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
END_OF_TEXT = '<|endoftext|>'


def byte_letters():
    """Byte -> the printable character that stands for it in vocab.json and merges.txt."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    letters = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + len(letters) - len(printable))
    return letters


LETTERS = byte_letters()


def pieces_of(text):
    """The pieces of a text, each as letters of vocab.json."""
    return [''.join(LETTERS[byte] for byte in piece.encode()) for piece in PIECES.findall(text)]


def read_texts(path):
    for line in open(path, encoding='utf-8'):
        yield json.loads(line)['text']


def merge(symbols, pair):
    out, at = [], 0
    while at < len(symbols):
        if tuple(symbols[at:at + 2]) == pair:
            out.append(symbols[at] + symbols[at + 1])
            at += 2
        else:
            out.append(symbols[at])
            at += 1
    return out


def train(counts, merges_wanted):
    """The merges, most frequent pair first, ties by the pair itself."""
    split = {piece: list(piece) for piece in counts}
    merges = []
    while len(merges) < merges_wanted:
        pairs = collections.Counter()
        for piece, symbols in split.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[piece]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for piece, symbols in split.items():
            if best[0] + best[1] in piece:
                split[piece] = merge(symbols, best)
    return merges


class Tokenizer:
    """Encodes; what the C tokenizer of core/subject does, for training only."""

    def __init__(self, directory):
        with open(os.path.join(directory, 'vocab.json'), encoding='utf-8') as file:
            self.vocabulary = json.load(file)
        with open(os.path.join(directory, 'merges.txt'), encoding='utf-8') as file:
            lines = file.read().split('\n')[1:]
        self.ranks = {tuple(line.split(' ')): rank for rank, line in enumerate(lines) if line}
        self.end_of_text = self.vocabulary[END_OF_TEXT]
        self.known = {}

    def encode(self, text):
        return [token for piece in pieces_of(text) for token in self.piece(piece)]

    def piece(self, piece):
        if piece not in self.known:
            symbols = list(piece)
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]),
                           key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                symbols = merge(symbols, best)
            self.known[piece] = [self.vocabulary[symbol] for symbol in symbols]
        return self.known[piece]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--corpus', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--size', type=int, default=1536, help='tokens in all')
    options = parser.parse_args()
    counts = collections.Counter()
    for text in read_texts(options.corpus):
        if not text.isascii():
            raise SystemExit('train_tokenizer.py: the corpus has more than ASCII: ' + repr(text))
        counts.update(pieces_of(text))
    merges = train(counts, options.size - 257)
    vocabulary = {letter: number for number, letter in enumerate(sorted(LETTERS.values()))}
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    vocabulary[END_OF_TEXT] = len(vocabulary)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, 'vocab.json'), 'w', encoding='utf-8') as file:
        file.write(json.dumps(vocabulary, ensure_ascii=False, indent=0) + '\n')
    with open(os.path.join(options.out, 'merges.txt'), 'w', encoding='utf-8') as file:
        file.write('#version: 0.2\n' + ''.join(f'{left} {right}\n' for left, right in merges))
    print(f'{len(counts)} different pieces, {len(merges)} merges, {len(vocabulary)} tokens')


if __name__ == '__main__':
    main()
