// SPDX-License-Identifier: MIT
// A camera that is not ours: gst-rtsp-server with one stream, for the end-to-end tests. Built by
// them:
//
//   cc -o rtsp_camera rtsp_camera.c $(pkg-config --cflags --libs gstreamer-rtsp-server-1.0)
//
// rtsp_camera PORT LAUNCH [none|basic|digest USER PASSWORD] [udp]
//
// Serves rtsp://127.0.0.1:PORT/live (port 0: a free one), prints "port N" when it listens, and ends
// when its standard input does. "udp": TCP transport is refused with 461.
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <string.h>

static gboolean on_input(GIOChannel *channel, GIOCondition condition, gpointer loop)
{
    (void)channel;
    (void)condition;
    g_main_loop_quit(loop);
    return FALSE;
}

static void use_password(GstRTSPServer *server, GstRTSPMediaFactory *factory, const char *kind,
                         const char *user, const char *password)
{
    GstRTSPAuth *auth = gst_rtsp_auth_new();
    GstRTSPToken *token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "user", NULL);
    if (strcmp(kind, "digest") == 0) {
        gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_DIGEST);
        gst_rtsp_auth_add_digest(auth, user, password, token);
    } else {
        gchar *basic = gst_rtsp_auth_make_basic(user, password);
        gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_BASIC);
        gst_rtsp_auth_add_basic(auth, basic, token);
        g_free(basic);
    }
    gst_rtsp_token_unref(token);
    gst_rtsp_server_set_auth(server, auth);
    g_object_unref(auth);
    gst_rtsp_media_factory_add_role(factory, "user", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                    G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                    G_TYPE_BOOLEAN, TRUE, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: rtsp_camera PORT LAUNCH [none|basic|digest USER PASSWORD] [udp]\n");
        return 2;
    }
    gst_init(NULL, NULL);
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GstRTSPServer *server = gst_rtsp_server_new();
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    gst_rtsp_server_set_address(server, "127.0.0.1");
    gst_rtsp_server_set_service(server, argv[1]);
    gst_rtsp_media_factory_set_launch(factory, argv[2]);
    gst_rtsp_media_factory_set_shared(factory, TRUE);
    if (strcmp(argv[argc - 1], "udp") == 0)
        gst_rtsp_media_factory_set_protocols(factory, GST_RTSP_LOWER_TRANS_UDP);
    if (argc >= 6 && strcmp(argv[3], "none") != 0)
        use_password(server, factory, argv[3], argv[4], argv[5]);
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    gst_rtsp_mount_points_add_factory(mounts, "/live", factory);
    g_object_unref(mounts);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        fprintf(stderr, "cannot listen on port %s\n", argv[1]);
        return 1;
    }
    printf("port %d\n", gst_rtsp_server_get_bound_port(server));
    fflush(stdout);
    GIOChannel *input = g_io_channel_unix_new(0);
    g_io_add_watch(input, G_IO_HUP | G_IO_IN, on_input, loop);
    g_main_loop_run(loop);
    return 0;
}
