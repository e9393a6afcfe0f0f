# SPDX-License-Identifier: MIT
"""Includes go down, never up and never sideways; a foreign header stays in its files. Both tables
are in layers.txt."""
import fnmatch
import posixpath
import re

from tree import read_table

LIBC = set("""assert ctype dirent errno fcntl fnmatch getopt glob grp ifaddrs inttypes limits locale
malloc math netdb poll pthread pwd semaphore sched signal stdarg stdatomic stdbool stddef stdint
stdio stdlib string strings sysexits syslog termios time unistd""".split())
LIBC_FOLDERS = ("sys/", "netinet/", "arpa/", "net/", "linux/")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def read_layers():
    """({layer: what it may see}, {foreign header: patterns of files}, findings about the table)."""
    layers, foreign, wrong = {}, {}, []
    for number, line in read_table("layers.txt"):
        if line[0] in '<"':
            header, *files = line.split()
            foreign[header] = files
            continue
        layer, _, below = line.partition(":")
        wrong += [("tests/tidy/layers.txt", number, f"{layer} names {name}, which is not below it")
                  for name in below.split() if name not in layers]
        layers[layer] = {layer, *below.split()}
    return layers, foreign, wrong


def owner(path):
    """(layer, folder) of a file under src or include."""
    parts = path.split("/")
    return parts[1], posixpath.dirname(path)


def check_one(tree, layers, path, quote, header):
    layer, folder = owner(path)
    if quote == "<":
        if header[:-2] in LIBC or header.startswith(LIBC_FOLDERS):
            return None
        return f"<{header}> is in no row of tests/tidy/layers.txt"
    if "/" not in header:
        if posixpath.join(folder, header) in tree.files:
            return None
        return f'"{header}" is not in {folder}'
    above = header.split("/")[0]
    if above not in layers:
        return f'"{header}" does not begin with a layer'
    if f"include/{header}" not in tree.files and not (above == "proto" and layer == "daemon"):
        return f'"{header}" is not in include'
    if above not in layers[layer]:
        return f"{layer} may not include {above}"
    return None


def check(tree):
    layers, foreign, wrong = read_layers()
    yield from wrong
    for path in tree.find("src/*.[ch]", "include/*.[ch]", "src/*.def", "include/*.def"):
        if owner(path)[0] not in layers:
            yield path, 1, "stands in no layer of tests/tidy/layers.txt"
            continue
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, header = match.groups()
            written = line[match.start(1):match.end()].strip()
            rows = [files for name, files in foreign.items() if fnmatch.fnmatchcase(written, name)]
            if ".." in header:
                yield path, number, '".." in an include'
            elif rows:
                if not any(fnmatch.fnmatchcase(path, file) for file in rows[0]):
                    yield path, number, f"{written} belongs to {' '.join(rows[0])} only"
            else:
                message = check_one(tree, layers, path, quote, header)
                if message:
                    yield path, number, message
    for path in tree.find("tests/*.[ch]"):
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if match and ".." in match.group(2):
                yield path, number, '".." in an include'


BELOW = {"include/base/mem.h": "", "include/archive/archive.h": "", "src/proto/hls/hls_priv.h": ""}
EXAMPLES = [
    ({"src/io/a.c": '#include <ev.h>\n#include <sys/uio.h>\n', **BELOW}, None),
    ({"src/io/a.c": '#include "base/mem.h"\n', **BELOW}, None),
    ({"src/proto/hls/a.c": '#include "hls_priv.h"\n', **BELOW}, None),
    ({"src/base/a.c": '\n#include "io/loop.h"\n', "include/io/loop.h": ""},
     "src/base/a.c:2: base may not include io"),
    ({"include/proto/x.h": '#include "archive/archive.h"\n', **BELOW},
     "include/proto/x.h:1: proto may not include archive"),
    ({"src/proto/dash/a.c": '#include "hls_priv.h"\n', **BELOW}, "is not in src/proto/dash"),
    ({"src/proto/dash/a.c": '#include "../hls/hls_priv.h"\n', **BELOW}, '".." in an include'),
    ({"src/proto/dash/a.c": '#include "hls/hls_priv.h"\n', **BELOW}, "does not begin with a layer"),
    ({"src/stream/a.c": "#include <ev.h>\n"}, "<ev.h> belongs to src/io/* only"),
    ({"src/io/conn.c": "#include <openssl/ssl.h>\n"}, "<openssl/ssl.h> belongs to"),
    ({"src/io/a.c": "#include <curl/curl.h>\n"}, "is in no row"),
    ({"src/io/a.c": '#include "base/gone.h"\n'}, "is not in include"),
    ({"src/util/a.c": ""}, "stands in no layer"),
    ({"tests/unit/io/a_test.c": '#include "../b.h"\n'}, '".." in an include'),
]
