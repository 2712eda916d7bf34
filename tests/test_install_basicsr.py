"""BasicSR's build, which Python 3.13 broke, is brought through by the script that installs it."""

import io
import subprocess
import sys
import tarfile

from tests.conftest import ROOT

# What matters of BasicSR's own setup.py: how it learns its version.
SETUP = """
from setuptools import setup

def get_version():
    with open('basicsr/version.py', 'r') as f:
        exec(compile(f.read(), 'basicsr/version.py', 'exec'))
    return locals()['__version__']

if __name__ == '__main__':
    setup(name='basicsr', version=get_version(), packages=['basicsr'])
"""


def test_a_version_that_is_read_by_exec_in_a_function_is_found_on_every_python(tmp_path):
    files = {'setup.py': SETUP, 'basicsr/__init__.py': '', 'basicsr/version.py': "__version__ = '1.4.2'\n"}
    with tarfile.open(tmp_path / 'basicsr-1.4.2.tar.gz', 'w:gz') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f'basicsr-1.4.2/{name}')
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    options = ['--no-deps', '--no-index', '--find-links', tmp_path, '--target', tmp_path / 'target', '--no-cache-dir']
    command = [sys.executable, ROOT / 'scripts/install_basicsr.py', *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / 'target/basicsr-1.4.2.dist-info').is_dir()
