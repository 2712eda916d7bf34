"""S3Net for BasicSR. PyTorch and BasicSR are installed first, without build isolation: see scripts/setup_env.sh."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
SOURCE = (HERE / 's3net_plugin/__init__.py').read_text(encoding='utf-8')
VERSION = re.search(r"__version__ = '([^']+)'", SOURCE).group(1)

setup(
    name='s3net_plugin',
    version=VERSION,
    description='S3Net, depth-guided image relighting, as a plugin for BasicSR',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    # options/ stays the only copy of the option files; an installed package finds them within.
    packages=[*find_packages(include=['s3net_plugin', 's3net_plugin.*']), 's3net_plugin.options'],
    package_dir={'s3net_plugin.options': 'options'},
    package_data={'s3net_plugin': ['assets/*', 'assets/*/*'], 's3net_plugin.options': ['*.yml']},
    # On 3.13 and newer BasicSR is installed by scripts/install_basicsr.py: its own setup.py fails there.
    python_requires='>=3.10',
    install_requires=[
        # torch.load refuses arbitrary pickles by default from 2.6 on, and BasicSR relies on it; 2.10 is the
        # first that compiles the losses and networks on Python 3.10.
        'torch>=2.10,<3',
        'torchvision>=0.25,<1',
        'basicsr==1.4.2',
        'mmengine>=0.10.4,<1',
        'timm>=1.0.22,<2',  # networks on the meta device
        'filelock>=4',
        'huggingface_hub>=0.23',
        'safetensors>=0.4',
        # the private parts of LPIPS are used: its public class downloads
        'torchmetrics>=1.4,<2',
        'opencv-python>=4.8,<6',
        'PyWavelets>=1.5,<2',
        'lmdb>=1.4,<4',
        'matplotlib>=3.7',
        'numpy>=1.26,<3',
        'pillow>=11',
        'pydantic>=2',
        'pyyaml>=6',
        'scikit-image>=0.22,<1',
        'tifffile>=2022.8',
        'tqdm>=4.60',
    ],
    extras_require={
        'render': ['mitsuba>=3.7,<4'],
        'depth': ['transformers>=5.4,<6'],
        'app': ['gradio>=6.18,<7'],
        'heif': ['pillow-heif>=0.16'],
        'export': ['onnx>=1.18,<2', 'onnxruntime>=1.21,<2', 'onnxscript>=0.7,<1'],
        'wandb': ['wandb>=0.17'],
        'dev': [
            *('import-linter>=2', 'mypy>=1.11', 'types-PyYAML', 'types-tqdm'),
            *('playwright>=1.49', 'pytest>=8', 'pytest-xdist>=3.5', 'ruff>=0.6'),
        ],
    },
    entry_points={
        'console_scripts': ['basicsr=s3net_plugin.running.cli:main', 's3net=s3net_plugin.commands.__main__:main'],
        # The `basicsr` command imports every module named in this group before it reads an option file.
        'basicsr.plugins': ['s3net=s3net_plugin'],
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Processing',
    ],
)
