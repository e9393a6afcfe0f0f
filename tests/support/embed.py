#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files named on the command line as a C header: an array each, and a table of them with
content type and entity tag. `embed.py src/ui/* > ui_pages.h`"""
import hashlib
import os
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def array(name, data):
    lines = [", ".join(str(byte) for byte in data[i:i + 20]) for i in range(0, len(data), 20)]
    body = ",\n    ".join(lines or ["0"])
    return f"static const unsigned char {name}[] = {{\n    {body}}};\n"


def main():
    rows = []
    print("// SPDX-License-Identifier: MIT")
    print("// Made by tests/support/embed.py.")
    print("#include <stddef.h>\n")
    for path in sorted(sys.argv[1:]):
        name = os.path.basename(path)
        extension = os.path.splitext(name)[1]
        if extension not in TYPES:
            sys.exit(f"{path}: no content type is known for '{extension}'")
        with open(path, "rb") as file:
            data = file.read()
        symbol = "ui_" + "".join(c if c.isalnum() else "_" for c in name)
        tag = hashlib.sha256(data).hexdigest()[:16]
        print(array(symbol, data))
        type_ = TYPES[extension]
        rows.append(f'    {{"{name}", "{type_}", "\\"{tag}\\"", {symbol}, {len(data)}}},')
    print("static const struct ui_page {")
    print("    const char *name, *type, *etag;")
    print("    const unsigned char *data;")
    print("    size_t length;")
    print("} ui_pages[] = {")
    print("\n".join(rows))
    print("};")


if __name__ == "__main__":
    main()
