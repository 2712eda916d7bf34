"""The page of the app."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from s3net_plugin.app.service import RelightService
from s3net_plugin.data.scene_index import DEPTH_SUFFIXES
from s3net_plugin.relight.lights import COOLEST, DEFAULT_TEMPERATURE, WARMEST, Light
from s3net_plugin.rendering.light import DIRECTIONS

# Fonts that every system has, so that the page asks no other server for anything.
THEME = gr.themes.Soft(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])
_PLACES = {'NW': '1/1', 'N': '1/2', 'NE': '1/3', 'W': '2/1', 'E': '2/3', 'SW': '3/1', 'S': '3/2', 'SE': '3/3'}
CSS = """
#compass .wrap { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
#compass label { justify-content: center; }
#compass input { display: none; }
#compass label span { margin: 0; padding: 0; }
""" + '\n'.join(
    f'#compass label:nth-child({index}) {{ grid-area: {_PLACES[name]}; }}' for index, name in enumerate(DIRECTIONS, 1)
)
_SUN, _GUIDE = 'Choose the sun', 'Take it from a guide photo'
_FIRST_DIRECTION = 'W'  # the sun of the sample photo stands elsewhere
_KEEP_SECONDS = 3600  # of what was uploaded and made


def build_page(service: RelightService) -> gr.Blocks:
    """Return the page, on which every upload and result lives for an hour."""
    with gr.Blocks(title='S3Net relighting', analytics_enabled=False, delete_cache=(600, _KEEP_SECONDS)) as page:
        gr.Markdown(
            '# Relight a photo\nChoose where the sun is to stand and its colour, or take the light of a guide photo.'
        )
        with gr.Row():
            with gr.Column():
                photo = _photo('Photo')
                sample = gr.Button('Try the sample photo', size='sm')
                with _depth_of('photo', service):
                    photo_depth = _depth(photo)
                    colour_only = gr.Checkbox(
                        label='Colour only (no depth): shadows stay where they are', visible=not service.has_estimator
                    )
                sample.click(service.sample, None, [photo, photo_depth], show_progress='hidden')
            if service.needs_guide:
                with gr.Column():
                    light = _light(service)
        button = gr.Button('Relight', variant='primary')
        slider = gr.ImageSlider(label='Before and after', interactive=False, format='png', buttons=['fullscreen'])
        download = gr.DownloadButton('Download in full size', interactive=False)
        inputs = [photo, photo_depth, colour_only, *(light if service.needs_guide else [])]
        button.click(_relight(service), inputs, [slider, download], concurrency_limit=1)
    return page


def _photo(label: str) -> gr.Image:
    photo = gr.Image(
        label=label, type='filepath', image_mode=None, sources=['upload', 'clipboard'], format='png', height=320
    )
    # A subclass would do, but Gradio writes a stub beside the module of each.
    photo.preprocess = _path_as_it_is  # type: ignore[method-assign]
    return photo


def _path_as_it_is(payload: Any) -> str | None:
    """Hand over the uploaded file: Gradio would open it with Pillow, which opens less than ``read_photo`` reads."""
    return payload.path if payload else None


def _depth_of(name: str, service: RelightService) -> gr.Accordion:
    need = 'estimated if there is none' if service.has_estimator else 'needed: there is no depth model here'
    return gr.Accordion(f'Depth of the {name} ({need})', open=not service.has_estimator)


def _depth(photo: gr.Image) -> gr.File:
    depth = gr.File(label='VIDIT .npy, PNG or OpenEXR; far is large', file_types=list(DEPTH_SUFFIXES), height=120)
    # The depth of one photo must not stay for the next. It is cleared in the browser: the server's answer could come
    # after the next photo's depth, and clear that.
    gr.on([photo.upload, photo.clear], None, None, depth, js='() => null')
    return depth


def _light(service: RelightService) -> list[Any]:
    """Lay out the choice of a light; return what ``_relight`` takes of it."""
    source = gr.Radio([_SUN, _GUIDE], value=_SUN, label='Light')
    with gr.Column() as by_sun:
        with gr.Row():
            direction = gr.Radio(
                list(DIRECTIONS),
                value=_FIRST_DIRECTION,
                label='Where the sun stands',
                info='N is the top of the picture; beside, this light on another scene',
                elem_id='compass',
            )
            preview = gr.Image(
                service.preview(_FIRST_DIRECTION, DEFAULT_TEMPERATURE),
                show_label=False,
                interactive=False,
                format='jpeg',
                height=220,
                buttons=[],
            )
        temperature = gr.Slider(
            WARMEST, COOLEST, DEFAULT_TEMPERATURE, step=100, label='Colour temperature, kelvin: warm to cool'
        )
        gr.on(
            [direction.change, temperature.release],
            service.preview,
            [direction, temperature],
            preview,
            show_progress='hidden',
        )
    with gr.Column(visible=False) as by_guide:
        guide = _photo('Guide')
        with _depth_of('guide', service):
            guide_depth = _depth(guide)
        if service.thumbnails:
            gallery = gr.Gallery(
                service.thumbnails,
                label='Guides',
                columns=4,
                fit_columns=False,
                height=200,
                allow_preview=False,
                interactive=False,
                buttons=[],
                format='png',
            )
            gallery.select(_offer(service), None, [guide, guide_depth], show_progress='hidden')
    source.change(
        lambda source: [gr.Column(visible=source == _SUN), gr.Column(visible=source == _GUIDE)],
        source,
        [by_sun, by_guide],
        show_progress='hidden',
    )
    return [source, direction, temperature, guide, guide_depth]


def _relight(service: RelightService) -> Any:
    def relight(
        photo: str | None,
        photo_depth: str | None,
        colour_only: bool,
        source: str = _GUIDE,
        direction: str | None = None,
        temperature: float = DEFAULT_TEMPERATURE,
        guide: str | None = None,
        guide_depth: str | None = None,
    ) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
        light = Light(direction, temperature) if source == _SUN else None
        try:
            result = service.relight(photo, photo_depth, guide, guide_depth, light=light, colour_only=colour_only)
        except (OSError, ValueError) as error:
            paths = (photo, photo_depth, guide, guide_depth)
            raise gr.Error(_without_folders(str(error), paths), print_exception=False) from error
        return (result.before, result.after), gr.DownloadButton(value=str(result.path), interactive=True)

    return relight


def _offer(service: RelightService) -> Any:
    def offer(event: gr.SelectData) -> tuple[np.ndarray, str | None]:
        guide, depth = service.offered_guide(event.index)
        return guide, str(depth) if depth else None

    return offer


def _without_folders(message: str, paths: tuple[str | None, ...]) -> str:
    """The message with names for paths: where uploads are kept is nobody's business."""
    for path in paths:
        if path:
            message = message.replace(path, path.replace('\\', '/').rpartition('/')[2])
    return message
