# SPDX-License-Identifier: MIT
"""A camera that is not ours: tools/rtsp_camera.c on gst-rtsp-server, built when it is needed."""
import atexit
import os
import shutil
import subprocess
import tempfile

from node import Skip, need

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURE = "videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=25/1"
H264 = (f"{PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse ! "
        "rtph264pay name=pay0 pt=96 config-interval=-1")
# Without parameter sets in the band: they are in the description only.
H264_SETS_IN_SDP = H264.replace("config-interval=-1", "config-interval=0")
H264_B = (f"{PICTURE} ! x264enc bframes=2 b-adapt=false speed-preset=veryfast key-int-max=50 "
          "rc-lookahead=5 ! video/x-h264,profile=main ! h264parse ! "
          "rtph264pay name=pay0 pt=96 config-interval=-1")
H265 = (f"{PICTURE} ! x265enc speed-preset=ultrafast key-int-max=25 ! h265parse ! "
        "rtph265pay name=pay0 pt=96 config-interval=-1")
AAC = "audiotestsrc is-live=true ! avenc_aac ! rtpmp4gpay name=pay1 pt=97"
OPUS = "audiotestsrc is-live=true ! opusenc ! rtpopuspay name=pay1 pt=97"
PCMA = ("audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! "
        "rtppcmapay name=pay1 pt=8")
# One that no stream carries.
L16 = "audiotestsrc is-live=true ! audioconvert ! rtpL16pay name=pay2 pt=98"
_built = []


def build():
    if _built:
        return _built[0]
    need("pkg-config")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "gstreamer-rtsp-server-1.0"],
                           capture_output=True, text=True)
    if flags.returncode != 0:
        raise Skip("gst-rtsp-server is not installed")
    folder = tempfile.mkdtemp(prefix="sluice-camera-")
    atexit.register(shutil.rmtree, folder, True)
    program = os.path.join(folder, "rtsp_camera")
    subprocess.run(["cc", "-O1", "-o", program, os.path.join(HERE, "tools", "rtsp_camera.c"),
                    *flags.stdout.split()], check=True)
    _built.append(program)
    return program


def need_element(*names):
    need("gst-inspect-1.0")
    for name in names:
        if subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode != 0:
            raise Skip(f"the GStreamer element {name} is not installed")


class Camera:
    """Serves rtsp://127.0.0.1:PORT/live until closed. auth: "digest" or "basic"."""

    def __init__(self, *payloads, auth=None, user="admin", password="p@ss", udp_only=False, port=0):
        self.auth, self.user, self.password = auth, user, password
        for payload in payloads:
            words = [part.split()[0] for part in payload.split(" ! ")]
            need_element(*[word for word in words if "/" not in word])
        command = [build(), str(port), f"( {' '.join(payloads)} )"]
        command += [auth or "none", user, password]
        if udp_only:
            command.append("udp")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("port "), f"the camera did not start: {line!r}"
        self.port = int(line.split()[1])

    def url(self, password=None):
        login = ""
        if self.auth:
            login = f"{self.user}:{(password or self.password).replace('@', '%40')}@"
        return f"rtsp://{login}127.0.0.1:{self.port}/live"

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
