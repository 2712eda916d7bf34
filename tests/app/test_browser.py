"""The app in a real browser, headless; skipped where there is no Chromium."""

import io
import re
import shutil
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from s3net_plugin.app.service import SAMPLE
from s3net_plugin.archs.load import load_network
from s3net_plugin.relight.lights import Light, guide_under
from s3net_plugin.relight.relighter import InputReader, Relighter
from tests.app.conftest import WORK_SIZE
from tests.conftest import RENDERED

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']
FLAGS += ['--disable-component-update', '--disable-sync']
PHOTO, DEPTH = RENDERED / 'scene_4500_E.png', RENDERED / 'scene_depth.png'


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    sync_api = pytest.importorskip('playwright.sync_api', reason='needs playwright')
    if CHROMIUM is None:
        pytest.skip('needs Chromium: apt-get install chromium')
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp('profile'), executable_path=CHROMIUM, args=FLAGS
        )
        context.set_default_timeout(60_000)
        yield context
        context.close()


@pytest.fixture
def page(browser, app):
    page = browser.new_page()
    page.asked = []
    page.on('request', lambda request: page.asked.append(request.url))
    page.goto(app, wait_until='domcontentloaded')
    page.get_by_role('button', name='Relight', exact=True).wait_for()
    yield page
    page.close()


def give_photo(page):
    page.locator('input[accept="image/*"]').first.set_input_files(PHOTO)
    page.locator('img[src$="scene_4500_E.png"]').wait_for()


def give_depth(page):
    page.locator('input[accept*=".npy"]').first.set_input_files(DEPTH)
    page.locator('a[href*="scene_depth"]').first.wait_for()  # its name alone is there while it is uploaded


def choose_guide(page):
    page.get_by_text('Take it from a guide photo').click()
    page.locator('.grid-container button').first.click()
    page.get_by_text('evening_depth').first.wait_for()


def relight(page):
    page.get_by_role('button', name='Relight', exact=True).click()


def test_upload_relight_see_and_download(page, app, checkpoint, guide_folders, tmp_path):
    give_photo(page)
    give_depth(page)
    choose_guide(page)
    relight(page)
    sides = page.get_by_test_id('imageslider-image')
    sides.nth(1).wait_for()
    page.wait_for_function('[...document.images].every(image => image.complete)')
    page.screenshot(path=tmp_path / 'page.png', full_page=True)
    with page.expect_download() as download:
        page.get_by_text('Download in full size').click()
    download.value.save_as(tmp_path / 'relit.png')

    # what the scripts make of the same files
    relighter = Relighter(load_network(checkpoint), work_size=WORK_SIZE)
    reader = InputReader(relighter, None)
    original, seen = reader.input(PHOTO, DEPTH)
    guide = reader.guide(guide_folders / 'guides/evening.png', guide_folders / 'guide_depth/evening.png')
    expected = relighter.relight(original, seen, guide).pixels
    assert np.abs(expected.astype(int) - original.pixels).mean() > 5  # this light changes the picture

    assert download.value.suggested_filename == 'scene_4500_E_relit.png'
    before, after = (Image.open(io.BytesIO(urlopen(side.get_attribute('src')).read())) for side in sides.all())
    for result in (after, Image.open(tmp_path / 'relit.png')):
        np.testing.assert_allclose(np.asarray(result).astype(int), expected, atol=2)
    np.testing.assert_array_equal(np.asarray(before), original.pixels)
    # the slider shows both: its halves are those of the two pictures
    shown = Image.open(io.BytesIO(sides.first.screenshot())).convert('RGB')
    margin = (shown.width - shown.height) // 2  # the pictures are square
    halves = np.asarray(shown.crop((margin, 0, margin + shown.height, shown.height)).resize((64, 64))).astype(int)
    for side, other, columns in ((before, after, np.s_[:28]), (after, before, np.s_[36:])):
        here, there = (np.asarray(image.resize((64, 64))).astype(int)[:, columns] for image in (side, other))
        assert np.abs(halves[:, columns] - here).mean() < np.abs(halves[:, columns] - there).mean()
    assert all(url.startswith((app, 'data:', 'blob:')) for url in page.asked), page.asked


def test_heic_is_relit(page, tmp_path):
    heif = pytest.importorskip('pillow_heif', reason="needs the extra 'heif'")
    heif.from_pillow(Image.open(PHOTO).convert('RGB')).save(tmp_path / 'phone.heic')
    page.locator('input[accept^="image/"]').first.set_input_files(tmp_path / 'phone.heic')
    page.locator('img[src$="phone.heic"]').wait_for(state='attached')
    give_depth(page)
    relight(page)
    page.get_by_test_id('imageslider-image').nth(1).wait_for()
    before = page.get_by_test_id('imageslider-image').first.get_attribute('src')
    page.screenshot(path=tmp_path / 'page.png', full_page=True)
    assert np.asarray(Image.open(io.BytesIO(urlopen(before).read()))).shape == (256, 256, 3)


def test_what_is_missing_or_bad_is_said(page, tmp_path):
    relight(page)
    page.get_by_text('Choose a photo first').wait_for()
    give_photo(page)
    relight(page)
    message = page.get_by_text(re.compile('no depth for it'))
    message.wait_for()
    assert '/' not in message.inner_text()
    page.get_by_text('Take it from a guide photo').click()
    page.locator('.grid-container button').first.wait_for()
    relight(page)
    page.get_by_text('Choose a guide first').wait_for()


def test_sample_photo_under_the_chosen_sun(page, checkpoint):
    page.get_by_text('Try the sample photo').click()
    page.locator('a[href*="sample_depth"]').first.wait_for()
    preview = page.locator('img[src*="image.jpeg"]').first
    shown = preview.get_attribute('src')
    page.locator('#compass').get_by_text('NE', exact=True).click()
    page.wait_for_function('([image, old]) => image.src !== old', arg=[preview.element_handle(), shown])
    relight(page)
    sides = page.get_by_test_id('imageslider-image')
    sides.nth(1).wait_for()

    relighter = Relighter(load_network(checkpoint), work_size=WORK_SIZE)
    original, seen = InputReader(relighter, None).input(SAMPLE / 'photo.jpg', SAMPLE / 'depth.png')
    expected = relighter.relight(original, seen, guide_under(Light('NE'), seen)).pixels
    before, after = (Image.open(io.BytesIO(urlopen(side.get_attribute('src')).read())) for side in sides.all())
    np.testing.assert_array_equal(np.asarray(before), original.pixels)
    np.testing.assert_allclose(np.asarray(after).astype(int), expected, atol=2)


def test_colour_only_is_offered_where_there_is_no_depth_model(page):
    give_photo(page)
    page.get_by_text('Colour only (no depth)').click()
    relight(page)
    page.get_by_test_id('imageslider-image').nth(1).wait_for()


def test_depth_of_one_photo_does_not_stay_for_the_next(page):
    choose_guide(page)
    page.get_by_label('Remove Image').or_(page.get_by_label('Clear')).first.click()
    page.get_by_text('evening_depth').first.wait_for(state='detached')


def test_depth_is_cleared_in_the_browser_before_another_can_be_given(page):
    page.asked.clear()
    give_photo(page)
    give_depth(page)
    assert not [url for url in page.asked if 'queue' in url]
