#!/bin/bash
# run.sh - every test: the cmocka programs of $BUILD/test and the files of test/system (pytest).
#
#   BUILD=build test/run.sh
#
# One queue for all, from which twice as many as there are processors run at a time: a system test
# waits for most of its time. What one says is shown when it is over: all of it if it failed, else
# its closing line. Each has a time limit. Fails if anything fails; then it names the directory in
# which the files of the system tests that failed are left.
#
# Machines are shared, and a stall of seconds upsets what waits for a clock: a unit program or
# system test that fails is run once more, and named if it passes then. A rehearsal, whose time is
# virtual, is not; nor is a sanitizer's report forgiven: reports go to files, and any report of any
# process fails the whole, even where no test looks.
#
# A build with sanitizers (seen by its symbols) gets the short selection of system tests:
# test/README.md.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
PROGRAM_SECONDS=${PROGRAM_SECONDS:-300}
FILE_SECONDS=${FILE_SECONDS:-900}
# Nothing that takes long should start last. The order of the others hardly matters.
LONGEST=(test_limits.py test_run.py test_experiments.py test_faults.py test_tokenizer
    test_rehearsal_crash test_rehearsal_faults)
export PYTHONDONTWRITEBYTECODE=1

if [ ! -x "$BUILD/glia" ]; then
    echo "test/run.sh: there is no $BUILD/glia; run make, or set BUILD" >&2
    exit 1
fi
if grep -qaE '__(asan|tsan|ubsan)_' "$BUILD/glia"; then
    GLIA_TEST_SHORT=address
    grep -qa '__tsan_' "$BUILD/glia" && GLIA_TEST_SHORT=thread
    export GLIA_TEST_SHORT
    export SEEDS=${SEEDS:-100} # of test_rehearsal_faults
    PROGRAM_SECONDS=$((PROGRAM_SECONDS * 4))
    FILE_SECONDS=$((FILE_SECONDS * 2))
fi

said=$(mktemp -d -t glia-test.XXXXXX) || exit 1
mkdir "$said"/{reports,failed,places}
failed=0
leave() {
    if [ "$(ls "$said/places")" ]; then
        echo "test/run.sh: files of the tests that failed are in $said/places"
    else
        rm -rf "$said"
    fi
}
trap leave EXIT
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}:log_path=$said/reports/address
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}:log_path=$said/reports/undefined
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}:log_path=$said/reports/thread

# Runs one program or file of system tests and says how it ended, after whoever is speaking.
run_item() {
    local item=$1 name=${1#"$BUILD"/} seconds=$PROGRAM_SECONDS tries=2 code again
    name=${name#test/}
    local output=$said/${name//\//-} place=$said/places/${name##*/} command=("$item")
    case $name in
    rehearsal/*) tries=1 ;;
    system/*)
        tries=1 # pytest itself runs what fails once more: conftest.py
        seconds=$FILE_SECONDS
        command=(/usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short
            --basetemp="$place" "$item")
        ;;
    esac
    SECONDS=0
    exec 9>"$said/speaking"
    for ((again = 1; again <= tries; again++)); do
        timeout --kill-after=30 "$seconds" "${command[@]}" >"$output" 2>&1 9>&-
        code=$?
        [ $code = 0 ] && break
        [ $again = $tries ] ||
            flock 9 printf 'FAILED AT FIRST  %s (exit %s)\n%s\n' "$name" $code "$(cat "$output")"
    done
    flock 9
    if [ $code = 0 ]; then
        rm -rf "$place"
        grep -q 'failed at first:' "$output" && cat "$output"
        printf 'ok    %-36s %4d s  %s\n' "$name" $SECONDS "$(tail -n 1 "$output")"
        return 0
    fi
    local why="exit $code"
    [ $code = 124 ] && why="still running after $seconds s"
    printf 'FAIL  %s (%s)\n%s\n' "$name" "$why" "$(cat "$output")"
    touch "$said/failed/${name//\//-}"
    return 1
}
export -f run_item
export said PROGRAM_SECONDS FILE_SECONDS

mapfile -t programs < <(find "$BUILD/test" -type f -name 'test_*' -perm -u+x 2>/dev/null | sort)
files=(test/system/test_*.py)
if [ ${#programs[@]} = 0 ]; then
    echo "test/run.sh: no test program in $BUILD/test; run make tests" >&2
    failed=1
fi
# Those that take long first, short programs last: they fill what is left of the processors.
items=$(printf '%s\n' "${programs[@]}" "${files[@]}")
{
    for name in "${LONGEST[@]}"; do grep "/$name\$" <<<"$items"; done
    grep /rehearsal/ <<<"$items"
    printf '%s\n' "${files[@]}" "${programs[@]}"
} | awk 'NF && !seen[$0]++' |
    xargs -d '\n' -n 1 -P $(($(nproc) * 2)) bash -c 'run_item "$1"' run_item || failed=1

# pytest's closing lines, summed up.
sum_up() {
    for file in "${files[@]}"; do tail -n 1 "$said/system-${file##*/}"; done | awk '
        { for (i = 2; i <= NF; i++) { word = $i; sub(/,$/, "", word); count[word] += $(i - 1) } }
        END { printf "%d passed, %d failed, %d skipped\n", count["passed"],
                  count["failed"] + count["error"] + count["errors"], count["skipped"] }'
}
failures() { find "$said/failed" -name "$1" | wc -l; }
echo "unit and rehearsal: ${#programs[@]} programs," \
    "$(($(failures 'unit-*') + $(failures 'rehearsal-*'))) failed"
echo "system: ${#files[@]} files, $(failures 'system-*') failed; $(sum_up)"
if [ "$(ls "$said/reports")" ]; then
    cat "$said/reports"/*
    echo "test/run.sh: sanitizers reported $(ls "$said/reports" | wc -l) times"
    failed=1
fi

[ $failed = 0 ] && echo "test/run.sh: all passed" || echo "test/run.sh: FAILED"
exit $failed
