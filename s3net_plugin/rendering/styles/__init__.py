"""The looks that a set can have: each draws a whole scene from a random generator, in a module of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from s3net_plugin.rendering.stage import Scene
from s3net_plugin.rendering.styles import classic, indoor, outdoor, street

STYLES: dict[str, Callable[[np.random.Generator], Scene]] = {
    'classic': classic.draw_scene,
    'outdoor': outdoor.draw_scene,
    'indoor': indoor.draw_scene,
    'street': street.draw_scene,
}
