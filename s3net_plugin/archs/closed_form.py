"""Relighting without a network: the sun's shading and shadows are divided out and put back from another direction."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.archs.shading import (
    CueSettings,
    bring_to_grid,
    decode_srgb,
    encode_srgb,
    estimate_light,
    shading_cues,
)
from s3net_plugin.rendering.light import TEMPERATURES, temperature_rgb

LightColours = Literal['measured', 'black_body']

# Beside the sun's light, of strength 1: the sky, and what the cues get wrong. The light of the sky alone would be 0.12.
AMBIENT = 0.45
_DARK = 1e-3
_COLOURS = torch.tensor([temperature_rgb(kelvin).tolist() for kelvin in TEMPERATURES]).log()  # linear, equally bright
_RATIOS = (_COLOURS[:, None] - _COLOURS).flatten(0, 1).tolist()  # a list, since a compiler takes it for a constant
_TOLERANCE = 0.1  # squared distance of logarithms of colours within which two ratios are about as likely


class Relit(NamedTuple):
    """``image`` (N, 3, H, W): the input under the guide's light; sRGB in [0, 1].

    ``input_shading`` and ``target_shading`` (N, 1, H, W) in [0, 1] are how much of the sun falls on the input now and
    then.
    """

    image: Tensor
    input_shading: Tensor
    target_shading: Tensor


def _sun_colour(rgb: Tensor, shading: Tensor) -> Tensor:
    """The mean colour (N, 3, 1, 1) of sRGB (N, 3, S, S) where the sun falls, by ``shading`` (N, 1, S, S)."""
    lit = (decode_srgb(rgb) * shading).mean((2, 3), keepdim=True)
    return lit / shading.mean((2, 3), keepdim=True).clamp_min(_DARK)


def black_body_ratio(ratio: Tensor) -> Tensor:
    """Ratio of the colours of two black bodies, equally bright, that is like a measured ``ratio``, both (N, 3, 1, 1).

    A mean over those of VIDIT's temperatures, 2500 to 6500 K, weighted by how near they are. What surfaces of the two
    scenes differ in, brightness and the colours that no sun or lamp has, drops out.

    Example:
        >>> black_body_ratio(torch.full((1, 3, 1, 1), 4.0)).flatten()  # a guide that is exposed longer
        tensor([1., 1., 1.])
    """
    logarithm = ratio.clamp_min(_DARK).log().flatten(1)
    candidates = logarithm.new_tensor(_RATIOS)
    difference = logarithm[:, None] - candidates
    distance = (difference - difference.mean(-1, keepdim=True)).square().sum(-1)
    return (torch.softmax(-distance / _TOLERANCE, dim=1) @ candidates).exp()[..., None, None]


def relight_closed_form(
    x: Tensor,
    settings: CueSettings | None = None,
    *,
    ambient: float = AMBIENT,
    light_colours: LightColours = 'black_body',
) -> Relit:
    """Closed-form relighting of the input as the guide is lit, without weights.

    With s the shading of a scene under its light and linear values throughout,
    ``relit = input * c * (s_target + a) / (s_input + a)``, where ``c`` is the ratio of the two suns' colours, estimated
    from those of the guide and of the input where their suns fall. A flat depth map leaves ``c`` alone.

    Args:
        x: (N, 8, H, W): input RGB, input depth, guide RGB, guide depth, in [0, 1].
        settings: Grid, camera and sun of the cues.
        ambient: a, above 0; large values change less.
        light_colours: c is the ratio as it is measured, or the nearest that two black bodies have.

    Example:
        >>> relight_closed_form(torch.rand(1, 8, 48, 64)).image.shape
        torch.Size([1, 3, 48, 64])
    """
    settings = settings or CueSettings()
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        rgb, guide = x[:, :3], x[:, 4:7]
        cues = shading_cues(torch.cat((x[:, 3:4], x[:, 7:8])), settings)
        small = bring_to_grid(torch.cat((rgb, guide)), settings.size).clamp(0, 1)
        input_light, guide_light = estimate_light(small, cues).chunk(2)
        of_input, of_guide = cues.chunk(2)
        before, after, there = (
            torch.einsum('nlhw,nl->nhw', cue, light)[:, None]
            for cue, light in ((of_input, input_light), (of_input, guide_light), (of_guide, guide_light))
        )
        small_rgb, small_guide = small.chunk(2)
        colour = _sun_colour(small_guide, there) / _sun_colour(small_rgb, before).clamp_min(_DARK)
        if light_colours == 'black_body':
            colour = black_body_ratio(colour)
        both = torch.cat((before, after), dim=1)
        both = F.interpolate(both, rgb.shape[-2:], mode='bilinear', align_corners=False)
        before, after = both[:, :1], both[:, 1:]
        relit = encode_srgb(decode_srgb(rgb) * colour * ((after + ambient) / (before + ambient)))
    return Relit(relit, before, after)


class ClosedForm(nn.Module):
    """Closed-form relighting where a network is expected: (N, 8, H, W) -> (N, 3, H, W) in [0, 1]."""

    input_channels = 8
    size_requirements = S3Net.size_requirements  # so that one can stand for the other

    def __init__(self, cues: CueSettings | None = None) -> None:
        super().__init__()
        self.cues = cues or CueSettings()

    def forward(self, x: Tensor) -> Tensor:
        return relight_closed_form(x, self.cues).image
