#!/bin/bash
# run.sh - every test: the cmocka programs of $BUILD/test, then the system tests of test/system (pytest).
#
#   BUILD=build test/run.sh
#
# Unit and rehearsal programs run side by side, one a processor; what a program says is shown when it is over, all of
# it if it failed, else its closing line. The system tests run in two lanes: test_limits.py, which mostly waits
# for a clock, beside the others. Each program and each lane has a time limit. Fails if anything fails.
#
# Machines are shared, and a stall of seconds upsets what waits for a clock: a unit program or system test that fails is
# run once more, and named if it passes then. A rehearsal, whose time is virtual, is not; nor is a sanitizer's report
# forgiven: reports go to files, and any report of any process fails the whole, even where no test looks.
#
# A build with sanitizers (seen by its symbols) gets the short selection of system tests: test/README.md.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
PROGRAM_SECONDS=${PROGRAM_SECONDS:-300}
LANE_SECONDS=${LANE_SECONDS:-900}
PYTEST=(/usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short)
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
    LANE_SECONDS=$((LANE_SECONDS * 2))
fi

said=$(mktemp -d) || exit 1
trap 'rm -rf "$said"' EXIT
failed=0
mkdir "$said/reports"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}:log_path=$said/reports/address
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}:log_path=$said/reports/undefined
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}:log_path=$said/reports/thread

# Says how one program ended; its output is in $said/NAME.
run_program() {
    local program=$1 name code again
    name=${program#"$BUILD"/test/}
    for again in '' 1; do
        timeout --kill-after=10 "$PROGRAM_SECONDS" "$program" >"$said/${name//\//-}" 2>&1
        code=$?
        [ $code = 0 ] || [[ $name == rehearsal/* ]] && break
        [ "$again" ] || printf 'FAILED AT FIRST  %s (exit %s)\n%s\n' "$name" $code "$(cat "$said/${name//\//-}")"
    done
    if [ $code = 0 ]; then
        printf 'ok    %-36s %s\n' "$name" "$(tail -n 1 "$said/${name//\//-}")"
        return 0
    fi
    local why="exit $code"
    [ $code = 124 ] && why="still running after $PROGRAM_SECONDS s"
    printf 'FAIL  %s (%s)\n%s\n' "$name" "$why" "$(cat "$said/${name//\//-}")"
    return 1
}
export -f run_program
export said PROGRAM_SECONDS

mapfile -t programs < <(find "$BUILD/test" -type f -name 'test_*' -perm -u+x 2>/dev/null | sort)
if [ ${#programs[@]} = 0 ]; then
    echo "test/run.sh: no test program in $BUILD/test; run make tests" >&2
    failed=1
else
    printf '%s\0' "${programs[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'run_program "$1"' run_program >"$said/programs"
    [ $? = 0 ] || failed=1
    cat "$said/programs"
    echo "unit and rehearsal: ${#programs[@]} programs, $(grep -c '^FAIL' "$said/programs") failed"
fi

lane() {
    timeout --kill-after=30 "$LANE_SECONDS" "${PYTEST[@]}" "$@"
}
lane test/system/test_limits.py >"$said/limits" 2>&1 &
limits=$!
lane test/system --ignore=test/system/test_limits.py || failed=1
wait "$limits" || failed=1
echo "--- test/system/test_limits.py"
cat "$said/limits"
if [ "$(ls "$said/reports")" ]; then
    cat "$said/reports"/*
    echo "test/run.sh: sanitizers reported $(ls "$said/reports" | wc -l) times"
    failed=1
fi

[ $failed = 0 ] && echo "test/run.sh: all passed" || echo "test/run.sh: FAILED"
exit $failed
