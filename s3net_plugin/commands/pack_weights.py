"""Pack a BasicSR checkpoint for sharing: half precision, safetensors, with its training and its scores.

python scripts/pack_weights.py --checkpoint net_g_best.pth --output n.safetensors --training t.json --scores s.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from s3net_plugin.commands.arguments import command, new_parser, output_file


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; ValueError if it is something else."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path}: no JSON ({error})') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected a JSON object, got {type(content).__name__}')
    return content


def pack(checkpoint: Path, output: Path, training: Path, scores: Path) -> float:
    """Write ``output``; return how much the network's output moves at most, of a random input, values in [0, 1]."""
    # imported here since it takes seconds, which --help should not
    import torch

    from s3net_plugin.archs.load import load_network
    from s3net_plugin.archs.pretrained import write_pretrained
    from s3net_plugin.utils.checkpoint import load_weights_only

    notes = {'training': read_json(training), 'scores': read_json(scores)}
    network: Any = load_network(checkpoint)
    try:
        write_pretrained(load_weights_only(checkpoint), output, **notes)
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from None
    x = torch.rand(1, network.input_channels, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return (load_network(output)(x) - network(x)).abs().max().item()


@command()
def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument('--checkpoint', type=Path, required=True, metavar='FILE', help='of training, .pth')
    parser.add_argument('--output', type=output_file, required=True, metavar='FILE', help='to write, .safetensors')
    parser.add_argument('--training', type=Path, required=True, metavar='FILE', help='JSON: the data and the runs')
    parser.add_argument('--scores', type=Path, required=True, metavar='FILE', help='JSON: what the network reaches')
    args = parser.parse_args()
    difference = pack(args.checkpoint, args.output, args.training, args.scores)
    size = args.output.stat().st_size / 1e6
    print(f"{args.output}: {size:.1f} MB; rounding moves the network's output by at most {difference:.1g}")
