// SPDX-License-Identifier: MIT
#include "media/frame.h"

#include "unit.h"

static void frame_new_takes_the_buffer(void **state)
{
    (void)state;
    struct buf *buf = buf_new_copy("picture", 7);
    struct frame *frame = frame_new(3, &buf);
    assert_null(buf);
    assert_int_equal(frame->track, 3);
    assert_int_equal(frame->refs, 1);
    assert_int_equal(frame->length, 7);
    assert_memory_equal(frame_data(frame), "picture", 7);
    assert_false(frame_is_key(frame));
    frame->flags |= FRAME_KEY;
    assert_true(frame_is_key(frame));
    assert_int_equal(frame_live_count(), 1);
    frame_unref(&frame);
    assert_null(frame);
    assert_int_equal(frame_live_count(), 0);
}

static void frame_unref_shared_lives_until_the_last(void **state)
{
    (void)state;
    struct buf *buf = buf_new_copy("x", 1), *other = buf_ref(buf);
    struct frame *one = frame_new(0, &buf), *two = frame_ref(one);
    frame_unref(&one);
    assert_int_equal(frame_live_count(), 1);
    assert_int_equal(other->refs, 2);
    frame_unref(&two);
    assert_int_equal(other->refs, 1);
    buf_unref(&other);
    frame_unref(&two); // NULL is fine
}

static void unref_twice(void *arg)
{
    struct buf *buf = buf_new_copy("x", 1);
    struct frame *frame = frame_new(0, &buf), *again = frame_ref(frame), *stale = frame;
    (void)arg;
    frame_unref(&frame);
    frame_unref(&again);
    frame_ref(stale);
}

static void frame_ref_after_the_end_dies(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); // the sanitizer ends it before the check does
#endif
    assert_true(unit_dies(unref_twice, NULL));
}

TEST_MAIN(TEST(frame_new_takes_the_buffer), TEST(frame_unref_shared_lives_until_the_last),
          TEST(frame_ref_after_the_end_dies))
