#!/bin/sh
# Everything that can be measured on one GPU in nine minutes, as one JSON object. Installs nothing.
#     benchmarks/gpu.sh > gpu.json
# PYTHON names the interpreter (default: python3); arguments go to benchmarks/gpu.py.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-python3}" benchmarks/gpu.py "$@"
