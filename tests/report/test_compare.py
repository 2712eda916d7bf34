import json
import re

import pytest

from s3net_plugin.report.compare import comparison_markdown, differences, means, published, read_runs, write_chart

PSNR = {'type': 'calculate_psnr', 'better': 'higher', 'description': 'calculate_psnr, crop_border 0'}
LPIPS = {'type': 'calculate_lpips', 'better': 'lower', 'description': 'LPIPS alex'}
CUSTOM = {'type': 'calculate_mine', 'better': 'lower', 'description': 'calculate_mine'}


def summary(name, psnr, copied=14.0):
    def scores(value):
        return {'psnr': {'mean': value, 'median': 0}, 'lpips': {'mean': 0.3, 'median': 0}, 'mine': {'mean': None}}

    return {
        'name': name,
        'datasets': {'set': {'model': scores(psnr), 'copy_input': scores(copied)}},
        'images': {'set': 3},
        'settings': {'metrics': {'psnr': PSNR, 'lpips': LPIPS, 'mine': CUSTOM}, 'resolution': {'set': '32 x 32'}},
    }


@pytest.fixture
def write(tmp_path):
    def write(folder, content):
        path = tmp_path / folder
        path.mkdir()
        (path / 'summary.json').write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def table_rows(text):
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines() if line.startswith('|')]
    return {name: cells for name, *cells in rows}


def test_runs_stand_beside_each_other_and_equal_baselines_stand_once(write):
    runs = read_runs([write('a', summary('first', 20.0)), write('b', summary('second', 21.5)) / 'summary.json'])
    untested = {**runs, 'third': {**summary('third', 0), 'datasets': {}}}
    rows = table_rows(comparison_markdown(untested))
    assert rows['set, means'] == ['psnr ↑', 'lpips ↓', 'mine ↓']
    assert rows['first'] == ['20.0000', '0.3000', 'not finite']
    assert rows['second'] == ['21.5000', '0.3000', 'not finite']
    assert rows['third'] == ['-', '-', '-']
    assert rows['copy input'] == ['14.0000', '0.3000', 'not finite']
    assert differences(untested, 'set') == []


def test_published_scores_are_marked_stand_beside_their_own_metric_only_and_can_be_left_out(write):
    runs = read_runs([write('a', summary('first', 20.0))])
    text = comparison_markdown(runs)
    assert table_rows(text)['S3Net (published, not measured here)'] == ['19.2200', '0.1566', '']
    assert published(CUSTOM) == {}
    assert 'private VIDIT test set' in text
    assert 'published' not in comparison_markdown(runs, with_published=False)


def test_what_makes_numbers_incomparable_is_said(write):
    other = summary('second', 20.0, copied=13.0)
    other['images']['set'] = 4
    other['settings']['metrics']['psnr'] = {**PSNR, 'description': 'calculate_psnr, crop_border 8'}
    runs = read_runs([write('a', summary('first', 20.0)), write('b', other)])
    assert differences(runs, 'set') == [
        'not comparable, images: first: 3; second: 4',
        'not comparable, psnr: first: calculate_psnr, crop_border 0; second: calculate_psnr, crop_border 8',
    ]
    assert list(means(runs, 'set')) == ['first', 'second', 'copy input (first)', 'copy input (second)']


def test_runs_of_one_name_go_by_their_folders(write):
    folders = [write('a', summary('same', 20.0)), write('b', summary('same', 21.0))]
    assert list(read_runs(folders)) == list(map(str, folders))


def test_the_chart_shows_every_mean_and_the_published_lines(write, tmp_path, drawn):
    runs = read_runs([write('a', summary('first', 20.0)), write('b', summary('second', 21.5))])
    write_chart(runs, tmp_path / 'chart.png')
    psnr, _, mine = drawn[0].axes
    assert [bar.get_height() for bar in psnr.patches] == [20, 21.5, 14]
    assert [line.get_ydata()[0] for line in psnr.lines] == [19.22, 20.79]
    assert not mine.patches and not mine.lines


@pytest.mark.parametrize('content', ['{', '[]', '{"name": "a"}', '{"name": "a", "datasets": {"s": {"m": 1}}}'])
def test_what_is_no_summary_is_named_in_one_line(write, content):
    with pytest.raises(ValueError, match=r'^.*summary\.json: not a summary that `basicsr test.py` wrote') as error:
        read_runs([write('a', content)])
    assert '\n' not in str(error.value)


def test_the_script_prints_the_table_and_writes_the_chart(write, run_script, tmp_path):
    folder, chart = write('a', summary('first', 20.0)), tmp_path / 'new/comparison.png'
    status, out, _ = run_script('compare_runs', folder, '--output', chart)
    assert status == 0
    assert table_rows(out)['first'][0] == '20.0000'
    assert chart.read_bytes().startswith(b'\x89PNG')
    (folder / 'summary.json').unlink()
    message, _, _ = run_script('compare_runs', folder)
    assert re.fullmatch(r'error: \S+/a/summary\.json: no such summary; [^\n]+', message)
