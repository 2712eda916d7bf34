"""The path tracer: turns a scene into linear images with Mitsuba 3. Nothing else in the package touches Mitsuba."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from s3net_plugin.rendering.camera import Camera
from s3net_plugin.rendering.light import DIRECTIONS, sun_ray
from s3net_plugin.rendering.materials import Material
from s3net_plugin.rendering.meshes import Mesh
from s3net_plugin.rendering.stage import Scene

VARIANTS = ('scalar', 'llvm', 'auto')

_LLVM_PAYS_FROM = 256  # pixels; below, compiling the kernels takes longer than it saves
_PATH_DEPTH = 3  # light that has met at most two surfaces
_BLOCK = 16  # pixels; Mitsuba's own choice follows the number of cores, and its random numbers follow the blocks
_DEPTH_SPP = 16
_PROBE = """
import mitsuba as mi
mi.set_variant('llvm_ad_rgb')
import numpy as np
np.array(mi.render(mi.load_dict(mi.cornell_box()), spp=1))
"""


class Passes(NamedTuple):
    """``sun`` (8, H, W, 3), one image for each of DIRECTIONS, and ``sky`` (H, W, 3): linear radiance under white light.

    The sun's irradiance is pi and the radiance of the sky 1. ``depth`` (H, W) is the distance along the view axis, at
    most the scene's ``far``. ``background`` (H, W, 3) is what is seen of the scene's own sky, 0 without one.
    """

    sun: np.ndarray
    sky: np.ndarray
    depth: np.ndarray
    background: np.ndarray | float = 0.0


def llvm_trouble() -> str | None:
    """Why Mitsuba's LLVM variant does not work here, or None if a small render with it succeeds.

    Tried in a process of its own, because some versions of LLVM abort it.
    """
    probe = subprocess.run([sys.executable, '-c', _PROBE], capture_output=True, text=True)
    if probe.returncode == 0:
        return None
    if probe.returncode < 0:
        return f'LLVM ended the process with {signal.Signals(-probe.returncode).name}'
    return (probe.stderr.strip().splitlines() or [f'exit status {probe.returncode}'])[-1]


def choose_variant(wanted: str, size: int) -> str:
    """Mitsuba's name of the variant to use for ``wanted``, one of VARIANTS, and images of ``size`` pixels.

    Raises ImportError if Mitsuba is missing and RuntimeError if LLVM was asked for and does not work.
    """
    if importlib.util.find_spec('mitsuba') is None:
        raise ImportError("rendering needs Mitsuba 3, which is not installed; pip install 's3net_plugin[render]'")
    if wanted == 'scalar' or (wanted == 'auto' and size < _LLVM_PAYS_FROM):
        return 'scalar_rgb'
    trouble = llvm_trouble()
    if trouble is None:
        return 'llvm_ad_rgb'
    if wanted == 'auto':
        return 'scalar_rgb'
    raise RuntimeError(
        f'--variant llvm: a trial render failed ({trouble}); use --variant scalar, or install libLLVM 19 or newer and'
        ' name it in the environment variable DRJIT_LIBLLVM_PATH'
    )


class Tracer:
    """Mitsuba with one variant set; the variant is global to the process."""

    def __init__(self, variant: str) -> None:
        """``variant`` is Mitsuba's own name, as from ``choose_variant``."""
        mi: Any = importlib.import_module('mitsuba')
        mi.set_variant(variant)
        mi.set_log_level(mi.LogLevel.Error)
        self.mi = mi
        self.variant = variant

    def trace(
        self, scene: Scene, *, size: int, spp: int, seed: int, tick: Callable[[], object] = lambda: None
    ) -> Passes:
        """Render ``scene`` at ``size`` x ``size`` pixels with ``spp`` (a square number) paths a pixel.

        The same arguments give the same images, whatever the number of processor cores. ``tick`` is called after
        each of the eight directions.

        Raises RuntimeError if an image holds a value that is not finite.
        """
        mi = self.mi
        shapes = {f'shape{i}': self.shape(s.mesh, s.material) for i, s in enumerate(scene.surfaces)}
        sensor = self.sensor(scene.camera, size, spp)
        path = mi.load_dict({'type': 'path', 'max_depth': _PATH_DEPTH, 'block_size': _BLOCK})
        white = {'type': 'rgb', 'value': [np.pi] * 3}
        sun_light = {'type': 'directional', 'direction': [0, 0, -1], 'irradiance': white}
        sunny = mi.load_dict({'type': 'scene', **shapes, 'sun': sun_light})
        parameters = mi.traverse(sunny)
        sun = np.empty((len(DIRECTIONS), size, size, 3), dtype=np.float32)
        for index, direction in enumerate(DIRECTIONS):
            ray = sun_ray(direction, scene.elevation)
            parameters['sun.to_world'] = mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=ray, up=[0, 0, 1])
            parameters.update()
            sun[index] = np.array(mi.render(sunny, sensor=sensor, integrator=path, seed=seed + index))
            tick()
        sky_light = {'type': 'constant', 'radiance': {'type': 'rgb', 'value': 1.0}}
        cloudy = mi.load_dict({'type': 'scene', **shapes, 'sky': sky_light})
        background: np.ndarray | float = 0.0
        if scene.sky is not None:
            path = mi.load_dict({'type': 'path', 'max_depth': _PATH_DEPTH, 'block_size': _BLOCK, 'hide_emitters': True})
            background = self._open_share(sunny, scene.camera, size, spp, seed) * scene.sky.view(scene.camera, size)
        sky = np.array(mi.render(cloudy, sensor=sensor, integrator=path, seed=seed + len(DIRECTIONS)))
        aov = mi.load_dict({'type': 'aov', 'aovs': 'p:position', 'block_size': _BLOCK})
        solid = cloudy
        if scene.sky is not None:  # a sphere around the camera that every ray meets, beyond the end of depth
            end = {'type': 'sphere', 'center': scene.camera.origin.tolist(), 'radius': 2 * scene.far}
            solid = mi.load_dict({'type': 'scene', **shapes, 'end': {**end, 'flip_normals': True}})
        with self._one_thread():
            position = np.array(mi.render(solid, sensor=sensor, integrator=aov, seed=seed, spp=min(spp, _DEPTH_SPP)))
        depth = np.minimum((position - scene.camera.origin) @ scene.camera.axes()[2], scene.far)
        if not (np.isfinite(sun).all() and np.isfinite(sky).all() and np.isfinite(depth).all()):
            raise RuntimeError('the path tracer gave values that are not finite; this is a bug in the scene generator')
        return Passes(sun, sky.astype(np.float32), depth.astype(np.float32), background)

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """The scalar ``aov`` integrator's threads wait for each other: two take four times as long as one."""
        drjit: Any = importlib.import_module('drjit')
        threads = drjit.thread_count()
        if self.variant.startswith('scalar'):
            drjit.set_thread_count(1)
        try:
            yield
        finally:
            drjit.set_thread_count(threads)

    def _open_share(self, scene: Any, camera: Camera, size: int, spp: int, seed: int) -> np.ndarray:
        """The share (H, W, 1) of each pixel where no surface is in view, from the opacity of a quick pass."""
        quick = self.mi.load_dict({'type': 'depth', 'block_size': _BLOCK})
        sensor = self.sensor(camera, size, spp, pixel_format='rgba')
        return 1 - np.array(self.mi.render(scene, sensor=sensor, integrator=quick, seed=seed))[..., 3:]

    def sensor(self, camera: Camera, size: int, spp: int, pixel_format: str = 'rgb') -> Any:
        """The camera as a Mitsuba sensor with ``size`` x ``size`` pixels; a pixel averages what falls on it alone."""
        film = {'type': 'hdrfilm', 'width': size, 'height': size, 'rfilter': {'type': 'box'}}
        film |= {'pixel_format': pixel_format, 'component_format': 'float32'}
        to_world = self.mi.ScalarTransform4f().look_at(
            origin=camera.origin.tolist(), target=camera.target.tolist(), up=camera.axes()[1].tolist()
        )
        sampler = {'type': 'multijitter', 'sample_count': spp}
        sensor = {'type': 'perspective', 'fov': camera.fov, 'to_world': to_world, 'sampler': sampler, 'film': film}
        return self.mi.load_dict(sensor)

    def _bitmap(self, values: np.ndarray) -> dict[str, Any]:
        content = np.ascontiguousarray(values if values.ndim == 3 else values[..., None])
        return {'type': 'bitmap', 'bitmap': self.mi.Bitmap(content), 'raw': True}

    def _bsdf(self, material: Material) -> Any:
        colour = self._bitmap(material.texture.albedo)
        if material.gloss == 'plastic':
            inner = {'type': 'roughplastic', 'diffuse_reflectance': colour, 'alpha': material.roughness}
        elif material.gloss == 'metal':
            inner = {'type': 'roughconductor', 'specular_reflectance': colour, 'alpha': material.roughness}
            inner['material'] = 'none'
        else:
            inner = {'type': 'bumpmap', 'relief': self._bitmap(material.texture.height), 'scale': material.relief}
            inner['surface'] = {'type': 'diffuse', 'reflectance': colour}
        return self.mi.load_dict({'type': 'twosided', 'inner': inner})

    def shape(self, mesh: Mesh, material: Material) -> Any:
        """The mesh as a Mitsuba shape that wears the material."""
        mi = self.mi
        properties = mi.Properties()
        properties['bsdf'] = self._bsdf(material)
        has = {'has_vertex_normals': True, 'has_vertex_texcoords': True}
        shape = mi.Mesh('surface', len(mesh.vertices), len(mesh.faces), props=properties, **has)
        parameters = mi.traverse(shape)
        parameters['vertex_positions'] = np.ravel(mesh.vertices).astype(np.float32)
        parameters['vertex_normals'] = np.ravel(mesh.normals).astype(np.float32)
        parameters['vertex_texcoords'] = np.ravel(mesh.texcoords / material.repeat).astype(np.float32)
        parameters['faces'] = np.ravel(mesh.faces).astype(np.uint32)
        parameters.update()
        return shape
