#!/usr/bin/env bash
# From nothing to relit pictures: set-up, a rendered sample set, a short training run, a test, a table.
#   scripts/quickstart.sh
# Needs no GPU and no data. Run again, it renders only what is missing and trains anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup_env.sh render
started=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" > "$log" 2>&1 || { cat "$log"; exit 1; }; }
say() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

say 'Relighting the sample photo of the package from all directions, with the weights of the package'
sample=s3net_plugin/assets/sample
quietly .venv/bin/python scripts/relight.py --input $sample/photo.jpg --input-depth $sample/depth.png \
  --sweep lights --output results/sample --force
echo 'Pictures to look at: results/sample/sheet.png, results/sample/sweep.gif'

say 'Rendering the sample set: 16 scenes, 8 sun directions, 5 colour temperatures'
.venv/bin/python scripts/render_relighting_set.py --output datasets/quickstart --scenes 16 --size 128 --spp 16 --seed 0

say 'Training ShadingGuidedS3Net from scratch: options/quickstart_train.yml'
.venv/bin/basicsr train.py -opt options/quickstart_train.yml

say 'Testing it, and the weights of the package on the same images'
quietly .venv/bin/basicsr test.py -opt options/quickstart_test.yml
quietly .venv/bin/basicsr test.py -opt options/quickstart_test.yml \
  --force_yml name=quickstart_pretrained path:pretrain_network_g=pretrained network_g:encoder=resnet34d

say 'Done'
.venv/bin/python scripts/compare_runs.py results/quickstart_test results/quickstart_pretrained --no-published \
  --output results/quickstart.png
echo
echo 'seen: scenes of the training set under pairs of lights it left out; unseen: scenes it never saw.'
echo 'Pictures: results/quickstart_test/contact_sheet.png'
