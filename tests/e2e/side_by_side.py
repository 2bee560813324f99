"""Runs the files of this folder in processes of their own, a few at a time.

    python tests/e2e/side_by_side.py [--jobs N] [further arguments to pytest]

Each file is followed by `test_whole_run.py`, which says what is true of whatever was sent before
it. The output of a file is shown when it has failed.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).parent
WHOLE_RUN = HERE / "test_whole_run.py"
FIRST = ["test_package.py", "test_limits.py", "test_risk.py", "test_random_readers.py"]
"""What takes longest, so that nothing waits for it at the end."""

NOTHING_CHOSEN = 5
"""pytest: no test was collected, as where `-k` names another file's."""


def files() -> list[Path]:
    found = sorted(HERE.glob("test_*.py"))
    found.remove(WHOLE_RUN)
    return sorted(found, key=lambda file: FIRST.index(file.name) if file.name in FIRST else len(FIRST))


def run(file: Path, arguments: list[str]) -> tuple[Path, float, subprocess.CompletedProcess]:
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "--quiet", str(file), str(WHOLE_RUN), *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return file, time.monotonic() - begun, ended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 1), help="how many at a time")
    options, arguments = parser.parse_known_args()
    failed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for done in as_completed([pool.submit(run, file, arguments) for file in files()]):
            file, took, ended = done.result()
            well = ended.returncode in (0, NOTHING_CHOSEN)
            said = ended.stdout.strip().splitlines()
            print(f"{file.name}: {said[-1] if said else ''} ({took:.0f} s)", flush=True)
            if not well:
                failed.append(file.name)
                print(ended.stdout, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
