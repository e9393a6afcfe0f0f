# SPDX-License-Identifier: MIT
"""A headless Chromium, driven over its own debugging pipe: no driver program, no package."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from node import Skip


class Browser:
    def __init__(self, width=1280, height=800):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            raise Skip("chromium is not installed")
        self.profile = tempfile.mkdtemp(prefix="sluice-e2e-chromium-")
        to_child, self.write_end = os.pipe()
        self.read_end, from_child = os.pipe()
        # The browser reads descriptor 3 and writes 4: out of the way first, so that neither is lost.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_child, from_child)]
        os.close(to_child)
        os.close(from_child)

        def place():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
             f"--user-data-dir={self.profile}", "--remote-debugging-pipe",
             f"--window-size={width},{height}", "about:blank"],
            preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in ends:
            os.close(end)
        self.last, self.session, self.pending, self.events = 0, None, b"", []
        pages = self.call("Target.getTargets")["targetInfos"]
        page = next(one for one in pages if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"],
                                 flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.size(width, height)

    def call(self, method, limit=40, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            while b"\0" not in self.pending:
                if not select.select([self.read_end], [], [], max(0, end - time.monotonic()))[0]:
                    raise AssertionError(f"the browser does not answer {method}")
                piece = os.read(self.read_end, 1 << 20)
                assert piece, "the browser ended"
                self.pending += piece
            text, self.pending = self.pending.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def open(self, address):
        self.call("Page.navigate", url=address)

    def value(self, expression):
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                         returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def complaints(self):
        """What the page logged as an error or threw."""
        self.value("0")
        found = []
        for event in self.events:
            about = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(about["exceptionDetails"].get("text", "exception"))
            elif event["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                found.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
        return found

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))
        return path

    def close(self):
        self.process.kill()
        self.process.wait(10)
        os.close(self.write_end)
        os.close(self.read_end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
