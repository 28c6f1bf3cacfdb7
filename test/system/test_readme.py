"""What the pages say is so: samples of output, commands with their options, targets of make, paths.

The pages are each README.md and every other .md of the top folder. test/README.md tells how they
are written for this: which blocks are compared with what a command prints, and which names count
as paths.
"""
import collections
import fnmatch
import functools
import itertools
import os
import re
import shlex
import subprocess

import pytest
from conftest import BUILD, DEADLINE, GLIA, ROOT, STANDIN

Code = collections.namedtuple("Code", "where text mark in_block")  # mark: whose output, or None
MARK = re.compile(r"<!-- output of: (.*) -->$")
PATH = re.compile(r"[\w.*{},\[\]/+-]+")
SOURCE = (".c", ".h", ".cc", ".py", ".sh", ".js", ".css", ".html", ".md", ".{h,c}", ".[ch]")
EITHER = ".{c,py}"  # of a test that is named without its suffix


def repository():
    """Every file and folder, as its path from the top, but nothing that is built."""
    paths = set()
    for folder, folders, files in os.walk(ROOT):
        at = os.path.relpath(folder, ROOT)
        folders[:] = [name for name in folders if not (
            name in (".git", ".pytest_cache", "__pycache__")
            or (at == "." and name.startswith(("build", "glia-store"))))]
        paths |= {os.path.normpath(os.path.join(at, name)) for name in folders + files}
    return paths


PATHS = repository()
ROOMS = {path for path in PATHS if "/" not in path and (ROOT / path).is_dir()}
PAGES = sorted(path for path in PATHS if re.search(r"(^|/)README\.md$|^[^/]+\.md$", path))


@functools.lru_cache(None)
def text_of(path):
    return (ROOT / path).read_text()


# --- reading Markdown ---

def block_at(lines, at, blank_above):
    """The lines of the block that begins there, and where it ends; no lines if none begins."""
    fence = re.match(r" *(```+|~~~+)", lines[at])
    end = at
    if fence:
        end += 1
        while not lines[end].strip().startswith(fence[1]):
            end += 1
        return lines[at + 1:end], end + 1
    if lines[at].startswith("    ") and blank_above:
        while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
            end += 1
    return [line[4:] for line in lines[at:end]], end


@functools.lru_cache(None)
def code_of(page):
    """The code of a page: blocks, fenced or indented, and what stands in backquotes."""
    lines = text_of(page).split("\n")
    found, prose, mark, at = [], [], None, 0
    while at < len(lines):
        text, end = block_at(lines, at, not "".join(prose[-1:]).strip())
        if end > at:
            where = f"{page}:{at + 1}"
            found.append(Code(where, "\n".join(text).rstrip(), mark and mark[1], True))
            mark = None
            prose += [""] * (end - at)
        else:
            if lines[at].strip():
                mark = MARK.match(lines[at])
            prose.append(lines[at])
            end += 1
        at = end
    text = "\n".join(prose)
    for span in re.finditer(r"`([^`]+)`", text):
        where = f"{page}:{text.count(chr(10), 0, span.start()) + 1}"
        found.append(Code(where, " ".join(span[1].split()), None, False))
    return found


def all_code():
    return itertools.chain.from_iterable(map(code_of, PAGES))


def commands_of(code):
    """The commands of a piece of code, as lists of words. A remark follows `#` or three spaces."""
    if code.mark:
        return
    for line in code.text.replace("\\\n", " ").split("\n"):
        line = re.sub(r"(^|\s)#.*|(?<=\S)   .*", "", line)
        for command in re.split(r"&&|\|\||;| \| ", line):
            try:
                words = shlex.split(command)
            except ValueError:  # prose with an apostrophe
                words = command.split()
            while words and ("=" in words[0] or words[0] == "do"):
                words.pop(0)
            if words:
                yield words


# --- samples of output ---

