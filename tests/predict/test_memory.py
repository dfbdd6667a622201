"""Two hours take no more memory than one minute."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

CODE = """
import pathlib, re, sys
from mmer_fairseq import load
count = sum(1 for _ in load(sys.argv[1]).stream(sys.argv[2], speech="energy"))
# not ru_maxrss, which a process inherits from the one that started it
peak = re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())
print(count, int(peak[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux' own count")
def test_memory_does_not_grow_with_the_file(small, tmp_path, bursts):
    minute = bursts(60.0, [(k, k + 6.0) for k in range(0, 60, 10)], 8000)
    found = {}
    for name, minutes in (("minute", 1), ("hours", 120)):
        path = tmp_path / f"{name}.wav"
        with soundfile.SoundFile(path, "w", 8000, 1) as file:
            for _ in range(minutes):
                file.write(np.asarray(minute))
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(small), str(path)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        count, found[name] = map(int, done.stdout.split()[-2:])
        assert count >= 5 * minutes
    assert found["hours"] < 2048
    assert found["hours"] < found["minute"] + 150
