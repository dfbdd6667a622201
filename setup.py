"""The package; tool settings are in pyproject.toml, the exact versions of the quickstart in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="mmer_fairseq",
    version="0.1.0",
    description="Multimodal emotion recognition: the published systems as one fairseq plugin",
    long_description=(HERE / "README.md").read_text(encoding="utf-8")
    if (HERE / "README.md").exists()
    else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.9",
    packages=find_packages(include=["mmer_fairseq", "mmer_fairseq.*"]),
    package_data={"mmer_fairseq.serve": ["static/*"]},
    install_requires=[
        # fairseq's last release cannot be imported on Python 3.11; fairseq-fixed is its later main branch
        'fairseq==0.12.2; python_version < "3.11"',
        'fairseq-fixed==0.12.3.1; python_version >= "3.11"',
        'numpy<1.24; python_version < "3.11"',
        "torch>=2.6",
        "torchvision",
        # 17.1: a limit on pictures while a file is opened; older ones crash with it and go without (media/medium.py)
        'av>=12; python_version < "3.11"',
        'av>=17.1; python_version >= "3.11"',
        "matplotlib",
        "pillow",
        "pyyaml",
        "regex",
        "safetensors",
        "scikit-learn",
        "scipy",
        "sentencepiece",
        "soundfile",
        "soxr",
        "tqdm",
    ],
    extras_require={
        "export": ["onnx>=1.16", "onnxscript>=0.5", "onnxruntime>=1.18"],
        # requests: facenet-pytorch imports it; facenet-pytorch itself pins torch 2.2 and is installed with --no-deps
        "faces": ["opencv-python-headless>=4.5,<5", "requests"],
        "opensmile": ["opensmile>=2.5"],
        "ray": ["ray>=2.9"],
        # 0.49.1: answers a player's requests for parts, and none that cost too much
        "serve": ["starlette>=0.49.1", "uvicorn>=0.30"],
        "wavlm": ["transformers>=4.40"],
        # tokenizers: transformers' own requirement, imported by name
        "transformers": ["transformers>=4.40", "tokenizers>=0.19"],
        "vad": ["webrtcvad-wheels>=2.0.11"],
        "dev": [
            "pytest",
            "pytest-xdist",
            "ruff",
            "mypy",
            "types-PyYAML",
            "onnx>=1.16",
            "onnxscript>=0.5",
            "onnxruntime>=1.18",
            "ray>=2.9",
            # the page's tests drive a Chromium that the machine has; they are skipped where there is none
            "starlette>=0.49.1",
            "uvicorn>=0.30",
            "playwright",
        ],
    },
    entry_points={"console_scripts": ["mmer = mmer_fairseq.cli.main:main"]},
)
