# SPDX-License-Identifier: MIT
"""Configurations: what a wrong one says, what a half wrong one still does, and reloads that disturb nothing."""
import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import node
from node import BINARY, Node, free_port, has_stream, pair, wait_for
from sei import stamps

# (text, line, column, words of the message)
MISTAKES = (
    ("streem x { input fake://fake; }", 1, 1, ("streem", "stream")),
    ("http 8080\nstream x { input fake://fake; }", 1, 10, ("';'",)),
    ("http 99999;", 1, 6, ("99999", "65535")),
    ("http 127.0.0.1:;", 1, 6, ("port",)),
    ("http 127.0.0.1:7;\nhttp 127.0.0.1:7;", 2, 6, ("no other http line",)),
    ("loglevel loud;", 1, 10, ("loud", "debug")),
    ("include /nonexistent/x.conf;", 1, 9, ("/nonexistent/x.conf",)),
    ("stream x { inptu fake://fake; }", 1, 12, ("inptu", "'input'")),
    ("stream x { input faek://fake; }", 1, 18, ("faek", "fake")),
    ("stream x {\n  input fake://fake widht=320;\n}", 2, 21, ("widht", "'width'")),
    ("stream x { input fake://fake width=3; }", 1, 18, ("width",)),
    ("stream x { input fake://fake; segment_duration 7q; }", 1, 48, ("7q", "seconds")),
    ("stream x { input fake://fake; segment_count 9999; }", 1, 45, ("9999", "100")),
    ("stream x { input fake://fake; static maybe; }", 1, 38, ("maybe", "true or false")),
    ("stream x { input fake://fake; dvr /proc/no/where; }", 1, 31, ("/proc/no/where",)),
    ("stream x { input fake://fake; dvr @DIR@/a 7x; }", 1, None, ("7x", "depth")),
    ("stream x { input fake://fake; dvr @DIR@/a 140%; }", 1, None, ("140%",)),
    ("stream x { input fake://fake;", 2, 1, ("end of the file", "'}'", "line 1")),
    ("stream x { input fake://fake; }}", 1, 32, ("'}'",)),
    ("stream x { input fake://fake; }\nstream x { input fake://fake; }", 2, 8, ("second", ":1:1")),
    ('stream "a b" { input fake://fake; }', 1, 8, ("a b", "letters")),
    ("stream x { template no; input fake://fake; }", 1, 21, ("'no'", "template")),
    ("cluster_key abcdef0123456789;\nsource m4s://h:99999;", 2, 8, ("99999", "65535")),
    ("\xff\xfe;", 1, 1, ("unknown word",)),
)


def check(text, folder):
    """(exit code, lines of complaint, closing line) of -n."""
    path = os.path.join(folder, "tried.conf")
    with open(path, "w", encoding="latin-1") as out:
        out.write(text.replace("@DIR@", folder))
    done = node.run([BINARY, "-n", "-c", path], timeout=20)
    said = done.stderr.decode(errors="replace").replace(path, "tried.conf").splitlines()
    return done.returncode, said, done.stdout.decode()


