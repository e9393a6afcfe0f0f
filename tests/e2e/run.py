#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs end-to-end tests: every test_* of every tests/e2e/*_test.py, three files side by side.

  run.py --binary build/sluice [words]     only tests whose name has one of the words
"""
import argparse
import concurrent.futures
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
FILE_LIMIT_S = 400


def run_file(path, words):
    """In a process of its own: prints one line for each test."""
    sys.path.insert(0, HERE)
    import node
    spec = importlib.util.spec_from_file_location("test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    topic = os.path.basename(path).removesuffix("_test.py")
    counts = [0, 0, 0]
    for name, function in list(vars(module).items()):
        full = f"{topic}.{name.removeprefix('test_')}"
        if not name.startswith("test_") or (words and not any(w in full for w in words)):
            continue
        began = time.monotonic()
        try:
            function()
            verdict = "ok"
        except node.Skip as why:
            verdict = f"SKIP {why}"
        except Exception:
            verdict = "FAILED"
            print(traceback.format_exc())
        logs, wrong = node.forget_nodes()
        if wrong:
            verdict = "FAILED"
            print("\n".join(wrong))
        counts[("ok", "FAILED").index(verdict) if verdict in ("ok", "FAILED") else 2] += 1
        if verdict == "FAILED":
            for who, log in logs:
                print(f"--- log of {who}\n{log[-6000:]}")
        print(f"{full}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    print("counts %d %d %d" % tuple(counts))


def child(path, arguments):
    command = [sys.executable, os.path.abspath(__file__), "--binary", arguments.binary,
               "--file", path, *arguments.words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FILE_LIMIT_S,
                              errors="replace", env={**os.environ, "SLUICE": arguments.binary})
        return path, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace")
        return path, f"{text}\n{path}: no end within {FILE_LIMIT_S} s: FAILED\ncounts 0 1 0\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--file")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    arguments.binary = os.path.abspath(arguments.binary)
    if arguments.file:
        os.environ["SLUICE"] = arguments.binary
        return run_file(arguments.file, arguments.words)
    totals = [0, 0, 0]
    again = []
    # The long ones first, so that the end does not wait for one of them. Most of the time is waiting.
    files = sorted(glob.glob(os.path.join(HERE, "*_test.py")), key=os.path.getsize, reverse=True)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for path, text in pool.map(lambda p: child(p, arguments), files):
            again += [(path, name) for name in re.findall(r"^(\S+): FAILED", text, re.M)]
            found = re.search(r"^counts (\d+) (\d+) (\d+)$", text, re.M)
            counts = [int(n) for n in found.groups()] if found else [0, 1, 0]
            totals = [a + b for a, b in zip(totals, counts)]
            text = re.sub(r"^counts .*\n", "", text, flags=re.M)
            sys.stdout.write(text if found else f"{path}: broke off\n{text}")
            sys.stdout.flush()
    # A browser beside it can starve a test of the processor: what failed is run once more, alone, and
    # said. Many failures are no accident.
    for path, name in again if len(again) <= 6 else []:
        arguments.words = [name]
        _, text = child(path, arguments)
        passed = re.search(r"^counts 1 0 0$", text, re.M) is not None
        print(f"{name}: {'ok' if passed else 'FAILED'} on its second run, alone")
        if passed:
            totals = [totals[0] + 1, totals[1] - 1, totals[2]]
        else:
            print(re.sub(r"^counts .*\n", "", text, flags=re.M))
    print("e2e: %d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
