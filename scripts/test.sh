#!/usr/bin/env bash
# All checks: set-up, lint, types, tests. Arguments go to pytest:  scripts/test.sh tests/losses -k wavelet
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup_env.sh app depth dev export heif render wandb

# A CI machine, where nothing may be skipped, gets the browser of the app's tests. A user's machine is left alone.
if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && ! command -v chromium chromium-browser google-chrome > /dev/null; then
  echo 'test: installing Chromium'
  timeout 600 sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium' \
    > /dev/null || echo "test: Chromium could not be installed, so the app's tests will fail" >&2
fi

.venv/bin/ruff check .
.venv/bin/mypy
# Small tensors on few cores: a process a core with one thread each beats threads that wait for each other.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} .venv/bin/python -m pytest --numprocesses auto --dist loadfile "$@"