def first_wrong(sample, output):
    """The first line of the sample that is not in the output where it should be, or None.

    Lines that follow each other in the sample do so in the output; a line `...` stands for any."""
    sample, output = ([line.rstrip() for line in text.split("\n")] for text in (sample, output))
    at = 0
    for skip, run in itertools.groupby(sample, lambda line: line == "..."):
        if skip:
            continue
        run = list(run)
        alike = [sum(itertools.takewhile(bool, map(str.__eq__, run, output[start:])))
                 for start in range(at, len(output))]
        if len(run) not in alike:
            return run[max(alike, default=0)]
        at += alike.index(len(run)) + len(run)
    return None


@pytest.mark.parametrize("sample, wrong", [
    ("a\nb", None), ("b\n...\nd", None), ("...\nc\nd", None), ("c\n...\nd", None), ("a\n\nb", ""),
    ("a\nc", "c"), ("b\n...\na", "a"), ("c\nd\ne", "e"), ("a 1", "a 1"), ("d\n...\nd", "d")])
def test_a_sample_is_compared_line_by_line(sample, wrong):
    assert first_wrong(sample, "a\nb\nc\nd") == wrong


SAMPLES = [code for code in all_code() if code.mark]


@pytest.mark.long
@pytest.mark.parametrize("code", SAMPLES, ids=[code.where for code in SAMPLES])
def test_samples_are_what_is_printed(place, code):
    (place.path / "build").symlink_to(BUILD)
    done = subprocess.run(["bash", "-c", code.mark], cwd=place.path, env=place.env,
                          capture_output=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
    wrong = first_wrong(code.text, done.stdout.decode())
    assert wrong is None, f"{code.where}: {code.mark} does not print this line there:\n{wrong}"


def test_samples_were_found():
    assert any(code.where.startswith("README.md:") for code in SAMPLES)


# --- commands ---

@functools.lru_cache(None)
def help_of(program, *command):
    said = subprocess.run([program, *command, "--help"], capture_output=True, timeout=DEADLINE,
                          check=True)
    return (said.stdout + said.stderr).decode()


def options_in(text):
    """Those that a help describes, long and short."""
    rows = re.findall(r"^ +(?:(-\w), )?(--[\w-]+)", text, re.M)
    return set(itertools.chain.from_iterable(rows)) - {""}


def commands():
    return re.findall(r"^  (\w+)  ", help_of(GLIA), re.M)


def wrong_in_glia(command, words):
    """What of a command line is not so: the subcommand, its first word, its options."""
    if command == "help" or command.startswith("-"):
        known = {"help", "config", "--help", "--version", *commands()}
        return {command, *words} - known
    if command.isupper():  # COMMAND stands for any
        return set()
    if command not in commands():
        return {command}
    text = help_of(GLIA, command)
    wrong = {word for word in words if re.match("-.", word)} - options_in(text)
    if words and re.fullmatch(r"[a-z|]+", words[0]):
        wrong |= set(words[0].split("|")) - set(re.findall(r"\w+", text.split("\n")[0]))
    return wrong


def test_commands_and_options_exist():
    seen, wrong = 0, []
    for code in all_code():
        for program, *words in commands_of(code):
            name = os.path.basename(program)
            if name == "glia" and words:
                found = wrong_in_glia(words[0], words[1:])
            elif name == "glia-standin":
                found = {word for word in words if word[:2] == "--"} - options_in(help_of(STANDIN))
            else:
                continue
            seen += 1
            wrong += [f"{code.where}: {name} {' '.join(words)}: no {word}" for word in found]
    assert not wrong, "\n".join(wrong)
    assert seen > 50


def test_options_that_stand_alone_exist():
    """In prose an option may be any program's: of glia, of the stand-in or of a script."""
    helps = [help_of(STANDIN), *(help_of(GLIA, command) for command in commands())]
    known = set().union(*map(options_in, helps))
    for path in PATHS:
        if path.endswith(".py"):
            known |= set(re.findall(r"add_argument\(.(--[\w-]+)", text_of(path)))
    named = [(code.where, code.text.split()[0]) for code in all_code() if code.text[:2] == "--"]
    wrong = [f"{where}: no program has {option}" for where, option in named if option not in known]
    assert not wrong, "\n".join(wrong)
    assert len(named) > 10


def test_targets_of_make_exist():
    makefile = text_of("Makefile")
    targets = set(" ".join(re.findall(r"^([\w -]+):(?!=)", makefile, re.M)).split())
    seen, wrong = 0, []
    for code in all_code():
        for program, *words in commands_of(code):
            if program != "make":
                continue
            seen += 1
            for word in words:
                name, is_set, _ = word.partition("=")
                known = re.search(rf"\b{name}\b", makefile) if is_set else name in targets
                if not known and not word.startswith(("-", "build/")):  # paths: see below
                    wrong.append(f"{code.where}: make {' '.join(words)}: no {name}")
    assert not wrong, "\n".join(wrong)
    assert seen > 20


# --- paths ---

def expanded(name):
    """A name with {a,b} as the names that it stands for; NAME in it is any word."""
    braces = re.match(r"(.*?)\{([^{}]*)\}(.*)", name)
    if braces:
        return [each for part in braces[2].split(",")
                for each in expanded(braces[1] + part + braces[3])]
    return [re.sub(r"(?<![A-Z])NAME(?![A-Z])", "*", name.rstrip("/"))]


def found(pattern):
    """Whether a path of the repository is so named. `*` stands for anything but a slash."""
    pattern = os.path.normpath(pattern)
    return pattern in PATHS or any(path.count("/") == pattern.count("/")
                                   and fnmatch.fnmatchcase(path, pattern) for path in PATHS)


def is_there(name, folder):
    """From the top, from the page's folder, or anywhere if it is a bare name; what is built of a
    test is there if its source is."""
    if name.split("/")[0] == "build":
        built = re.fullmatch(r"build/(test/\w+/[\w*]+)", name)
        return not built or found(built[1] + ".c")
    bare = "/" not in name and any(
        fnmatch.fnmatchcase(os.path.basename(path), name) for path in PATHS)
    return bare or found(name) or found(os.path.join(folder, name))


@functools.lru_cache(None)
def headers_of_libraries():
    sources = [path for path in PATHS if path.endswith((".c", ".h", ".cc"))]
    return {header for path in sources
            for header in re.findall(r"^#include <(.*)>", text_of(path), re.M)}


def paths_in(code, folder):
    """The words of a piece of code that name something of the repository, or built from it."""
    words = [word.strip("\"'()[];:,") for word in code.text.split()]
    alone = len(words) == 1 and not code.in_block
    for word in words:
        if not PATH.fullmatch(word) or re.match(r"/|\.\w+$", word):
            continue
        first, slash, _ = word.partition("/")
        if slash and (first in ROOMS | {"build"} or os.path.join(folder, first) in PATHS):
            yield word
        elif alone and word.endswith(SOURCE) and word not in headers_of_libraries():
            yield word
        elif alone and re.fullmatch(r"test_\w+", word):
            yield word + EITHER


def wrong_paths(page):
    folder = os.path.dirname(page)
    for code in code_of(page):
        for word in paths_in(code, folder):
            there = [is_there(name, folder) for name in expanded(word)]
            if not (any(there) if word.endswith(EITHER) else all(there)):
                yield f"{code.where}: there is no {word}"
    for name in re.findall(r"\]\((?!https?:|#)([^)#]+)", text_of(page)):
        if not (ROOT / folder / name).exists():
            yield f"{page}: a link leads to {name}, which is not there"


def wrong_rows(page):
    """A table whose first column is headed file, folder or header lists what is in the page's
    folder: files by their names (`a.h`, `.c`), or modules by the name that their files share."""
    listing = False
    for number, line in enumerate(text_of(page).split("\n"), 1):
        cell = line.split("|")[1].strip() if line.startswith("|") else None
        if cell is None or not listing:
            listing = cell in ("file", "folder", "header")
            continue
        stem = ""
        for name in (name for span in re.findall("`([^`]+)`", cell) for name in expanded(span)):
            name = stem + name if name.startswith(".") else name
            stem = os.path.splitext(name)[0]
            here = os.path.join(os.path.dirname(page), name)
            if not found(here) and not found(here + ".[ch]"):
                yield f"{page}:{number}: the folder has no {name}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page):
    wrong = [*wrong_paths(page), *wrong_rows(page)]
    assert not wrong, "\n".join(wrong)


def test_paths_were_found():
    assert sum(len(list(paths_in(code, ""))) for code in all_code()) > 300
