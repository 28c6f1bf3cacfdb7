#!/bin/bash
# lint.sh - the house rules that a script can check: who includes whom, third-party headers, format.
# Prints one line a problem and exits 1 if there is any.
set -u
cd "$(dirname "$0")/../.."
TOP="core store prompts actors tools"

found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT
complain() { echo "lint: $*" >>"$found"; }
# What git tracks or would, and is there; a path a line.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u |
        while read -r file; do [ -f "$file" ] && echo "$file"; done
}
sources=$(files $TOP test | grep -E '\.(c|h|cc)$')
product=$(grep -v '^test/' <<<"$sources")
in_product() { [ -z "$product" ] || xargs "$@" <<<"$product"; }
includes=$(in_product grep -HoE '^#include "[^"]+' | sed 's/#include "//')

# --- rooms: each folder, and those that it may include from besides itself -----------------------
# base <- neuron, runtime, net, llm, subject <- store, prompts <- actors <- tools
rooms="
core/base
core/neuron       core/base
core/runtime      core/base
core/net          core/base core/runtime
core/llm          core/base
core/subject      core/base core/neuron
store             core/*
prompts           core/*
actors/sweep      core/base core/neuron core/llm core/subject store prompts
actors            core/* store prompts actors/*
actors/pool       core/* store actors actors/sweep
actors/batch      core/* store actors actors/sweep
actors/recorder   core/* store actors actors/sweep
tools/report      core/* store prompts actors/sweep
tools/viewer      core/* store prompts actors/sweep tools/report
tools/standin     core/*
tools/cli         core/* store prompts actors actors/* tools/report tools/viewer
"
awk -F: '
    function room_of(path) { return sub(/\/[^\/]*$/, "", path) ? path : "." }
    function may(from, to,    i, n, list) {
        n = split(seen_by[from], list, " ")
        for (i = 1; i <= n; i++) {
            if (list[i] == to) return 1
            if (list[i] ~ /\*$/ && index(to "/", substr(list[i], 1, length(list[i]) - 1)) == 1 &&
                to != substr(list[i], 1, length(list[i]) - 2)) return 1
        }
        return from == to
    }
    NR == FNR { if (NF) { room = $0; sub(/ .*/, "", room); known[room]; seen_by[room] = $0 }; next }
    { from = room_of($1) }
    !(from in known) { if (!said[from]++) print "lint: " from " is no room of " room_list; next }
    NF > 1 && !may(from, room_of($2)) {
        print "lint: " $1 " includes " $2 ": " from " may not know " room_of($2)
    }
' room_list=tools/dev/lint.sh <(echo "$rooms") <(echo "$product"; echo "$includes") |
    grep . >>"$found"

# --- circles: no module includes, by way of others, itself ---------------------------------------
# A module is a header with the files of its folder that begin with its name, unless they have a
# header of their own that others include too: json.h has json.c, json_write.c and json_scan.h;
# json_text.h is a module beside it. name_private.h and name_internal.h belong to name.h, whoever
# includes them.
between_modules() {
    { sed 's/$/:/' <<<"$product"; echo "$includes"; } | awk -F: '
        function stem(file) {
            sub(/\.[a-z]+$/, "", file)
            sub(/_(private|internal)$/, "", file)
            return file
        }
        function within(name, module) { return name == module || index(name, module "_") == 1 }
        function shorter(name) {
            while (sub(/_[^_\/]*$/, "", name)) if (name ".h" in files) return name
            return ""
        }
        function is_public(name, module,    i, n, users) {
            n = split(users_of[name ".h"], users, " ")
            for (i = 1; i <= n; i++) if (!within(stem(users[i]), module)) return 1
            return 0
        }
        function module_of(file,    name, wider) {
            name = stem(file)
            while ((wider = shorter(name)) != "" && !is_public(name, wider)) name = wider
            return name
        }
        $2 == "" { files[$1] = 1; next }
        { from[count] = $1; to[count++] = $2; users_of[$2] = users_of[$2] " " $1 }
        END {
            for (file in files) module[file] = module_of(file)
            for (i = 0; i < count; i++)
                if (from[i] in files && to[i] in files && module[from[i]] != module[to[i]])
                    print module[from[i]], module[to[i]]
        }'
}
circles=$(between_modules | LC_ALL=C tsort 2>&1 >/dev/null |
    sed 's/^tsort: //; s/^-: input contains a loop:$/;/' | tr '\n' ' ')
