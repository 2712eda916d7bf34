#!/usr/bin/env bash
# Makes .venv with everything the project, its tests and its rendered sample set need. Quick when nothing has changed.
#   scripts/setup_env.sh
#   PYTHON=/path/to/python3.11 scripts/setup_env.sh           another interpreter
#   S3NET_TORCH='torch==2.9.1 torchvision==0.24.1' ...        another PyTorch (2.6 or newer)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fits() { "$1" -c 'import sys, venv, ensurepip; raise SystemExit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.10 python3.14 python3 python \
      "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[01234]*/bin/python}; do
    if fits "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  echo "setup_env: no Python 3.10 to 3.14 with venv found${PYTHON:+ at $PYTHON}." >&2
  echo "setup_env: install one, e.g. 'apt-get install python3 python3-venv' or 'pyenv install 3.11', or name it: PYTHON=/path/to/python3.11 $0" >&2
  return 1
}

torch=${S3NET_TORCH:-torch==2.14.1 torchvision==0.29.1}
wanted=$(cat setup.py scripts/setup_env.sh scripts/install_basicsr.py; echo "$torch ${PYTHON:-}")
stamp=.venv/.s3net_setup
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi

python=$(find_python)
if [ -x .venv/bin/python ] && ! fits .venv/bin/python; then
  echo "setup_env: .venv holds $(.venv/bin/python -V 2>&1 || echo 'a broken Python'), which does not fit; remove it and run again." >&2
  exit 1
fi
rm -f "$stamp"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

echo "setup_env: installing $torch (several minutes and about 7 GB on a new machine)"
# PyTorch first: without build isolation, what is built after it finds it there and does not fetch it again.
# shellcheck disable=SC2086  # the two requirements are two words
pip install $torch
pip install setuptools wheel
echo 'setup_env: installing BasicSR and the plugin'
.venv/bin/python scripts/install_basicsr.py --disable-pip-version-check --quiet
pip install --no-build-isolation --editable '.[dev,render,depth,app,export,wandb]'
.venv/bin/python -c 'import s3net_plugin'
printf '%s\n' "$wanted" > "$stamp"
