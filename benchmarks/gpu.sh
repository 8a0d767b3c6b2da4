#!/usr/bin/env bash
# Measures texprior on a machine with one NVIDIA GPU and a recent torch, without a network, within eight minutes.
#
#   benchmarks/gpu.sh --pack DIR     on a machine with a network: puts wheels of texprior, and of what a machine with
#                                    torch may lack, into DIR; TARGET_PYTHON names that machine's Python, such as 3.12
#   benchmarks/gpu.sh [DIR]          on the GPU machine: takes the wheels in DIR, or the texprior that is installed
#   benchmarks/gpu.sh --cpu-small    the same in a tiny form on a CPU
#
# Results go to $OUT (by default gpu-results): tests.log, rates.json, and the trained weights in prior/ and model/.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${OUT:-gpu-results}

# What the trainings import and a machine with torch, NumPy, OpenCV and scikit-image may lack.
missing=(annotated-types filelock pluggy pydantic pydantic-core safetensors typing-extensions typing-inspection)

if [ "${1:-}" = --pack ]; then
    target=${TARGET_PYTHON:-3.12}
    mkdir -p "$2"
    "$python" -m pip wheel -q --no-deps -w "$2" .
    "$python" -m pip download -q --no-deps -d "$2" -c constraints.txt --only-binary=:all: --python-version "$target" \
        --implementation cp --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
        "${missing[@]}"
    ls -l "$2"
    exit
fi

small=()
wheels=()
for argument in "$@"; do
    if [ "$argument" = --cpu-small ]; then small=(--cpu-small); else wheels=("$argument"/*.whl); fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
if [ ${#wheels[@]} -gt 0 ]; then
    "$python" -m pip install -q --no-index --no-deps --no-compile --target "$work/site" "${wheels[@]}"
    export PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}"
fi
unset TEXPRIOR_TEST_FLOOR # it counts the tests of the whole suite, and here a few files run
export TEXPRIOR_RUNS="$work/runs" NO_ALBUMENTATIONS_UPDATE=1 MLFLOW_DISABLE_TELEMETRY=true PYTHONUNBUFFERED=1
[ ${#small[@]} -eq 0 ] || export CUDA_VISIBLE_DEVICES=

# The tests of which a GPU shows something; a failure is reported at the end, and does not keep the rest from running.
tests=(tests/platform/runtime/test_device_clock.py tests/platform/flow/test_precision.py)
[ ${#small[@]} -gt 0 ] || tests+=(tests/plugins/attention/test_attention.py tests/platform/training/test_loop.py)
failed=0
if "$python" -c 'import pytest, pytest_timeout' 2>"$work/pytest"; then
    timeout 90 "$python" -m pytest -q -p no:cacheprovider "${tests[@]}" >"$out/tests.log" 2>&1 || failed=$?
    tail -n 1 "$out/tests.log"
else
    echo "pytest or pytest-timeout is missing: the tests are left out" | tee "$out/tests.log"
fi

timeout 340 "$python" benchmarks/gpu.py "$out" ${small[@]+"${small[@]}"}
[ "$failed" -eq 0 ] || { echo "some tests failed, see $out/tests.log"; exit "$failed"; }
