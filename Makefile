# glia: `make run` shows what it does, `make test` proves it; `make help` lists the rest.
#
# Variables: CC (gcc or clang), CXX, SAN (address,undefined or thread), PREFIX, DESTDIR. Everything
# that is built lands in build/ (build-<SAN>/ for sanitizer builds, build-clang/ for clang).

SHELL   := /bin/bash
PREFIX  ?= /usr/local
SAN     ?=
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX     := $(if $(findstring clang,$(CC)),clang++,g++)
comma   := ,
FUZZ    ?=
BUILD   := build$(if $(FUZZ),-fuzz)$(if $(findstring clang,$(CC)),-clang)
BUILD   := $(BUILD)$(if $(SAN),-$(subst $(comma),-,$(SAN)))

VERSION := 0.2.0
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Werror
WARN_C  := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
# With sanitizers less to write and to link, and reports still name lines. Not below -O2: the tests
# would take longer than the compiler saves.
OPT     := -O2 $(if $(FUZZ),-g,$(if $(SAN),-g1,-g))
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
SANFLAG += $(if $(FUZZ),-fsanitize=fuzzer-no-link)
CPPFLAGS += -I. -I$(BUILD) -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 \
    -DGLIA_VERSION='"$(VERSION)"'
# Sanitizer builds also ask every actor's invariant after each message (core/runtime/actor.h).
CPPFLAGS += $(if $(SAN),-DGLIA_CHECKS)
CFLAGS  += -std=c11 $(OPT) $(WARN_C) $(SANFLAG) -pthread
CXXFLAGS += -std=c++17 $(OPT) $(WARN) $(SANFLAG) -pthread
LDFLAGS += $(SANFLAG) -pthread
LDLIBS  := -luv -lcurl -lmicrohttpd -llmdb -lmsgpackc -ljansson -lsimdjson -lpcre2-8 \
    -lxxhash -lzstd -lz -ldl -lm

# Of glia only: one thread allocates what another frees, which costs glibc's malloc twice as much.
# Sanitizers have their own.
MALLOC := $(if $(SAN)$(FUZZ),,-Wl,--no-as-needed -l:libtcmalloc_minimal.so.4)

PACKAGES := build-essential pkg-config libuv1-dev libcurl4-openssl-dev \
    libmicrohttpd-dev liblmdb-dev libmsgpack-dev libopenblas-dev libjansson-dev \
    libsimdjson-dev libtomlplusplus-dev libpcre2-dev libxxhash-dev libzstd-dev zlib1g-dev \
    libtcmalloc-minimal4
TEST_PACKAGES := libcmocka-dev python3-pytest nghttp2-proxy openssl zstd clang \
    libclang-rt-14-dev clang-format chromium chromium-driver python3-selenium
BENCH_PACKAGES := python3-aiohttp python3-httpx

