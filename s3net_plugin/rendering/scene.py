"""One random scene of a style: the entry to ``styles``."""

from __future__ import annotations

import numpy as np

from s3net_plugin.rendering.stage import Scene
from s3net_plugin.rendering.styles import STYLES

# bump it whenever the same seed gives other pictures than before; folders of different versions are not mixed
GENERATOR_VERSION = 1


def make_scene(seed: int, number: int, style: str = 'classic') -> Scene:
    """Draw scene ``number`` of the set with this ``seed``; neither size nor the other scenes have a say in it.

    Raises ValueError if ``style`` is none of STYLES.
    """
    if style not in STYLES:
        raise ValueError(f'style {style}: must be one of {", ".join(STYLES)}')
    return STYLES[style](np.random.default_rng([seed, number]))
