"""`s3net COMMAND ...`: every command of this package under one name, for those who have no checkout."""

from __future__ import annotations

import importlib
import sys

from s3net_plugin.utils.names import did_you_mean

# name: (module with a function main, what it does)
COMMANDS = {
    'relight': ('commands.relight', 'relight photos by the name of a light, or as a guide photo is lit'),
    'app': ('app.__main__', 'the same in the browser'),
    'depth': ('commands.prepare_depth', 'make depth maps from photos, disparity or metric depth'),
    'render': ('commands.render_relighting_set', 'render a data set of procedural scenes'),
    'check': ('commands.check_dataset', 'say all that is wrong with a data set'),
    'prepare': ('commands.prepare_vidit', 'turn a data set into LMDB databases'),
    'options': ('commands.options', 'list the option files of this package, or copy them here'),
    'compare': ('commands.compare_runs', 'put the results of tests side by side'),
    'plot': ('commands.plot_log', 'draw losses and scores of training runs'),
    'pack': ('commands.pack_weights', 'pack a checkpoint for sharing, as safetensors'),
    'import': ('commands.import_released_weights', "convert the authors' checkpoint"),
    'export': ('commands.export', 'export a checkpoint to ONNX or torch.export'),
    'benchmark': ('commands.benchmark', 'measure the network and the losses here'),
    'benchmark-data': ('commands.benchmark_data', 'measure reading the data here'),
}


_WIDTH = max(map(len, COMMANDS))
USAGE = f"""usage: s3net COMMAND [options]      (s3net COMMAND --help)

{chr(10).join(f'  {name:<{_WIDTH}}  {what}' for name, (_, what) in COMMANDS.items())}

Training and testing: basicsr train.py|test.py -opt OPTIONS.yml"""


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ('-h', '--help'):
        print(USAGE)
        return
    name, *rest = arguments
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS)
        print(f's3net: error: no command {name!r}{near}; s3net --help lists them', file=sys.stderr)
        sys.exit(2)
    sys.argv = [f's3net {name}', *rest]
    importlib.import_module(f's3net_plugin.{COMMANDS[name][0]}').main()


if __name__ == '__main__':
    main()
