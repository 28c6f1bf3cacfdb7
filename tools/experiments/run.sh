#!/bin/sh
# run.sh GLIA DIRECTORY - runs every experiment offline in a directory, and writes the report there.
# Goes on where an earlier one ended.
set -eu
glia=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
mkdir -p "$2"
cd "$2"
cp "$here/listed.csv" .
config=$here/experiments.toml
# Asked at another temperature than the sweep, so that no answer is compared with itself.
"$glia" run -c "$config" --run baselines --set 'run.sets=["sample"]' --set explain.temperature=0
"$glia" import explanations run:baselines/original --as original -c "$config"
"$glia" run -c "$config"
# Nobody is asked: raters are simulated, and their codes say so wherever their ratings stand.
"$here/simulated_raters.py" "$glia" "$config" experiments random simulated_study.csv
"$glia" report -c "$config" --run experiments --study simulated_study.csv --beside paper \
    --out report
"$glia" report -c "$config" --run experiments --study simulated_study.csv
echo "the report: $2/report/report.html"