IFS=';' read -ra circles <<<"$circles"
for circle in "${circles[@]}"; do
    [ -z "${circle// /}" ] ||
        complain "these include each other in a circle, each the next: $(echo $circle)"
done

# --- third-party headers: each wrapped by one or two files ---------------------------------------
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
declare -A users=()
while IFS=: read -r user header; do
    [ -n "${wrappers[$header]:-}" ] || continue
    users[$header]+="$user "
    for wrapper in ${wrappers[$header]}; do [[ $user == $wrapper* ]] && continue 2; done
    complain "$user includes <$header>, which ${wrappers[$header]} wraps"
done < <(in_product grep -HoE '^#include <[^>]+' | sed 's/#include <//')
for header in "${!users[@]}"; do
    [ "$(wc -w <<<"${users[$header]}")" -le 2 ] ||
        complain "<$header> is included by more than two files: ${users[$header]}"
done

# --- actors see ports only: no clock, randomness, thread or disk of their own --------------------
forbidden='time|rand|random|srand|gettimeofday|clock_gettime|usleep|nanosleep|fsync'
forbidden+='|pthread_[a-z_]+|uv_[a-z_]+|curl_[a-z_]+'
grep '^actors/' <<<"$product" | xargs -r grep -HnE "\\b($forbidden)\\(" |
    grep -v 'clock_\(now\|utc\|timer\)' | sed 's/^/lint: /; s/$/: actors use ports/' >>"$found"

# --- a file says in its first line what it is; no file outgrows its reason -----------------------
in_product awk '
    function name_of(path) { sub(/.*\//, "", path); return path }
    function ended() {
        if (lines > 700) print "lint: " file " has " lines " lines; split it by meaning"
    }
    FNR == 1 {
        ended()
        file = FILENAME
        start = "/* " name_of(file) " - "
        if (index($0, start) != 1)
            print "lint: " file ": the first line is not \"" start "why it exists\""
    }
    { lines = FNR }
    END { ended() }' >>"$found"

# --- lengths: functions of at most 60 lines, lines of at most 100 columns ------------------------
# A function is counted from the first line of its signature to its closing brace. Of Markdown,
# tables, code and lines that are one long word (a link) may be wider; so may mutations.py, which
# quotes the sources.
lengths() {
    grep '\.c$' <<<"$sources" | xargs -r awk '
        FNR == 1 { inside = 0 }
        inside && /^}/ {
            if (FNR - first >= 60)
                print "lint: " FILENAME ":" first ": " name "() has " FNR - first + 1 " lines"
            inside = 0
        }
        !inside && /^[A-Za-z_]/ { first = FNR; name = $0; sub(/\(.*/, "", name) }
        !inside && /\) *\{$/ && first { inside = 1; sub(/.*[ *]/, "", name) }
        !inside && /^}/ { first = 0 }'
    { echo "$sources"; files '*.py' '*.sh' '*.js' '*.css' '*.md' Makefile .ci tools/dev/hooks; } |
        sort -u | grep -v '^tools/subject/\|/mutations\.py$' | LC_ALL=C xargs -r awk '
        FNR == 1 { page = FILENAME ~ /\.md$/; fenced = 0 }
        page && /^ *(```|~~~)/ { fenced = !fenced }
        length($0) > 100 {
            line = $0
            gsub(/[\200-\277]/, "", line) # columns, not bytes
            if (length(line) <= 100 || line ~ /^[ #>*-]*[^ ]+$/) next
            if (page && (fenced || line ~ /^ *\|/ || line ~ /^    /)) next
            print "lint: " FILENAME ":" FNR ": " length(line) " columns"
        }'
}
lengths >>"$found"

# --- format --------------------------------------------------------------------------------------
xargs -r -n 16 -P "$(nproc)" clang-format --dry-run <<<"$sources" 2>&1 |
    sed -n 's/^\([^: ]*\):[0-9:]* warning: code should be.*/\1/p' | sort -u |
    sed 's/.*/lint: & is not formatted; run clang-format -i on it/' >>"$found"

cat "$found"
problems=$(wc -l <"$found")
if [ "$problems" -eq 0 ]; then
    echo "lint: no problems"
else
    echo "lint: $problems problems"
    exit 1
fi