# --- what is built from what ----------------------------------------------------------------------
LIB_C    := $(sort $(wildcard core/*/*.c store/*.c prompts/*.c actors/*.c actors/*/*.c))
LIB_CC   := $(sort $(wildcard core/*/*.cc))
TOOLS_C  := $(filter-out tools/cli/glia.c,$(sort $(wildcard \
    $(addprefix tools/,cli/*.c report/*.c viewer/*.c))))
STAND_C  := $(filter-out tools/standin/main.c,$(sort $(wildcard tools/standin/*.c)))
REHEARSE_C := $(filter-out test/rehearsal/test_%,$(sort $(wildcard test/rehearsal/*.c)))
HELPER_C := $(filter-out test/unit/test_%,$(sort $(wildcard test/unit/*.c)))
TEST_C   := $(sort $(wildcard test/unit/test_*.c test/rehearsal/test_*.c))
FUZZ_C   := $(sort $(wildcard test/fuzz/fuzz_*.c))
BENCH_C  := $(sort $(wildcard test/bench/bench_*.c))
EMBED    := $(sort $(wildcard prompts/*.toml prompts/*.json) config.toml core/llm/prices.toml \
    tools/report/paper.json \
    store/response_dictionary.txt tools/standin/lexicon.txt $(wildcard tools/viewer/pages/*) \
    $(addprefix tools/subject/,classes.json config.json corpus.jsonl.zst merges.txt \
    model.safetensors vocab.json))

obj       = $(patsubst %,$(BUILD)/%.o,$(1))
LIB      := $(BUILD)/libglia.a
TESTS    := $(patsubst test/%.c,$(BUILD)/test/%,$(TEST_C))
FUZZERS  := $(patsubst test/%.c,$(BUILD)/test/%,$(FUZZ_C))
BENCHES  := $(patsubst test/%.c,$(BUILD)/test/%,$(BENCH_C))
BINARIES := $(BUILD)/glia $(BUILD)/glia-standin

# For builds that a target starts: one job a processor, unless make was told how many.
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all deps deps-test deps-bench run experiments test tests rehearse bench benches torture
.PHONY: lint fuzz fuzzers
.PHONY: compile_commands hooks clean install help
all: $(BINARIES)

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make            build build/glia and build/glia-standin
## make deps       install the Debian packages that are missing (asks sudo if you are not root)
## make run        build, run the default config offline, print its report
## make experiments   every experiment of the paper, offline; report in build/experiments/report
## make test       build and run every test
## make rehearse SEEDS=1000 [FIRST=n] [PROCESSES=n], or SEED=n    rehearsals; or one, event by event
## make torture    real crashes: hundreds of SIGKILLs, stops, full disks; then a soak of 15 minutes
## make bench [QUICK=1] [ROWS="cpu ..."]   what the orchestrator costs, as one table of ratios
## make lint       who includes whom, third-party headers, lengths, format
## make SAN=address,undefined test     the same tests under sanitizers (also SAN=thread)
## make fuzz       short fuzzing of every parser of untrusted bytes (needs clang)
## make compile_commands   write compile_commands.json: how each file is compiled, for clangd
## make hooks      from now on git checks each commit here: lint of what is staged, the subject line
## make install    into PREFIX (default /usr/local)

deps:
	@tools/dev/deps.sh $(PACKAGES)
deps-test:
	@tools/dev/deps.sh $(PACKAGES) $(TEST_PACKAGES)
deps-bench:
	@tools/dev/deps.sh $(PACKAGES) $(TEST_PACKAGES) $(BENCH_PACKAGES)

run: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@$(BUILD)/glia run && $(BUILD)/glia report

experiments:
	@tools/dev/deps.sh $(PACKAGES) python3
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@tools/experiments/run.sh $(BUILD)/glia $(BUILD)/experiments

test: deps-test
	@$(MAKE) --no-print-directory $(PARALLEL) all tests
	@BUILD=$(BUILD) test/run.sh

tests: $(TESTS)

FUZZ_SECONDS ?= 10
fuzz: deps-test
	@$(MAKE) --no-print-directory $(PARALLEL) CC=clang SAN=address,undefined FUZZ=1 fuzzers
	@for fuzzer in $$(ls build-fuzz*/test/fuzz/fuzz_* | grep -v '\.'); do \
	    echo "  FUZZ $$fuzzer"; mkdir -p $$fuzzer.corpus; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 \
	        -verbosity=0 -artifact_prefix=$$fuzzer. $$fuzzer.corpus || exit 1; \
	done

fuzzers: $(FUZZERS)

rehearse: deps-test
	@$(MAKE) --no-print-directory $(PARALLEL) $(BUILD)/test/rehearsal/test_rehearsal_faults
	@$(if $(SEED),SEED=$(SEED) TRACE=1,SEEDS=$(or $(SEEDS),1000) FIRST=$(or $(FIRST),1)) \
	    $(BUILD)/test/rehearsal/test_rehearsal_faults

SOAK_MINUTES ?= 15
torture: deps-test
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@BUILD=$(BUILD) /usr/bin/python3 test/torture/torture.py
	@BUILD=$(BUILD) /usr/bin/python3 test/torture/soak.py --minutes $(SOAK_MINUTES)

bench: deps-bench
	@$(MAKE) --no-print-directory $(PARALLEL) all benches
	@BUILD=$(BUILD) QUICK=$(QUICK) /usr/bin/python3 test/bench/bench.py $(ROWS)

benches: $(BENCHES)

lint: deps-test
	@tools/dev/lint.sh

# What make would say to compile each file, as JSON: so the flags are those of the rules below.
# Nothing is compiled.
compile_commands:
	@set -o pipefail; $(MAKE) -nB --no-print-directory all tests benches fuzzers | sed -n \
	    -e 's/["\\]/\\&/g' \
	    -e 's|^.* -c \([^ ]*\) -o .*|{"directory": "$(CURDIR)", "file": "\1", "command": "&"},|p' | \
	    sed -e '1s/^/[/' -e '$$s/,$$/]/' > compile_commands.json.part
	@mv compile_commands.json.part compile_commands.json

hooks:
	git config core.hooksPath tools/dev/hooks

clean:
	rm -rf build build-*

install: all
	install -D -m 755 $(BUILD)/glia $(DESTDIR)$(PREFIX)/bin/glia
	install -D -m 755 $(BUILD)/glia-standin $(DESTDIR)$(PREFIX)/bin/glia-standin

# --- rules ----------------------------------------------------------------------------------------
$(BUILD)/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
# Loops that must be vectorised and round alike everywhere; none of the flags changes a result
# (core/subject/kernels.c).
$(addprefix $(BUILD)/core/subject/,kernels.c.o activation_pass.c.o value_sketch.c.o): \
    CFLAGS += -O3 -ffp-contract=off -fno-trapping-math
$(BUILD)/%.cc.o: %.cc
	@mkdir -p $(@D)
	@echo "  CXX  $<"
	@$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/embedded_data.c: tools/dev/embed.sh Makefile $(EMBED)
	@mkdir -p $(@D)
	@tools/dev/embed.sh $(EMBED) > $@
$(BUILD)/embedded_data.c.o: $(BUILD)/embedded_data.c $(EMBED)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(LIB): $(call obj,$(LIB_C) $(LIB_CC)) $(BUILD)/embedded_data.c.o
	@rm -f $@
	@echo "  AR   $@"
	@ar rcs $@ $^
$(BUILD)/libtools.a: $(call obj,$(TOOLS_C))
	@rm -f $@
	@echo "  AR   $@"
	@ar rcs $@ $^
$(BUILD)/glia: $(call obj,tools/cli/glia.c) $(BUILD)/libtools.a $(LIB)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) $^ -o $@ $(MALLOC) $(LDLIBS)
$(BUILD)/libstandin.a: $(call obj,$(STAND_C))
	@rm -f $@
	@echo "  AR   $@"
	@ar rcs $@ $^
$(BUILD)/glia-standin: $(call obj,tools/standin/main.c) $(BUILD)/libstandin.a $(LIB)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) $^ -o $@ $(LDLIBS)
$(BUILD)/librehearsal.a: $(call obj,$(REHEARSE_C))
	@rm -f $@
	@echo "  AR   $@"
	@ar rcs $@ $^
$(BUILD)/libhelpers.a: $(call obj,$(HELPER_C))
	@rm -f $@
	@echo "  AR   $@"
	@ar rcs $@ $^
TEST_LIBS := $(addprefix $(BUILD)/,librehearsal.a libhelpers.a libtools.a libstandin.a) $(LIB)
$(TESTS) $(BENCHES): $(BUILD)/test/%: $(BUILD)/test/%.c.o $(TEST_LIBS)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group -o $@ \
	    -lcmocka $(LDLIBS)
$(FUZZERS): $(BUILD)/test/%: $(BUILD)/test/%.c.o $(BUILD)/libtools.a $(LIB)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -fsanitize=fuzzer $^ -o $@ $(LDLIBS)

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')
