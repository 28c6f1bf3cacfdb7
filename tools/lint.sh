#!/bin/bash
# lint.sh - the house rules that a script can check: include directions, third-party headers, format.
# Prints one line a problem and exits 1 if there is any.
set -u
cd "$(dirname "$0")/.."
problems=0
complain() { echo "lint: $*"; problems=$((problems + 1)); }
sources() { git ls-files --cached --others --exclude-standard "$@" | grep -E '\.(c|h|cc)$'; }

# --- include directions: base <- neuron, runtime, net, llm, subject <- store, prompts <- actors <- tools ------
declare -A may=(
    [core/base]="core/base"
    [core/neuron]="core/base core/neuron"
    [core/runtime]="core/base core/runtime"
    [core/net]="core/base core/runtime core/net"
    [core/llm]="core/base core/llm"
    [core/subject]="core/base core/neuron core/subject"
    [store]="core/base core/neuron core/runtime core/net core/llm core/subject store"
    [prompts]="core/base core/neuron core/runtime core/net core/llm core/subject prompts"
    [actors]="core/base core/neuron core/runtime core/net core/llm core/subject store prompts actors"
    [tools]="core/base core/neuron core/runtime core/net core/llm core/subject store prompts actors tools"
)
place_of() { case $1 in core/*) echo "$1" | cut -d/ -f1,2 ;; *) echo "${1%%/*}" ;; esac; }
while IFS=: read -r file include; do
    from=$(place_of "$file")
    to=$(place_of "$include")
    [[ " ${may[$from]:-} " == *" $to "* ]] || complain "$file includes $include: $from may not know $to"
done < <(sources core store prompts actors tools | xargs grep -HoE '^#include "[^"]+' | sed 's/#include "//')

# --- third-party headers: each wrapped by one or two files --------------------------------------------------
declare -A wrappers=(
    [uv.h]="core/runtime/loop.c"
    [curl/curl.h]="core/net/http_curl_private.h"
    [microhttpd.h]="core/net/http_server.c"
    [lmdb.h]="store/env"
    [msgpack.h]="core/base/pack.c"
    [cblas.h]="core/base/matrix.c"
    [jansson.h]="core/base/json.c"
    [simdjson.h]="core/base/json_dom.cc"
    [toml++/toml.h]="core/base/config_toml.cc"
    [pcre2.h]="core/subject/tokenizer.c"
    [xxhash.h]="core/base/hash.c"
    [zstd.h]="store/frame.c core/subject/corpus_stream.c"
    [zlib.h]="core/subject/corpus_stream.c"
)
for header in "${!wrappers[@]}"; do
    users=$(sources core store prompts actors tools | xargs grep -lE "^#include <${header//+/\\+}>" || true)
    [ "$(echo "$users" | grep -c .)" -le 2 ] || complain "<$header> is included by more than two files: $(echo $users)"
    for user in $users; do
        allowed=
        for wrapper in ${wrappers[$header]}; do [[ $user == $wrapper* ]] && allowed=1; done
        [ -n "$allowed" ] || complain "$user includes <$header>, which ${wrappers[$header]} wraps"
    done
done

# --- actors see ports only: no clock, randomness, thread or disk of their own ---------------------------------
for file in $(sources actors); do
    grep -nE '\b(time|rand|random|srand|gettimeofday|clock_gettime|usleep|nanosleep|fsync|pthread_[a-z_]+|uv_[a-z_]+|curl_[a-z_]+)\(' "$file" |
        grep -v 'clock_\(now\|utc\|timer\)' | sed "s|^|lint: $file:|; s|\$|: actors use ports|" | grep . && problems=$((problems + 1))
done

# --- a file says in its first line what it is; no file outgrows its reason -----------------------------------
for file in $(sources core store prompts actors tools); do
    head -1 "$file" | grep -q "^/\* $(basename "$file") - " || complain "$file: the first line is not '/* $(basename "$file") - why it exists'"
    lines=$(wc -l <"$file")
    [ "$lines" -le 700 ] || complain "$file has $lines lines; split it by meaning"
done

# --- format --------------------------------------------------------------------------------------------------
unformatted=$(sources core store prompts actors tools test | xargs clang-format --dry-run 2>&1 | sed -n 's/^\([^: ]*\):[0-9:]* warning: code should be.*/\1/p' | sort -u)
for file in $unformatted; do complain "$file is not formatted; run clang-format -i on it"; done

if [ "$problems" -eq 0 ]; then echo "lint: no problems"; else echo "lint: $problems problems"; exit 1; fi
