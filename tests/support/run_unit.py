#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs unit test programs (cmocka) side by side and counts. Prints failures whole."""
import concurrent.futures
import os
import re
import subprocess
import sys


def run(program):
    try:
        done = subprocess.run([program], capture_output=True, text=True, timeout=180,
                              errors="replace")
        out = done.stdout + done.stderr
        code = done.returncode
    except subprocess.TimeoutExpired as late:
        out, code = f"{program}: no end within 180 s\n{late.stdout or b''}", 1
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", out))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", out))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", out))
    if code != 0 and failed == 0:
        failed = 1
    return program, code, passed, failed, skipped, out


def main():
    totals = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for program, code, passed, failed, skipped, out in pool.map(run, sys.argv[1:]):
            totals = [totals[0] + passed, totals[1] + failed, totals[2] + skipped]
            if code != 0:
                print(f"---- {program} (exit {code})\n{out}")
            for line in out.splitlines():
                if "SKIP" in line and "SKIPPED ]" not in line:
                    print(f"skip {os.path.basename(program)}: {line.strip()}")
    print("unit: %d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
