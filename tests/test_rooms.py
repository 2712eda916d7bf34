"""The rooms of the package, as `.importlinter` lists them from the top down: none imports what stands above it."""

from importlinter.cli import lint_imports

from tests.conftest import ROOT


def test_imports_between_rooms_run_downwards(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / '.importlinter'), no_cache=True) == 0, capsys.readouterr().out
