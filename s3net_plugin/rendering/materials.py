"""What a surface is made of: a texture, the size at which it is laid, its relief and its gloss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from s3net_plugin.rendering.textures import Texture, draw_texture

GROUND_PATTERNS = ('brick', 'tile', 'plank', 'soil', 'cobble', 'plaster')
WALL_PATTERNS = ('brick', 'plank', 'plaster', 'rust', 'cobble', 'tile')
OBJECT_PATTERNS = ('brick', 'tile', 'plank', 'plaster', 'marble', 'rock', 'stripes', 'rust')

# share of the materials of objects; relief only goes with 'matte', since Mitsuba's bump map over a rough plastic
# gives NaN
GLOSS_SHARES = {'matte': 0.75, 'plastic': 0.18, 'metal': 0.07}


class Material(NamedTuple):
    """``repeat`` is the side of one copy of the texture and ``relief`` the height of its bumps, in world units.

    ``gloss`` is a key of GLOSS_SHARES; ``roughness`` is the alpha of the microfacet distribution.
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


def draw_ground(rng: np.random.Generator) -> Material:
    """Matte: a glossy ground turns white when the sun stands opposite the camera."""
    return draw_surface(rng, GROUND_PATTERNS, (3.0, 5.0))


def draw_wall(rng: np.random.Generator) -> Material:
    """A matte material with a pattern that suits large upright faces."""
    return draw_surface(rng, WALL_PATTERNS, (2.0, 3.5))


def draw_material(rng: np.random.Generator) -> Material:
    """A material for an object, mostly matte."""
    gloss = rng.choice(list(GLOSS_SHARES), p=list(GLOSS_SHARES.values()))
    return draw_surface(rng, OBJECT_PATTERNS, (1.2, 2.4), str(gloss))
