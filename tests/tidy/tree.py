# SPDX-License-Identifier: MIT
"""The files a rule looks at: those on disk, or those of an example in memory."""
import fnmatch
import functools
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Tree:
    def __init__(self, files):
        self.files = files  # path -> text

    @classmethod
    def of_disk(cls):
        """Everything that is tracked, or would be with `git add`."""
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                                capture_output=True, check=False)
        if listed.returncode == 0:
            paths = listed.stdout.decode().split("\0")
        else:  # not a clone
            paths = [os.path.relpath(os.path.join(folder, name), ROOT)
                     for folder, _, names in os.walk(ROOT) for name in names]
            paths = [path for path in paths if not path.startswith("build/")]
        files = {}
        for path in sorted(set(paths)):
            whole = os.path.join(ROOT, path)
            if os.path.isfile(whole):
                with open(whole, encoding="utf-8", errors="replace", newline="") as file:
                    files[path] = file.read()
        return cls(files)

    def find(self, *patterns):
        """Paths that match; '*' also matches '/'."""
        return [path for path in self.files
                if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)]

    def lines(self, path):
        """(number, text) of each line."""
        return enumerate(self.files[path].split("\n"), 1)

    @functools.lru_cache(maxsize=None)
    def code(self, path):
        """The text of a C file with comments and literals blanked, line by line as it was."""
        return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), self.files[path])

    def search(self, pattern, path):
        """(line number, match) of each match in the code of a C file."""
        text = self.code(path)
        for match in re.finditer(pattern, text, re.M):
            yield text.count("\n", 0, match.start()) + 1, match


def read_table(name):
    """(line number, line) of a text file beside the rules, without comments and empty lines."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.split("#")[0].strip()
            if line:
                yield number, line
