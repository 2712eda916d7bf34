"""What the app lets in and out, asked without a browser."""

import json
import socket
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.conftest import RENDERED


def post(url, body, content_type='application/json'):
    return urlopen(Request(url, body, {'Content-Type': content_type}), timeout=60).read().decode()


def upload(app, content, name):
    head = f'--frontier\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b'\r\n--frontier--\r\n'
    return json.loads(post(f'{app}/gradio_api/upload', body, 'multipart/form-data; boundary=frontier'))[0]


def upload_rendered(app, *names):
    return [upload(app, (RENDERED / f'{name}.png').read_bytes(), f'{name}.png') for name in names]


def call(app, *paths, source='Take it from a guide photo', direction='E'):
    """Press the button with files that are already on the server; return what the server says in the end."""
    files = [path and {'path': str(path), 'meta': {'_type': 'gradio.FileData'}} for path in paths]
    data = [*files[:2], False, source, direction, 4500, *files[2:]]
    event = json.loads(post(f'{app}/gradio_api/call/relight', json.dumps({'data': data}).encode()))['event_id']
    return urlopen(f'{app}/gradio_api/call/relight/{event}', timeout=60).read().decode()


@pytest.mark.parametrize('inside', ['guides/evening.png', 'guides/secret.txt', 'guide_depth/evening.png'])
def test_no_file_outside_its_own_folder_is_served(app, guide_folders, checkpoint, inside):
    for path in (guide_folders / inside, checkpoint, Path(__file__), '/etc/passwd', '../../etc/passwd'):
        with pytest.raises(HTTPError) as caught:
            urlopen(f'{app}/gradio_api/file={path}')
        assert caught.value.code in (403, 404)


def test_uploads_are_served_back_but_lead_nowhere_else(app):
    path = upload(app, b'content', '../../../escaped.png')
    assert path.endswith('escaped.png')
    assert '..' not in path
    assert urlopen(f'{app}/gradio_api/file={path}').read() == b'content'
    with pytest.raises(HTTPError):
        urlopen(f'{app}/gradio_api/file={Path(path).parents[2]}/log')


def test_large_uploads_are_refused(app):
    with pytest.raises(HTTPError) as caught:
        upload(app, bytes(2 * 2**20 + 1), 'large.png')
    assert caught.value.code == 413


def test_relight_takes_uploaded_files_only(app, guide_folders):
    names = ('scene_4500_E', 'scene_depth', 'guide_2500_NW', 'guide_depth')
    photo, depth, guide, guide_depth = upload_rendered(app, *names)
    assert 'event: complete' in call(app, photo, depth, guide, guide_depth)
    for stranger in (guide_folders / 'guides/evening.png', RENDERED / 'scene_4500_E.png', '/etc/passwd'):
        assert 'event: error' in call(app, photo, depth, stranger, guide_depth)


@pytest.mark.parametrize('kind', ['heic', '16-bit TIFF'])
def test_photos_that_gradio_does_not_open_are_relit(app, tmp_path, kind):
    rgb = np.asarray(Image.open(RENDERED / 'scene_4500_E.png').convert('RGB'))
    if kind == 'heic':
        heif = pytest.importorskip('pillow_heif', reason="needs the extra 'heif'")
        path = tmp_path / 'photo.heic'
        heif.from_pillow(Image.fromarray(rgb)).save(path)
    else:
        path = tmp_path / 'photo.tif'
        tifffile.imwrite(path, rgb.astype(np.uint16) * 257, photometric='rgb')
    photo = upload(app, path.read_bytes(), path.name)
    answer = call(app, photo, *upload_rendered(app, 'scene_depth'), None, None, source='Choose the sun')
    assert 'event: complete' in answer
    assert ('photo_relit.png' if kind == 'heic' else 'photo_relit.tif') in answer


def test_a_light_by_name_is_one_of_those_in_the_package(app):
    files = (*upload_rendered(app, 'scene_4500_E', 'scene_depth'), None, None)
    assert 'event: complete' in call(app, *files, source='Choose the sun', direction='SW')
    assert 'event: error' in call(app, *files, source='Choose the sun', direction='../../../tests/assets/rendered/x')


def test_too_many_pixels_are_refused(app, tmp_path):
    Image.new('RGB', (1200, 1000)).save(tmp_path / 'wide.png')
    photo = upload(app, (tmp_path / 'wide.png').read_bytes(), 'wide.png')
    answer = call(app, photo, None, *upload_rendered(app, 'guide_2500_NW', 'guide_depth'))
    assert 'wide.png: more than 1 megapixels' in answer
    assert '/wide.png' not in answer


def test_only_this_machine_is_served(app):
    port = f'{urlsplit(app).port:04X}'
    tables = ''.join(Path(f'/proc/net/{name}').read_text() for name in ('tcp', 'tcp6'))
    lines = [line.split() for line in tables.splitlines()]
    listening = [fields[1].split(':')[0] for fields in lines if fields[3] == '0A' and fields[1].endswith(f':{port}')]
    assert listening == [socket.inet_aton('127.0.0.1')[::-1].hex().upper()]
