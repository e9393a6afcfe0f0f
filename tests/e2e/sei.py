# SPDX-License-Identifier: MIT
"""Reads the UTC that fake:// puts into each picture (docs/protocols/fake.md) out of a byte stream:
TS, MP4 or raw H.264."""
import struct

UUID = bytes.fromhex("0fa1e5a93c1d4b7e9d527f10c6a8e4b3")


def stamps(data, start=0):
    """Yields (position behind it, utc_us, frame number) of each stamp in data."""
    while True:
        at = data.find(UUID, start)
        if at < 0 or at + 34 > len(data):
            return
        payload = data[at + 16:at + 34].replace(b"\0\0\3", b"\0\0")
        utc_us, frame = struct.unpack_from(">QI", payload)
        yield at + 34, utc_us, frame
        start = at + 28
