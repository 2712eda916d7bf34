"""S3Net that starts from shadows moved by arithmetic on the depth map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import nn

from s3net_plugin.archs.closed_form import AMBIENT, LightColours, relight_closed_form
from s3net_plugin.archs.s3net_arch import S3Net
from s3net_plugin.archs.shading import CueSettings, check_cue_settings


class ShadingGuidedS3Net(S3Net):
    """S3Net after a closed form that moves shadows, (N, 8, H, W) -> (N, 3, H, W) in (-1, 2), to be clipped to [0, 1].

    The channels are S3Net's. Before the network ``relight_closed_form`` finds both suns and moves shading and cast
    shadows; S3Net then sees the relit picture, the 8 channels and the input's shading before and after, 13 in all, and
    what it gives is added to the relit picture. Its last layer starts at zero, so that an untrained network gives the
    closed form, and training cannot begin below it.

    The cues need the whole frame: a crop loses what casts its shadows.

    Args:
        encoder, encoder_weights, upsampling: As for S3Net.
        cue_size: Side of the grid on which shading is computed.
        far_over_near: How many times farther than the nearest point the farthest is assumed to be.
        field_of_view: Of the camera, along the longer side, degrees.
        pitch: Of the camera, how far it looks down, degrees.
        elevation: Of the sun, degrees.
        ambient: The light that shadows keep, in units of the sun's; see ``relight_closed_form``.
        light_colours: How the closed form takes the colour of the guide's light: see there. ``black_body`` is the
            better one; checkpoints that do not name it were trained with ``measured``.

    Raises:
        ValueError: An option, or the shape of the input, does not fit; the message says which and what would.
        FileNotFoundError: The encoder's weights are not there or cannot be downloaded.

    Example:
        >>> x = torch.rand(1, 8, 48, 64)
        >>> network = ShadingGuidedS3Net(encoder='resnet10t', light_colours='black_body').eval()  # untrained
        >>> torch.equal(network(x), relight_closed_form(x).image)
        True
    """

    needs_whole_frames = True

    def __init__(
        self,
        *,
        encoder: str = 'res2net101d',
        encoder_weights: str | None = None,
        upsampling: Sequence[str] = ('pixel_shuffle', 'pixel_shuffle', 'transposed_conv', 'transposed_conv'),
        cue_size: int = CueSettings().size,
        far_over_near: float = CueSettings().far_over_near,
        field_of_view: float = CueSettings().field_of_view,
        pitch: float = CueSettings().pitch,
        elevation: float = CueSettings().elevation,
        ambient: float = AMBIENT,
        light_colours: LightColours = 'measured',
    ) -> None:
        cues = CueSettings(cue_size, far_over_near, field_of_view, pitch, elevation)
        check_cue_settings(cues)
        if not ambient > 0:
            raise ValueError(f'ambient: {ambient} must be more than 0')
        if light_colours not in get_args(LightColours):
            raise ValueError(f'light_colours: {light_colours!r} is none of {", ".join(get_args(LightColours))}')
        super().__init__(in_channels=13, encoder=encoder, encoder_weights=encoder_weights, upsampling=upsampling)
        self.input_channels = 8
        self.cues = cues
        self.ambient = ambient
        self.light_colours: LightColours = light_colours
        for parameter in self.conv_last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.check_input(x)
        relit = relight_closed_form(x, self.cues, ambient=self.ambient, light_colours=self.light_colours)
        y = self.translate(torch.cat((relit.image, x, relit.input_shading, relit.target_shading), dim=1))
        return relit.image + torch.tanh(y)
