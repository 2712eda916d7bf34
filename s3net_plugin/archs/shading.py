"""Where the sun's light falls, from the depth map: shading and cast shadows under eight directions of the sun.

Depth says where shadows must go. Screen-space ray marching finds them: from every point towards the sun, is there
something in the picture that stands in the way? (Griffiths et al., "OutCast", Eurographics 2022, relights photos with
it.) It is done here in epipolar coordinates (Engelhardt and Dachsbacher, I3D 2010), which are spherical ones around the
sun: rays to the sun are rows there, and a row is marched by shifting it, without any look-up.

Everything is computed on a small square grid, whatever the size of the picture. The camera looks down on the scene at
an assumed angle; directions are those of VIDIT, N from the top of the picture (away from the camera) and E from its
right, clockwise. Images are sRGB in [0, 1], depth is in [0, 1] with 1 the farthest point, all in float32.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from s3net_plugin.rendering.light import LUMINANCE

_LUMINANCE = LUMINANCE.tolist()
# Lengths are in units of the distance to the nearest point.
_BIAS = 0.012  # an occluder is at least so much nearer than the ray
_THICKNESS = 0.4  # and less than so much, since it has a back
_SOFTNESS = 0.006  # over which an edge goes from lit to dark
_CACHED = 2**17  # points at a time: a few arrays of them fit into the second-level cache of a core
_NOTHING = 1e3  # the height of what is outside of the picture, where nothing occludes
# Of the estimate of the light
_SHARPNESS = 30.0  # of the softmax over sums of correlations
_WINDOWS = (3, 12)  # across the frame: areas differ in colour more than in light, edges of shadows do not
_DARK_CUE, _DARK_LUMINANCE = 0.12, 0.05  # added before logarithms
_EPS = 1e-6  # of variances: what varies less says nothing


class CueSettings(NamedTuple):
    """The grid, and what a depth map does not say of camera and sun.

    ``size`` is the side of the grid in points; ``far_over_near`` how many times farther the farthest point is than the
    nearest; ``field_of_view`` of the longer side, ``pitch`` of the camera (how far it looks down) and ``elevation`` of
    the sun are in degrees.
    """

    size: int = 96
    far_over_near: float = 4.0
    field_of_view: float = 41.0
    pitch: float = 35.0
    elevation: float = 40.0


def check_cue_settings(settings: CueSettings) -> None:
    """Raise ValueError, naming the option, if the cues cannot be computed with ``settings``."""
    if settings.size < 16:
        raise ValueError(f'cue_size: {settings.size}; at least 16 are needed')
    if not 1 < settings.far_over_near < math.inf:
        raise ValueError(f'far_over_near: {settings.far_over_near} must be more than 1')
    for name, low, high in (('field_of_view', 1, 150), ('pitch', -60, 90), ('elevation', 1, 89)):
        value = getattr(settings, name)
        if not low <= value <= high:
            raise ValueError(f'{name}: {value} must be from {low} to {high} degrees')


def light_vectors(pitch: float, elevation: float) -> Tensor:
    """Light vectors: of unit length, towards the sun from each of DIRECTIONS (of ``rendering.light``), (8, 3).

    They are in the camera's axes: right, down, forward.

    Args:
        pitch: How far the camera looks down, degrees.
        elevation: Of the sun above the horizon, degrees.
    """
    down, height = math.radians(pitch), math.radians(elevation)
    azimuth = torch.arange(8) * (math.pi / 4)
    right = torch.tensor([1.0, 0.0, 0.0])
    away = torch.tensor([0.0, -math.sin(down), math.cos(down)])
    up = torch.tensor([0.0, -math.cos(down), -math.sin(down)])
    level = azimuth.sin()[:, None] * right + azimuth.cos()[:, None] * away
    return math.cos(height) * level + math.sin(height) * up


class _Epipolar(NamedTuple):
    """The camera's rays, and the way between the picture and the spherical coordinates around each sun.

    ``rays`` (S, S, 3) have length 1 along the view axis. Polar grids have A angles around the sun and S away from it:
    ``there`` (8, A, S, 2) is where to look in the picture for each of their points, ``inside`` (8, 1, A, S) whether
    that is in it, ``back`` (8, S, S, 2) where to look in the polar grid. ``sine`` (8, 1, 1, S) is that of the angle to
    the sun and ``height`` (8, 1, A, S) the distance from the line through camera and sun of a point at depth 1.
    """

    lights: Tensor
    rays: Tensor
    there: Tensor
    inside: Tensor
    back: Tensor
    sine: Tensor
    height: Tensor


def _epipolar(settings: CueSettings, height: Any, width: Any, device: torch.device) -> _Epipolar:
    size = settings.size
    lights = light_vectors(settings.pitch, settings.elevation).to(device)
    centres = ((torch.arange(size, device=device) + 0.5) * (2 / size) - 1) * math.tan(
        math.radians(settings.field_of_view / 2)
    )
    longer = max(height, width) if isinstance(height, int) else torch.sym_max(height, width)
    v, u = torch.meshgrid(centres * (height / longer), centres * (width / longer), indexing='ij')
    rays = torch.stack((u, v, torch.ones_like(u)), dim=-1)
    half = torch.stack((u[0, -1], v[-1, 0])) * (size / (size - 1))  # the frame's edge is half a pixel further out

    # axes across the sun's direction, the first towards the middle of the picture
    view = torch.tensor([0.0, 0.0, 1.0], device=device)
    tie = torch.tensor([0.0, -1e-4, 0.0], device=device)  # decides where sun and view are in line
    first = view - (lights @ view)[:, None] * lights + tie
    first = F.normalize(first - (first * lights).sum(-1, keepdim=True) * lights, dim=-1)
    second = torch.linalg.cross(lights, first)

    directions = F.normalize(rays, dim=-1)
    across = (directions @ second.T).movedim(-1, 0), (directions @ first.T).movedim(-1, 0)
    away = (directions @ lights.T).movedim(-1, 0).clamp(-1, 1).acos()
    around = torch.atan2(*across)
    nearest, farthest = away.amin((1, 2)), away.amax((1, 2))
    widest = around.abs().amax((1, 2))
    scaled = (away - nearest[:, None, None]) / (farthest - nearest)[:, None, None] * 2 - 1
    back = torch.stack((scaled, around / widest[:, None, None]), dim=-1)

    angle = nearest[:, None] + (farthest - nearest)[:, None] * torch.linspace(0, 1, size, device=device)
    turn = widest[:, None] * torch.linspace(-1, 1, size * 4 // 3, device=device)
    sine = angle.sin()[:, None, :, None]
    circle = turn.cos()[:, :, None, None] * first[:, None, None] + turn.sin()[:, :, None, None] * second[:, None, None]
    polar = angle.cos()[:, None, :, None] * lights[:, None, None] + sine * circle
    forward = polar[..., 2].clamp_min(1e-3)
    there = polar[..., :2] / forward[..., None] / half
    inside = (polar[..., 2] > 1e-3) & (there.abs() <= 1).all(-1)
    sine = sine[..., 0].clamp_min(1e-3)
    return _Epipolar(lights, rays, there, inside[:, None], back, sine[:, None], (sine / forward)[:, None])


@functools.lru_cache(maxsize=32)
def _cached_epipolar(settings: CueSettings, height: int, width: int, device: torch.device) -> _Epipolar:
    with torch.inference_mode(False), torch.no_grad():
        view = _epipolar(settings, height, width, device)
    if device.type == 'cuda':
        torch.cuda.current_stream(device).synchronize()  # other threads take it, on streams of their own
    return view


def bring_to_grid(x: Tensor, size: int) -> Tensor:
    """Bilinear resize, antialiased, (N, C, H, W) -> (N, C, size, size)."""
    return F.interpolate(x, (size, size), mode='bilinear', antialias=True, align_corners=False)


def _visibility(distance: Tensor, view: _Epipolar) -> Tensor:
    """Whether each sun is seen from each point, (8, N, S, S) in [0, 1], for distances (N, 1, S, S) along the view axis.

    A ray towards the sun keeps its distance from the line through the camera and the sun. So a point is in shadow if,
    in its row of the polar grid and nearer to the sun, another lies a little closer to that line.
    """
    # planes are straight in the reciprocal of distance
    inverse = distance.reciprocal().transpose(0, 1)
    per_sun = (view.there, view.inside, view.back, view.sine, view.height)
    suns = len(view.there)
    if distance.device.type == 'cpu' and not torch.compiler.is_compiling():
        # A batch is marched a few suns at a time, within the caches: the same numbers in a third of the time.
        suns = max(1, _CACHED // distance.numel())
    parts = zip(*(values.split(suns) for values in per_sun), strict=True)
    return torch.cat([_march(inverse, *part) for part in parts])


def _march(inverse: Tensor, there: Tensor, inside: Tensor, back: Tensor, sine: Tensor, height: Tensor) -> Tensor:
    """The visibility of some of the suns; ``inverse`` is (1, N, S, S), the others are those of ``_Epipolar``."""
    size = inverse.shape[-1]
    reach = size // 2  # how far to look, in points of the grid
    inverse = inverse.expand(len(there), -1, -1, -1)
    height = height / F.grid_sample(inverse, there, mode='bilinear', padding_mode='border', align_corners=False)
    middle = height - (_THICKNESS + _BIAS) / 2 * sine
    others = F.pad(torch.where(inside, height, _NOTHING), (reach, 0), value=_NOTHING)
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        # The same as one reduction, which a compiler makes a loop of: unrolled, it takes twice as long to compile.
        gap = (middle[..., None] - others[..., :-1].unfold(-1, reach, 1)).abs().amin(-1)
    else:
        gap = (middle - others[..., reach - 1 : reach - 1 + size]).abs_()
        for step in range(2, reach + 1):
            gap = torch.minimum(gap, (middle - others[..., reach - step : reach - step + size]).abs_())
    occlusion = (((_THICKNESS - _BIAS) / 2 - gap / sine) / _SOFTNESS + 0.5).clamp(0, 1)
    return F.grid_sample(1 - occlusion, back, mode='bilinear', padding_mode='border', align_corners=True)


def surface_normals(points: Tensor) -> Tensor:
    """Surface normals (N, 3, H, W) of points (N, 3, H, W), which face the camera, by central differences."""
    padded = F.pad(points, (1, 1, 1, 1), mode='replicate')
    along = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    normal = torch.linalg.cross(down, along, dim=1)
    return normal / (normal.square().sum(1, keepdim=True) + 1e-12).sqrt()


def shading_and_visibility(depth: Tensor, settings: CueSettings) -> tuple[Tensor, Tensor]:
    """Shading and visibility, the two factors of ``shading_cues``, each (N, 8, S, S) in [0, 1]."""
    height, width = depth.shape[-2:]
    if torch.jit.is_tracing():  # sizes are tensors there
        height, width = int(height), int(width)
    make = _epipolar if torch.compiler.is_compiling() else _cached_epipolar
    view = make(settings, height, width, depth.device)
    distance = 1 + (settings.far_over_near - 1) * bring_to_grid(depth, settings.size)
    visibility = _visibility(distance, view).transpose(0, 1)
    normals = surface_normals(distance * view.rays.permute(2, 0, 1))
    shading = torch.einsum('nchw,lc->nlhw', normals, view.lights).clamp_min(0)
    return shading, visibility


def shading_cues(depth: Tensor, settings: CueSettings | None = None) -> Tensor:
    """Lambertian shading with cast shadows under the sun from each of DIRECTIONS, (N, 8, S, S) in [0, 1].

    It is the cosine between the surface and the light where the light is not blocked by something in the picture, and
    0 where it is. What is outside of the picture casts no shadow.

    Args:
        depth: (N, 1, H, W) in [0, 1], larger = farther.
        settings: Grid (S is its size), camera and sun.

    Example:
        >>> shading_cues(torch.rand(1, 1, 48, 64)).shape
        torch.Size([1, 8, 96, 96])
    """
    shading, visibility = shading_and_visibility(depth, settings or CueSettings())
    return shading * visibility


def decode_srgb(encoded: Tensor) -> Tensor:
    """sRGB decoding (IEC 61966-2-1): linear light of encoded values, both in [0, 1]."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded.clamp_min(0.04) + 0.055) / 1.055) ** 2.4)


