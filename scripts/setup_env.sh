#!/usr/bin/env bash
# Makes .venv with the package, or adds to it. Quick when nothing has changed.
#   scripts/setup_env.sh                                      training, testing, relighting
#   scripts/setup_env.sh render app                           and extras by name: render depth app heif export wandb dev
#   PYTHON=/path/to/python3.11 scripts/setup_env.sh           another interpreter
#   S3NET_TORCH='torch==2.10.0 torchvision==0.25.0' ...       another PyTorch (2.10 or newer)
#   S3NET_TORCH_INDEX=URL ...                                 another place to get it from, such as one of CPU builds
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
stamp=.venv/.s3net_setup
wanted=$(cat setup.py scripts/setup_env.sh scripts/install_basicsr.py; echo "$torch ${S3NET_TORCH_INDEX:-} ${PYTHON:-}")
# The stamp is what was wanted and, in its last line, the extras that are there.
there=
if [ -f "$stamp" ] && [ "$(sed '$d' "$stamp")" = "$wanted" ]; then
  there=$(tail -n 1 "$stamp")
fi
extras=$(printf '%s\n' $there "$@" | sort -u | xargs)
if [ -f "$stamp" ] && [ "$(sed '$d' "$stamp")" = "$wanted" ] && [ "$extras" = "$there" ]; then
  exit 0
fi

python=$(find_python)
if [ -x .venv/bin/python ] && ! fits .venv/bin/python; then
  echo "setup_env: .venv holds $(.venv/bin/python -V 2>&1 || echo 'a broken Python'), which does not fit; remove it and run again." >&2
  exit 1
fi
rm -f "$stamp"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

echo "setup_env: installing $torch"
# PyTorch first: without build isolation, what is built after it finds it there and does not fetch it again.
# shellcheck disable=SC2086  # the two requirements are two words
pip install $torch ${S3NET_TORCH_INDEX:+--index-url "$S3NET_TORCH_INDEX"}
pip install --quiet setuptools wheel
echo "setup_env: installing BasicSR and the plugin${extras:+ with $extras}"
.venv/bin/python scripts/install_basicsr.py --disable-pip-version-check
pip install --no-build-isolation --editable ".${extras:+[${extras// /,}]}"
.venv/bin/python -c 'import s3net_plugin.models'
printf '%s\n' "$wanted" "$extras" > "$stamp"
