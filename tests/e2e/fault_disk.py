# SPDX-License-Identifier: MIT
"""Disks that fail: tools/fault_disk.c, a FUSE layer over a folder, and small file systems of a few
megabytes. Mounted where only this process and its children see it; what cannot be had is a Skip."""
import atexit
import ctypes
import os
import shutil
import subprocess
import tempfile

from node import Skip, need, run

HERE = os.path.dirname(os.path.abspath(__file__))
_built = []
_own = []


def own_mounts():
    """A mount namespace for this process: what is mounted goes with it."""
    if _own:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise Skip("mount namespaces are not allowed here")
    if run(["mount", "--make-rprivate", "/"]).returncode != 0:
        raise Skip("mounting is not allowed here")
    _own.append(True)


def build():
    if _built:
        return _built[0]
    need("pkg-config")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True)
    if flags.returncode != 0:
        raise Skip("libfuse3 is not installed")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Skip("/dev/fuse cannot be used here")
    folder = tempfile.mkdtemp(prefix="sluice-fault-")
    atexit.register(shutil.rmtree, folder, True)
    program = os.path.join(folder, "fault_disk")
    subprocess.run(["cc", "-O1", "-o", program, os.path.join(HERE, "tools", "fault_disk.c"),
                    *flags.stdout.split()], check=True)
    _built.append(program)
    return program


class FaultDisk:
    """A folder at .path whose calls do what set() says (tools/fault_disk.c has the words)."""

    def __init__(self):
        own_mounts()
        self.folder = tempfile.mkdtemp(prefix="sluice-fault-")
        self.path = os.path.join(self.folder, "disk")
        self.below = os.path.join(self.folder, "below")
        self.control = os.path.join(self.folder, "control")
        os.mkdir(self.path)
        os.mkdir(self.below)
        self.process = subprocess.Popen([build(), self.below, self.control, self.path],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "mounted\n":
            raise Skip(f"FUSE: {self.process.stderr.read().strip()}")

    def set(self, *lines):
        """None: a good disk."""
        with open(self.control + ".new", "w") as out:
            out.write("\n".join(lines) + "\n")
        os.rename(self.control + ".new", self.control)

    def close(self):
        self.set()  # who hangs must come back to be ended
        run(["umount", "-l", self.path])
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


class SmallDisk:
    """An ext4 of a few megabytes in a file."""

    def __init__(self, megabytes):
        own_mounts()
        need("mkfs.ext4")
        self.folder = tempfile.mkdtemp(prefix="sluice-small-", dir="/var/tmp")
        self.path = os.path.join(self.folder, "disk")
        self.image = os.path.join(self.folder, "image")
        os.mkdir(self.path)
        with open(self.image, "wb") as out:
            out.truncate(megabytes << 20)
        run(["mkfs.ext4", "-q", "-m", "0", "-J", "size=1", self.image])
        if self.mount().returncode != 0:
            raise Skip("loop mounts are not allowed here")

    def mount(self, *options):
        return run(["mount", "-o", ",".join(["loop", *options]), self.image, self.path])

    def unmount(self):
        return run(["umount", "-l", self.path])

    def close(self):
        self.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
