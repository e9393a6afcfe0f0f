#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything `make check` runs, one after another; the last line counts passed, failed, skipped."""
import argparse
import glob
import re
import subprocess
import sys
import time


SIM_RUNS = "6"  # each a simulated day


def run(name, command):
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    counts = None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        found = re.match(rf"{name}: (\d+) passed, (\d+) failed, (\d+) skipped", line)
        if found:
            counts = [int(n) for n in found.groups()]
    code = process.wait()
    if counts is None:
        counts = [0 if code else 1, 1 if code else 0, 0]
    elif code and not counts[1]:
        counts[1] = 1
    print(f"     {name} took {time.monotonic() - began:.0f} s", flush=True)
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    unit = sorted(glob.glob(f"{build}/tests/unit/*/*_test"))
    fuzz = sorted(glob.glob(f"{build}/tests/fuzz/*_fuzz"))
    totals = [0, 0, 0]
    for name, command in (
            ("tidy", [sys.executable, "tests/tidy/run.py"]),
            ("unit", [sys.executable, "tests/support/run_unit.py", *unit]),
            ("corpus", [sys.executable, "tests/support/run_corpus.py", *fuzz]),
            ("sim", [f"{build}/tests/sim/archive_sim", "1", SIM_RUNS]),
            ("e2e", [sys.executable, "tests/e2e/run.py", "--binary", f"{build}/sluice"])):
        counts = run(name, command)
        totals = [a + b for a, b in zip(totals, counts)]
    print("check: %d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
