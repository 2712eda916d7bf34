#!/usr/bin/env bash
# All checks: set-up, lint, types, tests. Arguments go to pytest:  scripts/test.sh tests/losses -k wavelet
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup_env.sh
.venv/bin/ruff check .
.venv/bin/mypy
# Small tensors on few cores: a process a core with one thread each beats threads that wait for each other.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} .venv/bin/python -m pytest --numprocesses auto --dist loadfile "$@"
