"""One random scene of a style: the entry to ``styles``, a module for each look that a set can have."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering.stage import Scene
from s3net_plugin.rendering.styles import classic, indoor, outdoor, street

# bump it whenever the same seed gives other pictures than before; folders of different versions are not mixed
GENERATOR_VERSION = 1

STYLES = {module.__name__.rpartition('.')[2]: module.draw_scene for module in (classic, outdoor, indoor, street)}
# `mixed` takes these in turns; `street` is not among them, so that there is a style that nothing was trained on
MIXED = ('classic', 'outdoor', 'indoor')
STYLE_NAMES = (*STYLES, 'mixed')


def make_scene(seed: int, number: int, style: str = 'classic') -> Scene:
    """Draw scene ``number`` of the set with this ``seed``; neither size nor the other scenes have a say in it.

    In a ``mixed`` set, it is the scene of the same number of one of MIXED, which take turns.
    """
    draw = STYLES[MIXED[number % len(MIXED)] if style == 'mixed' else style]
    return draw(np.random.default_rng([seed, number]))
