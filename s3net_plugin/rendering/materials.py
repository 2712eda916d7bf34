"""What a surface is made of: a texture, the size at which it is laid, its relief and its gloss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering.textures import Texture, draw_texture

WALL_PATTERNS = ('brick', 'plank', 'plaster', 'rust', 'cobble', 'tile')
OBJECT_PATTERNS = ('brick', 'tile', 'plank', 'plaster', 'marble', 'rock', 'stripes', 'rust')


class Material(NamedTuple):
    """``repeat`` is the side of one copy of the texture and ``relief`` the height of its bumps, in world units.

    ``gloss`` is matte, plastic or metal; only matte surfaces have relief, since Mitsuba's bump map over a rough plastic
    gives NaN. ``roughness`` is the alpha of the microfacet distribution.
    """

    texture: Texture
    repeat: float
    relief: float
    gloss: str
    roughness: float


def draw_surface(
    rng: np.random.Generator, patterns: tuple[str, ...], repeat: tuple[float, float], gloss: str = 'matte'
) -> Material:
    """A material with one of the ``patterns``, laid at a size from the range ``repeat``."""
    pattern = patterns[int(rng.integers(len(patterns)))]
    return Material(
        texture=draw_texture(rng, pattern),
        repeat=rng.uniform(*repeat),
        relief=rng.uniform(0.02, 0.05),
        gloss=gloss,
        roughness=rng.uniform(0.08, 0.3),
    )
