# SPDX-License-Identifier: MIT
"""Cameras through a server that is not ours (gst-rtsp-server): codecs, transports, passwords, loss
of the camera; what comes out is judged by ffmpeg."""
import os

from camera import AAC, Camera, H264, H264_B, H264_SETS_IN_SDP, H265, L16, OPUS, PCMA
from node import Node, decodes_cleanly, packets, probe, wait_for


def serve(url, options=""):
    server = Node(f"http @PORT@;\nstream cam {{ input {url} {options}; segment_duration 1; }}\n",
                  name="server")
    return server


def plays(server, limit=30):
    wait_for(lambda: server.running("cam"), limit, "frames of the camera")


def codecs(source):
    return sorted(stream["codec_name"] for stream in probe(source)["streams"])


def segments(server, playlist):
    """A file with the listed segments, once there are some; with fragments, the init in front."""
    def ready():
        answer = server.get(f"/cam/{playlist}")
        return answer.status == 200 and answer.text.count("#EXTINF") >= 3
    wait_for(ready, 30, "three segments")
    listed = server.playlist(f"/cam/{playlist}")
    path = os.path.join(server.folder, f"segments-{playlist}")
    with open(path, "wb") as out:
        if listed.map:
            out.write(listed.fetch(listed.map))
        for uri in listed.uris:
            out.write(listed.fetch(uri))
    return path


def test_h264_and_aac_with_digest_over_tcp():
    with Camera(H264, AAC, auth="digest") as cam:
        server = serve(cam.url())
        plays(server)
        decodes_cleanly(server.url("/cam/mpegts"), seconds=3)
        assert codecs(server.url("/cam/mpegts")) == ["aac", "h264"]
        assert cam.password not in server.log() and "p%40ss" not in server.log()


def test_h264_with_basic_over_udp():
    with Camera(H264_SETS_IN_SDP, AAC, auth="basic") as cam:
        server = serve(cam.url(), "rtp=udp")
        plays(server)
        decodes_cleanly(server.url("/cam/mpegts"), seconds=3)


def test_tcp_refused_falls_back_to_udp():
    with Camera(H264, udp_only=True) as cam:
        server = serve(cam.url())
        plays(server)
        assert "transport refused=tcp trying=udp" in server.log()
        decodes_cleanly(server.url("/cam/mpegts"), seconds=2)


def test_wrong_password_is_not_tried_again_soon():
    with Camera(H264, auth="digest") as cam:
        server = serve(cam.url(password="wrong"))
        wait_for(lambda: "lost reason=auth" in server.log(), 10, "the refusal in the log")
        line = next(line for line in server.log().splitlines() if "lost reason=auth" in line)
        delay = float(line.rsplit("retry=", 1)[1].rstrip("s"))
        assert delay > 15, line
        assert "wrong" not in server.log()


def test_b_frames_get_decode_times():
    with Camera(H264_B, AAC) as cam:
        server = serve(cam.url())
        plays(server)
        decodes_cleanly(server.url("/cam/mpegts"), seconds=4)
        decodes_cleanly(segments(server, "index.fmp4.m3u8"))
        seen = packets(segments(server, "index.m3u8"))
        decode = [float(packet["dts_time"]) for packet in seen]
        show = [float(packet["pts_time"]) for packet in seen]
        assert all(b > a for a, b in zip(decode, decode[1:])), "decode times rise"
        assert all(p >= d for p, d in zip(show, decode)), "nothing is shown before it is decoded"
        assert show != sorted(show), "there are B-frames"


def test_h265_and_opus():
    with Camera(H265, OPUS) as cam:
        server = serve(cam.url())
        plays(server)
        path = segments(server, "index.fmp4.m3u8")
        decodes_cleanly(path)
        assert codecs(path) == ["hevc", "opus"]


def test_pcma_and_a_track_that_is_left_out():
    with Camera(H264, PCMA, L16) as cam:
        server = serve(cam.url())
        plays(server)
        assert "codec=L16" in server.log(), "the other track is named"
        path = segments(server, "index.fmp4.m3u8")
        decodes_cleanly(path, expect_warnings=("Guessed Channel Layout",))
        assert codecs(path) == ["h264", "pcm_alaw"]


def test_camera_that_goes_and_comes_back():
    cam = Camera(H264, AAC)
    server = serve(cam.url())
    plays(server)
    cam.close()
    wait_for(lambda: not server.running("cam"), 20, "the loss is noticed")
    with Camera(H264, AAC, port=cam.port):
        plays(server)
        decodes_cleanly(server.url("/cam/mpegts"), seconds=2)


def test_lip_sync_follows_the_sender_reports():
    with Camera(H264, AAC) as cam:
        server = serve(cam.url())
        plays(server)
        # Both test sources begin together; their encoders differ by a few frames at most.
        path = segments(server, "index.m3u8")
        video, audio = packets(path), packets(path, stream="a:0")
        apart = float(video[0]["pts_time"]) - float(audio[0]["pts_time"])
        assert abs(apart) < 0.3, apart
