#!/bin/bash
# lint.sh - the house rules that a script can check: include directions and circles, third-party headers, format.
# Prints one line a problem and exits 1 if there is any.
set -u
cd "$(dirname "$0")/.."
problems=0
complain() { echo "lint: $*"; problems=$((problems + 1)); }
includes() { sources core store prompts actors tools | xargs grep -HoE '^#include "[^"]+' | sed 's/#include "//'; }
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
done < <(includes)

# --- circles: no module includes, by way of others, itself ------------------------------------------------------
# A module is a header with the files of its folder that begin with its name, unless they have a header of their own
# that others include too: json.h has json.c, json_write.c and json_scan.h; json_text.h is a module beside it.
# name_private.h and name_internal.h belong to name.h, whoever includes them.
between_modules() {
    { sources "$@" | sed 's/$/:/'; includes; } | awk -F: '
        function stem(file) { sub(/\.[a-z]+$/, "", file); sub(/_(private|internal)$/, "", file); return file }
        function within(name, module) { return name == module || index(name, module "_") == 1 }
        function shorter(name) {
            while (sub(/_[^_\/]*$/, "", name)) if (name ".h" in files) return name
            return ""
        }
        function is_public(name, module,    i) {
            for (i = 0; i < count; i++) if (to[i] == name ".h" && !within(stem(from[i]), module)) return 1
            return 0
        }
        function module_of(file,    name, wider) {
            name = stem(file)
            while ((wider = shorter(name)) != "" && !is_public(name, wider)) name = wider
            return name
        }
        $2 == "" { files[$1] = 1; next }
        { from[count] = $1; to[count++] = $2 }
        END {
            for (file in files) module[file] = module_of(file)
            for (i = 0; i < count; i++)
                if (from[i] in files && to[i] in files && module[from[i]] != module[to[i]])
                    print module[from[i]], module[to[i]]
        }'
}
circles=$(between_modules core store prompts actors tools | LC_ALL=C tsort 2>&1 >/dev/null |
    sed 's/^tsort: //; s/^-: input contains a loop:$/;/' | tr '\n' ' ')
IFS=';' read -ra circles <<<"$circles"
for circle in "${circles[@]}"; do
    [ -z "${circle// /}" ] || complain "these include each other in a circle, each the next: $(echo $circle)"
done

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