def encode_srgb(linear: Tensor) -> Tensor:
    """sRGB encoding (IEC 61966-2-1) of linear light, which is clipped to [0, 1]."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(0.003) ** (1 / 2.4) - 0.055)


def _local_contrast(x: Tensor, windows: int) -> Tensor:
    """(N, C, S, S) less its mean in square windows, of which so many span the frame: (N, C, S * S), of mean 0."""
    size = x.shape[-1]
    radius = size // (2 * windows)
    padded = F.pad(torch.eye(size, device=x.device)[None], (radius, radius), mode='replicate')
    average = F.avg_pool1d(padded, 2 * radius + 1, stride=1)[0]  # along an axis, as a matrix
    mean = average.T @ x @ average
    contrast = (x - mean).flatten(2)
    return contrast - contrast.mean(-1, keepdim=True)


def estimate_light(rgb: Tensor, cues: Tensor) -> Tensor:
    """Light direction, estimated: how likely the sun stands in each of DIRECTIONS, (N, 8), rows adding up to 1.

    A softmax over the correlations between logarithms of luminance and of each cue, so that colours of surfaces,
    which the cues do not know, add to luminance and average out. They are taken less their means in windows of two
    sizes, and added up. Where the cues say nothing, all directions are as likely.

    Args:
        rgb: sRGB (N, 3, H, W) in [0, 1].
        cues: (N, 8, S, S) of ``shading_cues``.
    """
    linear = decode_srgb(bring_to_grid(rgb, cues.shape[-1]).clamp(0, 1))
    luminance = torch.einsum('nchw,c->nhw', linear, linear.new_tensor(_LUMINANCE))[:, None]
    seen, expected = (luminance + _DARK_LUMINANCE).log(), (cues + _DARK_CUE).log()
    correlation = torch.zeros_like(expected[..., 0, 0])
    for windows in _WINDOWS:
        one, other = _local_contrast(seen, windows), _local_contrast(expected, windows)
        power = (one.square().mean(-1) + _EPS) * (other.square().mean(-1) + _EPS)
        correlation = correlation + (one * other).mean(-1) / power.sqrt()
    return torch.softmax(_SHARPNESS * correlation, dim=1)
