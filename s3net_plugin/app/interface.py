"""The page of the app."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from s3net_plugin.app.studio import Studio
from s3net_plugin.data.scene_index import DEPTH_SUFFIXES

# Fonts that every system has, so that the page asks no other server for anything.
THEME = gr.themes.Soft(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])
_KEEP_SECONDS = 3600  # of what was uploaded and made


def build_page(studio: Studio) -> gr.Blocks:
    """Return the page, on which every upload and result lives for an hour."""
    with gr.Blocks(title='S3Net relighting', analytics_enabled=False, delete_cache=(600, _KEEP_SECONDS)) as page:
        gr.Markdown('# Relight a photo\nThe photo is shown under the light of the guide.')
        with gr.Row():
            with gr.Column():
                photo, photo_depth = _photo_with_depth('Photo', studio)
            if studio.needs_guide:
                with gr.Column():
                    guide, guide_depth = _photo_with_depth('Guide', studio)
                    if studio.thumbnails:
                        gallery = gr.Gallery(
                            studio.thumbnails,
                            label='Guides',
                            columns=4,
                            fit_columns=False,
                            height=200,
                            allow_preview=False,
                            interactive=False,
                            buttons=[],
                            format='png',
                        )
                        gallery.select(_offer(studio), None, [guide, guide_depth], show_progress='hidden')
        button = gr.Button('Relight', variant='primary')
        slider = gr.ImageSlider(label='Before and after', interactive=False, format='png', buttons=['fullscreen'])
        download = gr.DownloadButton('Download in full size', interactive=False)
        inputs = [photo, photo_depth, *([guide, guide_depth] if studio.needs_guide else [])]
        button.click(_relight(studio), inputs, [slider, download], concurrency_limit=1)
    return page


def _photo_with_depth(label: str, studio: Studio) -> tuple[gr.Image, gr.File]:
    photo = gr.Image(
        label=label, type='filepath', image_mode=None, sources=['upload', 'clipboard'], format='png', height=320
    )
    need = 'estimated if there is none' if studio.has_estimator else 'needed: there is no depth model here'
    with gr.Accordion(f'Depth of the {label.lower()} ({need})', open=not studio.has_estimator):
        depth = gr.File(label='VIDIT .npy, PNG or OpenEXR; far is large', file_types=list(DEPTH_SUFFIXES), height=120)
    # The depth of one photo must not stay for the next. It is cleared in the browser: the server's answer could come
    # after the next photo's depth, and clear that.
    gr.on([photo.upload, photo.clear], None, None, depth, js='() => null')
    return photo, depth


def _relight(studio: Studio) -> Any:
    def relight(*paths: str | None) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
        try:
            result = studio.relight(*paths)
        except (OSError, ValueError) as error:
            raise gr.Error(_without_folders(str(error), paths), print_exception=False) from error
        return (result.before, result.after), gr.DownloadButton(value=str(result.path), interactive=True)

    return relight


def _offer(studio: Studio) -> Any:
    def offer(event: gr.SelectData) -> tuple[np.ndarray, str | None]:
        guide, depth = studio.offered_guide(event.index)
        return guide, str(depth) if depth else None

    return offer


def _without_folders(message: str, paths: tuple[str | None, ...]) -> str:
    """The message with names for paths: where uploads are kept is nobody's business."""
    for path in paths:
        if path:
            message = message.replace(path, path.replace('\\', '/').rpartition('/')[2])
    return message
