"""The command ``s3net``: every script of the package by one name, and its option files."""

import functools

import pytest

from s3net_plugin.commands import __main__ as s3net
from s3net_plugin.config.shipped import find_option_file, shipped_files
from tests.conftest import ROOT


@pytest.fixture
def run(run_script, monkeypatch, tmp_path):
    """Run ``s3net`` in an empty folder; returns its exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(run_script, '__main__')


def test_every_script_is_a_command_and_names_itself_so(run):
    scripts = {f'commands.{path.stem}' for path in (ROOT / 'scripts').glob('*.py')} - {'commands.install_basicsr'}
    assert scripts <= {module for module, _ in s3net.COMMANDS.values()}
    for name in s3net.COMMANDS.keys() - {'app'}:
        status, out, _ = run(name, '--help')
        assert (status, out.split('\n')[0].startswith(f'usage: s3net {name} ')) == (0, True)


def test_without_arguments_all_are_listed_and_a_slip_is_answered(run):
    status, out, _ = run()
    assert status == 0 and all(f'\n  {name} ' in out for name in s3net.COMMANDS)
    status, _, err = run('relit')
    assert (status, err.count('\n')) == (2, 1) and "did you mean 'relight'" in err


def test_option_files_are_listed_and_copied_and_nothing_is_overwritten(run, tmp_path):
    names = sorted(path.name for path in (ROOT / 'options').glob('*.yml'))
    assert [line.split()[0] for line in run('options')[1].splitlines()] == names
    assert run('options', 's3net.yml', 'test_s3net.yml', '--output', 'mine')[0] == 0
    assert (tmp_path / 'mine/s3net.yml').read_bytes() == (ROOT / 'options/s3net.yml').read_bytes()
    (tmp_path / 'mine/s3net.yml').write_text('mine')
    assert 'already there' in run('options', 's3net.yml', '--output', 'mine')[0]
    assert (tmp_path / 'mine/s3net.yml').read_text() == 'mine'
    assert "did you mean 's3net.yml'" in run('options', 's3nt.yml')[0]


def test_an_option_file_that_is_not_here_is_the_shipped_one_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = shipped_files()['s3net.yml']
    assert find_option_file('s3net.yml') == find_option_file('options/s3net.yml') == shipped
    for elsewhere in ('other.yml', 'mine/s3net.yml', '/s3net.yml'):
        assert str(find_option_file(elsewhere)) == elsewhere
    (tmp_path / 's3net.yml').write_text('name: mine')
    assert str(find_option_file('s3net.yml')) == 's3net.yml'
