// SPDX-License-Identifier: MIT
#include "stream/viewer.h"

#include "unit.h"

#include "stream_fixture.h"

static unsigned viewers(struct stream *stream)
{
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    return stats.viewers;
}

static void viewer_open_and_close_are_counted(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    struct viewer *one = viewer_open(stream, VIEWER_LIVE, "mpegts", "192.0.2.1");
    struct viewer *two = viewer_open(stream, VIEWER_PAST, "mp4", "192.0.2.1");
    assert_int_equal(viewers(stream), 2);
    viewer_count_bytes(one, 700);
    viewer_close(&one);
    assert_null(one);
    assert_int_equal(viewers(stream), 1);
    viewer_close(&two);
    viewer_close(&two); // NULL is fine
    assert_int_equal(viewers(stream), 0);
    struct stream_stats stats;
    stream_get_stats(stream, &stats);
    assert_int_equal(stats.viewer_bytes, 700);
    fixture_fini();
}

static void viewer_touch_same_player_is_one_and_expires(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    for (int i = 0; i < 5; i++) {
        viewer_touch(stream, VIEWER_LIVE, "hls", "192.0.2.1", "player");
        loop_fixture_run(fixture.loop, 4000000);
    }
    viewer_touch(stream, VIEWER_LIVE, "hls", "192.0.2.1", "another player");
    viewer_touch(stream, VIEWER_LIVE, "hls", "192.0.2.2", "player");
    assert_int_equal(viewers(stream), 3);
    loop_fixture_run(fixture.loop, 28000000);
    assert_int_equal(viewers(stream), 2); // the first was seen four seconds earlier
    loop_fixture_run(fixture.loop, 8000000);
    assert_int_equal(viewers(stream), 0);
    fixture_fini();
}

static void viewer_close_after_the_stream_went_is_fine(void **state)
{
    (void)state;
    fixture_init();
    struct stream_conf conf = fixture_conf("main", 1);
    struct stream *stream = fixture_stream(&conf);
    struct viewer *viewer = viewer_open(stream, VIEWER_LIVE, "mpegts", "192.0.2.1");
    stream_close(&stream, REASON_CONFIG);
    loop_fixture_settle(fixture.loop);
    viewer_count_bytes(viewer, 10);
    viewer_close(&viewer);
    fixture_fini();
}

TEST_MAIN(TEST(viewer_open_and_close_are_counted),
          TEST(viewer_touch_same_player_is_one_and_expires),
          TEST(viewer_close_after_the_stream_went_is_fine))