@contextlib.contextmanager
def folder_of_own():
    folder = tempfile.mkdtemp(prefix="sluice-e2e-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_each_mistake_is_one_line_with_its_place():
    with folder_of_own() as folder:
        for text, line, column, words in MISTAKES:
            code, said, _ = check(text + "\n", folder)
            errors = [one for one in said if "warning:" not in one]
            assert code == 1 and len(errors) == 1, (text, code, said)
            place = re.match(r"tried\.conf:(\d+):(\d+): found .*, expected ", errors[0])
            assert place, (text, errors)
            assert int(place.group(1)) == line, (text, errors)
            assert column is None or int(place.group(2)) == column, (text, errors)
            assert all(word in errors[0] for word in words), (text, errors)


def test_all_mistakes_are_listed_and_the_exit_code_tells():
    with folder_of_own() as folder:
        code, said, last = check(f"http {free_port()};\ncluster_key 123;\nstreem x;\n"
                                 "stream a { input fake://fake; dvr /proc/x; }\n"
                                 "stream b { input fake://fake; segment_duration 7q; }\n"
                                 "stream c { input fake://fake; }\n", folder)
        assert code == 1
        errors = [one for one in said if "warning:" not in one]
        assert [one.split(":")[1] for one in errors] == ["3", "4", "5"], said
        assert any("2:13: warning: found a key that can be guessed" in one for one in said), said
        assert "3 errors, 1 warning" in last and "1 stream" in last, last
        code, said, last = check(f"http {free_port()};\nstream c {{ url fake://fake; }}\n", folder)
        assert (code, said) == (0, []) and "0 errors, 0 warnings" in last, (said, last)


def test_files_that_cannot_be_read_end_the_program_with_a_reason():
    with folder_of_own() as folder:
        for path in (os.path.join(folder, "no.conf"), folder):
            for more in (["-n"], ["-d"]):
                done = node.run([BINARY, *more, "-c", path], timeout=20)
                said = done.stderr.decode()
                assert done.returncode == 1 and path in said and "expected a file" in said, said
    done = node.run([BINARY, "--nonsense"], timeout=20)
    assert done.returncode == 2 and b"usage:" in done.stderr


def test_port_in_use_and_unusable_archive_are_named():
    with contextlib.closing(socket.socket()) as taken, folder_of_own() as folder:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        text = f"http 127.0.0.1:{port};\nstream x {{ input fake://fake; }}\n"
        code, said, _ = check(text, folder)
        assert code == 1 and len(said) == 1, said
        assert said[0].startswith("tried.conf:1:6: found") and "in use" in said[0].lower(), said
        path = os.path.join(folder, "tried.conf")
        done = node.run([BINARY, "-d", "-c", path], timeout=20)
        assert done.returncode == 1 and f"{path}:1:6" in done.stderr.decode(), done.stderr
        # With another line that works the server starts, and still says so.
        server = Node(f"http 127.0.0.1:{port};\nhttp @PORT@;\nstream x {{ input fake://fake; }}\n")
        wait_for(lambda: server.running("x"), 10, "x runs")
        assert ":1:6: found" in server.log() and "in use" in server.log().lower(), server.log()


def test_bad_stream_is_left_out_and_the_rest_runs():
    server = Node("http @PORT@;\n"
                  "stream bad { input fake://fake; segment_duration 7q; }\n"
                  "stream good { input fake://fake; }\n"
                  "stream unwritable { input fake://fake; dvr /proc/no; }\n"
                  "stream alsogood { input fake://fake width=320 height=180; }\n")
    wait_for(lambda: server.running("good") and server.running("alsogood"), 10, "the good ones run")
    assert not has_stream(server, "bad")
    errors = [line for line in server.log().splitlines() if " error " in line]
    assert len(errors) == 4 and ":2:50: found '7q'" in errors[0] and ":4:40:" in errors[1], errors
    assert "stream=bad is left out" in errors[2] and "unwritable" in errors[3], errors
    stats = server.get("/streamer/api/v3/config/stats", check=200).json
    assert stats["config_errors"] == 2, stats
    assert server.metric_sum("sluice_config_errors") == 2


def test_includes_and_globs_are_read_in_order():
    with folder_of_own() as folder:
        os.makedirs(f"{folder}/conf.d")
        for name in ("b", "a"):
            with open(f"{folder}/conf.d/{name}.conf", "w") as out:
                out.write(f"stream {name} {{ input fake://fake; }}\n")
        with open(f"{folder}/one.conf", "w") as out:
            out.write("template t { segment_duration 3; }\nstream one { template t; url fake://fake; }\n")
        with open(f"{folder}/conf.d/not-read.txt", "w") as out:
            out.write("nonsense;\n")
        server = Node(f"http @PORT@;\ninclude {folder}/one.conf;\ninclude {folder}/conf.d/*.conf;\n")
        wait_for(lambda: all(server.running(name) for name in ("one", "a", "b")), 10, "all run")
        assert server.stream("one")["segment_duration"] == 3000
        with open(f"{folder}/conf.d/a.conf", "w") as out:
            out.write("\n  stream a { inptu fake://fake; }\n")
        code, said, _ = check(f"http {free_port()};\ninclude {folder}/conf.d/*.conf;\n", folder)
        assert code == 1 and f"{folder}/conf.d/a.conf:2:14: found unknown word 'inptu'" in said[0], said
        with open(f"{folder}/one.conf", "w") as out:
            out.write(f"include {folder}/one.conf;\n")
        code, said, _ = check(f"http {free_port()};\ninclude {folder}/one.conf;\n", folder)
        assert code == 1 and len(said) < 5, ("a file that includes itself", said)


def test_dump_can_be_read_back_and_hides_secrets():
    with folder_of_own() as folder:
        first = (f"http 127.0.0.1:{free_port()};\ncluster_key \"very secret words\";\n"
                 "source m4s://user-site:8888 { only a b; cluster_key \"other secret\"; }\n"
                 "template t { segment_count 6; }\n"
                 f"stream x {{ template t; url fake://fake width=320 height=180; dvr {folder}/a 7d 10G; }}\n")
        path = os.path.join(folder, "first.conf")
        with open(path, "w") as out:
            out.write(first)
        dump = node.run([BINARY, "--dump", "-c", path], timeout=20)
        text = dump.stdout.decode()
        assert dump.returncode == 0 and "secret" not in text, text
        for words in ("width=320", "segment_count 6;", "m4s://user-site:8888", "7d", "10G"):
            assert words in text, (words, text)
        code, said, _ = check(text.replace("***", "abcdefghijkl0123456789"), folder)
        assert code == 0, (text, said)
        again = node.run([BINARY, "--dump", "-c", f"{folder}/tried.conf"], timeout=20).stdout.decode()
        assert again == text, "the dump of the dump is the dump"


def test_program_tells_about_itself():
    version = node.run([BINARY, "--version"]).stdout.decode()
    assert re.fullmatch(r"sluice \d+\.\d+\.\d+\n", version), version
    matrix = node.run([BINARY, "--protocols"]).stdout.decode()
    for name in ("fake", "m4s", "m4f", "hls", "mpegts", "mp4"):
        assert re.search(rf"^{name}\s", matrix, re.M), (name, matrix)
    usage = node.run([BINARY, "--help"])
    assert usage.returncode == 0 and b"-n" in usage.stdout and not usage.stderr
    manual = node.run([BINARY, "--help-config"]).stdout.decode()
    assert all(word in manual for word in ("segment_duration", "cluster_key", "dvr", "source"))


class Watcher(threading.Thread):
    """Watches a live stream and keeps the numbers of its pictures."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.frames, self.ended, self.stopped = [], False, False
        self.client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.client.request("GET", f"/{name}/mpegts?low_delay=1")
        self.answer = self.client.getresponse()
        self.start()

    def run(self):
        data = b""
        try:
            while not self.stopped:
                piece = self.answer.read1(65536)
                if not piece:
                    break
                data += piece
                behind = 0
                for behind, _, frame in stamps(data):
                    self.frames.append(frame)
                data = data[behind:]
        except OSError:
            pass
        self.ended = not self.stopped

    def stop(self):
        self.stopped = True
        self.join(10)
        self.client.close()


def test_reload_disturbs_nothing_that_did_not_change():
    kept = "stream kept { url fake://fake; dvr @DIR@/storage; segment_duration 1; }\n"
    source, receiver = pair(kept + "stream goes { url fake://fake; }\n"
                            "stream changes { url fake://fake; title First; }\n")
    wait_for(lambda: has_stream(receiver, "kept"), 10, "kept on the receiver")
    wait_for(lambda: source.running("kept"), 10, "kept runs")
    watchers = [Watcher(source, "kept"), Watcher(receiver, "kept")]
    wait_for(lambda: all(len(w.frames) > 30 for w in watchers), 20, "both watch")
    began = source.stats("kept")["start_running_at"]
    head = f"http @PORT@;\ncluster_key \"{node.KEY}\";\n"
    source.reload(head + "# a comment, and other lines\n\n" + kept +
                  "stream changes { url fake://fake width=320 height=180; title Second; }\n"
                  "stream comes { url fake://fake; }\n")
    wait_for(lambda: source.running("comes"), 10, "the new one runs")
    wait_for(lambda: not has_stream(source, "goes"), 10, "the old one is gone")
    wait_for(lambda: source.stream("changes").get("title") == "Second", 10, "the changed one changed")
    wait_for(lambda: has_stream(receiver, "comes") and not has_stream(receiver, "goes"), 10,
             "the receiver knows at once")
    errors = source.log().count("error config")
    for slip in ("streem", "stream kept { url fake://fake;"):  # a slip of the pen takes no stream away
        source.reload(head + kept.replace("stream", slip, 1))
        wait_for(lambda: source.log().count("error config") > errors, 10, "it is named")
        errors = source.log().count("error config")
    source.reload("nonsense {\n")  # a file that is none changes nothing
    wait_for(lambda: "nonsense" in source.log(), 10, "the broken file is named")
    source.reload("# an editor that is not done yet\n")
    wait_for(lambda: "the file says nothing" in source.log(), 10, "the empty file is named")
    assert has_stream(source, "changes") and has_stream(source, "comes")
    for _ in range(5):
        source.reload(head + kept)
    wait_for(lambda: not has_stream(source, "changes"), 10, "the last of five reloads counts")
    counted = [len(w.frames) for w in watchers]
    wait_for(lambda: all(len(w.frames) > n + 50 for w, n in zip(watchers, counted)), 20, "both go on")
    for watcher in watchers:
        watcher.stop()
        assert not watcher.ended, "the viewer was thrown out"
        assert {b - a for a, b in zip(watcher.frames, watcher.frames[1:])} == {1}, "pictures missing"
    assert source.stats("kept")["start_running_at"] == began, "it was not started again"
    until = int(time.time()) + 1
    status = source.get(f"/kept/recording_status.json?from={until - 3600}&to={until}", check=200).json
    assert len(status[0]["ranges"]) == 1, f"a hole in the recording: {status}"


def test_cluster_key_changes_by_reload():
    source, receiver = pair("stream main { url fake://fake; }")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    local = Watcher(source, "main")
    text = open(source.conf).read()
    source.reload(text.replace(node.KEY, "a very different key of this test"))
    wait_for(lambda: "wrong_key" in receiver.log(), 15, "the old key opens nothing any more")
    mine = open(receiver.conf).read()
    receiver.reload(mine.replace(node.KEY, "a very different key of this test"))
    wait_for(lambda: receiver.get("/main/mpegts", method="HEAD").status == 200, 20, "it works again")
    local.stop()
    assert not local.ended, "a viewer of the source saw nothing of it"
    for who in (source, receiver):
        assert "very different" not in who.log(), "keys are not logged"


def test_stop_says_goodbye_within_its_time():
    source, receiver = pair("stream main { url fake://fake; dvr @DIR@/storage; }")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    watcher = Watcher(receiver, "main")
    wait_for(lambda: len(watcher.frames) > 30, 10, "it is watched")
    began = time.monotonic()
    assert source.stop(10) == 0 and receiver.stop(10) == 0
    assert time.monotonic() - began < 8
    assert "shutdown" in receiver.log(), "the receiver was told why"
    watcher.join(10)
    assert watcher.ended
    started = subprocess.run([BINARY, "-n", "-c", source.conf], capture_output=True, timeout=20)
    assert started.returncode == 0, "the ports are free again"
