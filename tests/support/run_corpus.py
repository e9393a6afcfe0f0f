#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Replays the corpus of every fuzz target; a target without a corpus fails."""
import os
import subprocess
import sys


def main():
    passed = failed = 0
    for program in sys.argv[1:]:
        name = os.path.basename(program).removesuffix("_fuzz")
        folder = os.path.join("tests/fuzz/corpus", name)
        files = sorted(os.path.join(folder, f) for f in os.listdir(folder)) \
            if os.path.isdir(folder) else []
        done = subprocess.run([program, *files], capture_output=True, text=True, timeout=300)
        if done.returncode != 0 or not files:
            failed += 1
            print(f"---- corpus {name} (exit {done.returncode}, {len(files)} inputs)\n"
                  f"{done.stdout}{done.stderr}")
        else:
            passed += 1
    print(f"corpus: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
