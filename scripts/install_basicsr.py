"""Install BasicSR 1.4.2, on Python 3.13 and newer, too: before anything else of this package, after PyTorch.

    python scripts/install_basicsr.py            (further arguments go to pip install)

BasicSR's setup.py runs ``exec`` in a function and then reads ``locals()['__version__']``. Python 3.13 ended that (PEP
667): what exec sets goes to a copy. While pip builds the package, and only then, exec writes where it used to. Nothing
of BasicSR is changed or copied; it comes from wherever pip is configured to find packages. Needs pip, no network
address and nothing that is not in the standard library.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENT = 'basicsr==1.4.2'

# Python runs a module of this name on PYTHONPATH at its start, so in the process in which pip runs setup.py.
SITECUSTOMIZE = """
import builtins
import sys

plain_exec = builtins.exec


def exec_in_frame(code, *namespaces, **options):
    if not namespaces and not options:
        frame = sys._getframe(1)
        namespaces = frame.f_globals, frame.f_locals
    return plain_exec(code, *namespaces, **options)


builtins.exec = exec_in_frame
"""


def main() -> int:
    # Without isolation: setup.py asks for torch to be there, and isolated pip would download it once more.
    command = [sys.executable, '-m', 'pip', 'install', '--no-build-isolation', *sys.argv[1:], REQUIREMENT]
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if sys.version_info >= (3, 13):
            Path(folder, 'sitecustomize.py').write_text(SITECUSTOMIZE, encoding='utf-8')
            others = [path for path in [os.environ.get('PYTHONPATH')] if path]
            environment['PYTHONPATH'] = os.pathsep.join([folder, *others])
        return subprocess.run(command, env=environment).returncode


if __name__ == '__main__':
    sys.exit(main())
