// SPDX-License-Identifier: MIT
#include "io/file.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/clock.h"
#include "base/limits.h"
#include "file_faults.h"
#include "loop_fixture.h"
#include "temp_folder.h"
#include "unit.h"

// The last result, copied; and how many came.
struct answer {
    int count;
    struct file_result last;
    char text[65536];
    size_t length;
};

struct room {
    struct loop *loop;
    struct temp_folder folder;
    struct file_queue *queue;
    struct answer answer;
};

static void on_done(void *arg, const struct file_result *result)
{
    struct answer *answer = arg;
    answer->count++;
    answer->last = *result;
    answer->length = 0;
    if (result->data) {
        answer->length = result->data->length;
        if (answer->length < sizeof(answer->text)) {
            memcpy(answer->text, result->data->data, answer->length);
            answer->text[answer->length] = 0;
        }
    }
    answer->last.data = NULL;
}

static struct room *room_open(unsigned threads)
{
    static struct room room;
    memset(&room, 0, sizeof(room));
    room.loop = loop_fixture_new();
    temp_folder_make(&room.folder);
    file_faults_install();
    room.queue = file_queue_new(room.loop, "test", threads);
    return &room;
}

static void room_close(struct room *room)
{
    file_faults_remove();
    if (room->queue) {
        assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
        file_queue_free(&room->queue);
    }
    loop_fixture_free(&room->loop);
    temp_folder_remove(&room->folder);
}

// Waits for one more answer and returns it.
static struct file_result *wait_one(struct room *room, struct file_op *op)
{
    assert_non_null(op);
    int wanted = room->answer.count + 1;
    LOOP_UNTIL(room->loop, room->answer.count == wanted);
    return &room->answer.last;
}

static struct file *open_file(struct room *room, const char *name, int flags)
{
    struct file_result *result =
        wait_one(room, file_open(room->queue, temp_path(&room->folder, name), flags, 0644, on_done,
                                 &room->answer));
    assert_int_equal(result->err, 0);
    return result->file;
}

static struct chain text_chain(const char *text)
{
    struct chain chain = {0};
    chain_add_copy(&chain, text, strlen(text));
    return chain;
}

static struct file_op *append(struct room *room, struct file *file, const char *text)
{
    struct chain chain = text_chain(text);
    return file_append(file, &chain, on_done, &room->answer);
}

static const char *read_back(struct room *room, const char *name)
{
    struct file_result *result =
        wait_one(room, file_read_whole(room->queue, temp_path(&room->folder, name), 1 << 20,
                                       on_done, &room->answer));
    return result->err ? "(error)" : room->answer.text;
}

static void file_append_then_read_gives_the_bytes(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    assert_int_equal(wait_one(room, append(room, file, "hello "))->value, 6);
    assert_int_equal(wait_one(room, append(room, file, "world"))->value, 5);
    struct file_result *result = wait_one(room, file_read(file, 3, 5, on_done, &room->answer));
    assert_int_equal(result->value, 5);
    assert_string_equal(room->answer.text, "lo wo");
    result = wait_one(room, file_read(file, 9, 100, on_done, &room->answer));
    assert_int_equal(result->value, 2); // the end of the file
    assert_int_equal(result->err, 0);
    assert_int_equal(wait_one(room, file_sync(file, on_done, &room->answer))->err, 0);
    file_close(&file);
    assert_null(file);
    file = open_file(room, "a", O_RDWR); // appending goes on at the end
    wait_one(room, append(room, file, "!"));
    file_close(&file);
    assert_string_equal(read_back(room, "a"), "hello world!");
    room_close(room);
}

static void file_done_comes_in_a_later_turn_in_order(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    int before = room->answer.count;
    char text[3] = "0\n";
    for (int i = 0; i < 10; i++) {
        text[0] = (char)('0' + i);
        assert_non_null(append(room, file, text));
    }
    assert_int_equal(room->answer.count, before);
    file_close(&file); // after all of them
    assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
    assert_string_equal(read_back(room, "a"), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_int_equal(room->answer.count, before + 11);
    room_close(room);
}

static void file_open_with_create_makes_folders(void **state)
{
    (void)state;
    struct room *room = room_open(2);
    struct file *file = open_file(room, "x/y/z/f", O_RDWR | O_CREAT);
    file_close(&file);
    struct file_result *result =
        wait_one(room, file_open(room->queue, temp_path(&room->folder, "no/f"), O_RDWR, 0, on_done,
                                 &room->answer));
    assert_int_equal(result->err, ERR_NOT_FOUND);
    assert_int_equal(result->os_error, ENOENT);
    assert_null(result->file);
    room_close(room);
}

static void file_append_short_write_is_continued(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    struct chain chain = {0};
    chain_add_copy(&chain, "abc", 3);
    chain_add_copy(&chain, "defgh", 5);
    file_faults_shorten_write(1, 4);
    struct file_result *result = wait_one(room, file_append(file, &chain, on_done, &room->answer));
    assert_int_equal(result->err, 0);
    assert_int_equal(result->value, 8);
    assert_int_equal(file_faults_count(FAULT_WRITE), 2);
    file_close(&file);
    assert_string_equal(read_back(room, "a"), "abcdefgh");
    room_close(room);
}

static void file_append_full_disk_says_how_much_was_written(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    file_faults_space(5);
    struct file_result *result = wait_one(room, append(room, file, "abcdefgh"));
    assert_int_equal(result->err, ERR_IO);
    assert_int_equal(result->os_error, ENOSPC);
    assert_int_equal(result->value, 5);
    file_faults_space(SIZE_MAX);
    assert_int_equal(wait_one(room, file_truncate(file, 2, on_done, &room->answer))->err, 0);
    wait_one(room, append(room, file, "X"));
    file_close(&file);
    assert_string_equal(read_back(room, "a"), "abX");
    struct file_stats stats;
    file_queue_stats(room->queue, &stats);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.bytes_queued, 0);
    room_close(room);
}

static void file_punch_gives_bytes_back(void **state)
{
    (void)state;
    enum { LENGTH = 60000, FROM = 100, PUNCHED = 50000 };
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    struct buf *buf = buf_new(LENGTH);
    struct chain chain = {0};
    memset(buf->data, 'x', LENGTH);
    buf->length = LENGTH;
    chain_take(&chain, &buf);
    wait_one(room, file_append(file, &chain, on_done, &room->answer));
    file_faults_fail(FAULT_PUNCH, 1, false, EOPNOTSUPP);
    struct file_result *result =
        wait_one(room, file_punch(file, FROM, PUNCHED, on_done, &room->answer));
    assert_int_equal(result->err, ERR_IO);
    assert_int_equal(result->os_error, EOPNOTSUPP);
    result = wait_one(room, file_punch(file, FROM, PUNCHED, on_done, &room->answer));
    assert_int_equal(result->err, 0);
    int64_t used = result->value;
    assert_in_range(used, 1, LENGTH - PUNCHED + 8192);
    wait_one(room, file_read(file, 0, LENGTH, on_done, &room->answer));
    assert_int_equal(room->answer.length, LENGTH);
    for (unsigned i = 0; i < LENGTH; i++)
        assert_int_equal(room->answer.text[i], i < FROM || i >= FROM + PUNCHED ? 'x' : 0);
    file_close(&file);
    char line[64];
    (void)snprintf(line, sizeof line, "f a %d %lld\n", LENGTH, (long long)used);
    wait_one(room, file_list_used(room->queue, room->folder.path, on_done, &room->answer));
    assert_string_equal(room->answer.text, line);
    wait_one(room, file_names(room->queue, room->folder.path, on_done, &room->answer));
    assert_string_equal(room->answer.text, "f a 0 0\n");
    room_close(room);
}

static void file_replace_each_failing_call_leaves_the_old_file(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct chain chain = text_chain("old");
    const char *path = temp_path(&room->folder, "conf");
    struct file_result *result =
        wait_one(room, file_replace(room->queue, path, &chain, on_done, &room->answer));
    assert_int_equal(result->err, 0);
    assert_int_equal(chain.bytes, 0);
    bool replaced = false;
    for (unsigned n = 1; !replaced && n < 20; n++) {
        path = temp_path(&room->folder, "conf");
        chain = text_chain("new text");
        file_faults_fail(FAULT_ANY, n, false, EIO);
        result = wait_one(room, file_replace(room->queue, path, &chain, on_done, &room->answer));
        int err = result->err;
        file_faults_fail(FAULT_ANY, 0, false, 0);
        const char *now = read_back(room, "conf");
        if (err == 0)
            assert_string_equal(now, "new text");
        else
            assert_true(strcmp(now, "old") == 0 || strcmp(now, "new text") == 0);
        // Only the sync of the folder comes after the rename.
        replaced = strcmp(now, "new text") == 0;
        assert_true(replaced || err == ERR_IO);
        wait_one(room, file_list(room->queue, room->folder.path, on_done, &room->answer));
        assert_null(strstr(room->answer.text, ".new"));
    }
    assert_true(replaced);
    room_close(room);
}

static void file_remove_takes_empty_folders_up_to_stop(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *one = open_file(room, "s/2026/01/a", O_RDWR | O_CREAT);
    struct file *two = open_file(room, "s/2026/02/b", O_RDWR | O_CREAT);
    wait_one(room, append(room, one, "12345"));
    file_close(&one);
    file_close(&two);
    struct file_result *result =
        wait_one(room, file_remove(room->queue, temp_path(&room->folder, "s/2026/01/a"),
                                   temp_path(&room->folder, "s"), on_done, &room->answer));
    assert_int_equal(result->err, 0);
    assert_true(result->value >= 512);
    wait_one(room,
             file_list(room->queue, temp_path(&room->folder, "s/2026"), on_done, &room->answer));
    assert_string_equal(room->answer.text, "d 02\n");
    wait_one(room, file_remove(room->queue, temp_path(&room->folder, "s/2026/02/b"),
                               temp_path(&room->folder, "s"), on_done, &room->answer));
    wait_one(room, file_list(room->queue, temp_path(&room->folder, "s"), on_done, &room->answer));
    assert_string_equal(room->answer.text, "");
    result = wait_one(room, file_remove(room->queue, temp_path(&room->folder, "s/none"), NULL,
                                        on_done, &room->answer));
    assert_int_equal(result->err, ERR_NOT_FOUND);
    room_close(room);
}

static void file_move_makes_folders_and_never_replaces(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    const char *stop = room->folder.path;
    char from[256], to[256];
    struct file *file = open_file(room, "old/day/a", O_RDWR | O_CREAT);
    file_close(&file);
    file = open_file(room, "new/b", O_RDWR | O_CREAT);
    file_close(&file);
    (void)text_copy(from, sizeof from, temp_path(&room->folder, "old/day/a"));
    (void)text_copy(to, sizeof to, temp_path(&room->folder, "new/b"));
    struct file_result *result =
        wait_one(room, file_move(room->queue, from, to, stop, on_done, &room->answer));
    assert_int_equal(result->err, ERR_EXISTS);
    (void)text_copy(to, sizeof to, temp_path(&room->folder, "new/deep/c"));
    result = wait_one(room, file_move(room->queue, from, to, stop, on_done, &room->answer));
    assert_int_equal(result->err, 0);
    wait_one(room, file_list(room->queue, stop, on_done, &room->answer));
    assert_string_equal(room->answer.text, "d new\n");
    result = wait_one(room, file_move(room->queue, from, to, stop, on_done, &room->answer));
    assert_int_equal(result->err, ERR_NOT_FOUND);
    room_close(room);
}

static void file_list_sorts_and_tells_kinds(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "b", O_RDWR | O_CREAT);
    wait_one(room, append(room, file, "123"));
    file_close(&file);
    file = open_file(room, "a\nf evil 9", O_RDWR | O_CREAT);
    file_close(&file);
    wait_one(room, file_make_folders(room->queue, temp_path(&room->folder, "a/deep"), on_done,
                                     &room->answer));
    wait_one(room, file_rename(room->queue, temp_path(&room->folder, "b"),
                               temp_path(&room->folder, "c"), on_done, &room->answer));
    wait_one(room, file_list(room->queue, room->folder.path, on_done, &room->answer));
    assert_string_equal(room->answer.text, "d a\nf c 3\n");
    struct file_result *result = wait_one(
        room, file_list(room->queue, temp_path(&room->folder, "no"), on_done, &room->answer));
    assert_int_equal(result->err, ERR_NOT_FOUND);
    room_close(room);
}

static void file_read_whole_longer_than_most_is_limit(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct chain chain = text_chain("123456");
    wait_one(room, file_replace(room->queue, temp_path(&room->folder, "f"), &chain, on_done,
                                &room->answer));
    struct file_result *result =
        wait_one(room, file_read_whole(room->queue, temp_path(&room->folder, "f"), 5, on_done,
                                       &room->answer));
    assert_int_equal(result->err, ERR_LIMIT);
    result = wait_one(room, file_read_whole(room->queue, temp_path(&room->folder, "f"), 6, on_done,
                                            &room->answer));
    assert_int_equal(result->err, 0);
    room_close(room);
}

static void file_read_cached_gives_fresh_bytes_or_again(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    wait_one(room, append(room, file, "cached bytes"));
    struct buf *buf = NULL;
    int err = file_read_cached(file, 7, 100, &buf);
    if (err == 0) { // some file systems cannot tell
        assert_int_equal(buf->length, 5);
        assert_memory_equal(buf->data, "bytes", 5);
        buf_unref(&buf);
    }
    file_faults_uncached(true);
    assert_int_equal(file_read_cached(file, 0, 5, &buf), ERR_AGAIN);
    assert_null(buf);
    file_close(&file);
    room_close(room);
}

static void file_disk_usage_gives_sizes(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file_result *result =
        wait_one(room, file_disk_usage(room->queue, room->folder.path, on_done, &room->answer));
    uint64_t sizes[3];
    assert_int_equal(room->answer.length, sizeof(sizes));
    memcpy(sizes, room->answer.text, sizeof(sizes));
    assert_true(result->value >= 0 && result->value <= 1000);
    assert_true(sizes[0] > 0 && sizes[1] <= sizes[0]);
    struct stat found;
    assert_int_equal(stat(room->folder.path, &found), 0);
    assert_int_equal(sizes[2], found.st_dev);
    room_close(room);
}

static int64_t add_one(void *arg)
{
    return ++*(int *)arg;
}

static int64_t give_error(void *arg)
{
    (void)arg;
    return ERR_INVALID;
}

static void file_run_gives_the_value_or_error(void **state)
{
    (void)state;
    struct room *room = room_open(3);
    int number = 41;
    struct file_result *result =
        wait_one(room, file_run(room->queue, add_one, &number, on_done, &room->answer));
    assert_int_equal(result->value, 42);
    assert_int_equal(result->err, 0);
    result = wait_one(room, file_run(room->queue, give_error, NULL, on_done, &room->answer));
    assert_int_equal(result->err, ERR_INVALID);
    room_close(room);
}

static void file_lock_is_had_by_one_and_goes_with_the_file(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    const char *path = temp_path(&room->folder, "lock");
    char other[FILE_LOCK_TEXT];
    assert_false(file_is_locked_now(path, other, sizeof other));
    struct file_result *result =
        wait_one(room, file_lock(room->queue, path, "1 first\n", on_done, &room->answer));
    assert_int_equal(result->err, 0);
    struct file *file = result->file;
    assert_non_null(file);
    assert_true(file_is_locked_now(path, other, sizeof other));
    assert_string_equal(other, "1 first\n");
    assert_int_equal(file_lock_now(path, "2 second\n", other, sizeof other), -1);
    assert_int_equal(errno, EEXIST);
    assert_string_equal(other, "1 first\n");
    result = wait_one(room, file_lock(room->queue, path, "2 second\n", on_done, &room->answer));
    assert_int_equal(result->err, ERR_EXISTS);
    assert_memory_equal(room->answer.text, "1 first\n", 8);
    file_close(&file);
    assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
    int descriptor = file_lock_now(path, "3\n", other, sizeof other);
    assert_true(descriptor >= 0);
    assert_true(file_is_locked_now(path, other, sizeof other));
    assert_string_equal(other, "3\n");
    close(descriptor);
    assert_false(file_is_locked_now(path, other, sizeof other));
    result = wait_one(room, file_lock(room->queue, temp_path(&room->folder, "none/lock"), "4",
                                      on_done, &room->answer));
    assert_int_equal(result->err, ERR_NOT_FOUND);
    room_close(room);
}

// Whatever the process dies of.
static void file_lock_goes_with_the_process(void **state)
{
    (void)state;
    struct temp_folder folder;
    char other[FILE_LOCK_TEXT], byte;
    int ready[2], status;
    temp_folder_make(&folder);
    const char *path = temp_path(&folder, "lock");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        byte = file_lock_now(path, "child\n", other, sizeof other) >= 0;
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    assert_int_equal(file_lock_now(path, "mine\n", other, sizeof other), -1);
    assert_string_equal(other, "child\n");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    int descriptor = file_lock_now(path, "mine\n", other, sizeof other);
    assert_true(descriptor >= 0);
    close(descriptor);
    close(ready[0]);
    close(ready[1]);
    temp_folder_remove(&folder);
}

static void file_op_cancel_open_closes_the_file(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    file_faults_hold(FAULT_OPEN, true);
    struct file_op *op = file_open(room->queue, temp_path(&room->folder, "a"), O_RDWR | O_CREAT,
                                   0644, on_done, &room->answer);
    file_op_cancel(&op);
    assert_null(op);
    file_faults_hold(FAULT_OPEN, false);
    assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
    assert_int_equal(room->answer.count, 0);
    assert_int_equal(file_faults_count(FAULT_CLOSE), 1);
    room_close(room);
}

static void file_op_cancel_read_not_begun_is_not_done(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    file_faults_hold(FAULT_SYNC, true);
    int before = room->answer.count;
    assert_non_null(file_sync(file, on_done, &room->answer));
    struct file_op *op = file_read(file, 0, 10, on_done, &room->answer);
    file_op_cancel(&op);
    file_faults_hold(FAULT_SYNC, false);
    file_close(&file);
    assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
    assert_int_equal(room->answer.count, before + 1);
    assert_int_equal(file_faults_count(FAULT_READ), 0);
    room_close(room);
}

static void file_queue_full_refuses_and_empties_the_chain(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    file_faults_hold(FAULT_WRITE, true);
    struct buf *block = buf_new(64 << 20); // its pages are never touched
    block->length = block->capacity;
    struct chain chain = {0};
    int taken = 0;
    for (;; taken++) {
        chain_add(&chain, block, 0, block->length);
        if (!file_append(file, &chain, NULL, NULL))
            break;
    }
    assert_int_equal(chain.count, 0);
    assert_int_equal(taken, FILE_QUEUE_BYTES_MAX / (64 << 20));
    struct file_stats stats;
    file_queue_stats(room->queue, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.bytes_queued, FILE_QUEUE_BYTES_MAX);
    unsigned ops = stats.queued;
    while (file_sync(file, NULL, NULL))
        ops++;
    assert_int_equal(ops, FILE_QUEUE_MAX);
    file_faults_fail(FAULT_WRITE, 1, true, EIO); // not 256 MB to the disk
    file_faults_hold(FAULT_WRITE, false);
    file_close(&file); // never refused
    assert_true(file_queue_flush(room->queue, 10 * US_PER_S));
    file_queue_stats(room->queue, &stats);
    assert_int_equal(stats.queued, 0);
    buf_unref(&block);
    room_close(room);
}

static void file_queue_hung_disk_does_not_hold_the_loop(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file_queue *other = file_queue_new(room->loop, "other", 1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    file_faults_hold(FAULT_WRITE, true);
    assert_non_null(append(room, file, "stuck"));
    while (file_faults_waiting() == 0)
        loop_turn(room->loop, false);
    int before = room->answer.count;
    struct file_op *op = file_list(other, room->folder.path, on_done, &room->answer);
    wait_one(room, op); // the other disk goes on
    struct file_stats stats;
    file_queue_stats(room->queue, &stats);
    assert_int_equal(stats.queued, 1);
    assert_true(stats.oldest_us > 0);
    assert_false(file_queue_flush(room->queue, 10 * US_PER_MS));
    assert_int_equal(room->answer.count, before + 1);
    file_queue_free(&other);
    file_close(&file);
    file_faults_hold(FAULT_WRITE, false);
    room_close(room);
}

// Until only the loop's own memory is left.
static void wait_queue_gone(struct room *room)
{
    struct loop *empty = loop_new();
    long with_empty = mem_live_count();
    loop_free(&empty);
    long loop_only = with_empty - mem_live_count();
    LOOP_UNTIL(room->loop, mem_live_count() <= loop_only);
}

// The write comes back when its queue was given up.
static void file_queue_free_while_busy_goes_when_done(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    struct file *file = open_file(room, "a", O_RDWR | O_CREAT);
    file_faults_hold(FAULT_WRITE, true);
    int before = room->answer.count;
    assert_non_null(append(room, file, "late"));
    file_close(&file);
    file_queue_free(&room->queue);
    loop_turn(room->loop, false);
    assert_true(mem_live_count() > 0);
    file_faults_hold(FAULT_WRITE, false);
    wait_queue_gone(room);
    assert_int_equal(file_faults_count(FAULT_CLOSE), 1);
    assert_int_equal(room->answer.count, before);
    room_close(room);
}

static void free_queue(void *arg, const struct file_result *result)
{
    (void)result;
    struct room *room = arg;
    room->answer.count++;
    file_queue_free(&room->queue);
}

static void file_queue_free_inside_done_is_fine(void **state)
{
    (void)state;
    struct room *room = room_open(1);
    for (int i = 0; i < 3; i++)
        assert_non_null(file_list(room->queue, room->folder.path, free_queue, room));
    LOOP_UNTIL(room->loop, room->answer.count == 1);
    wait_queue_gone(room);
    assert_int_equal(room->answer.count, 1);
    room_close(room);
}

static void file_queue_many_threads_keep_order_per_path(void **state)
{
    (void)state;
    enum { FILES = 6, ROUNDS = 50 };
    struct room *room = room_open(4);
    struct file *files[FILES];
    char name[16];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        files[i] = open_file(room, name, O_RDWR | O_CREAT);
    }
    char expected[ROUNDS + 1] = "";
    for (int round = 0; round < ROUNDS; round++) {
        char text[2] = {(char)('A' + round % 26), 0};
        expected[round] = text[0];
        for (int i = 0; i < FILES; i++) {
            struct chain chain = text_chain(text);
            assert_non_null(file_append(files[i], &chain, NULL, NULL));
        }
    }
    for (int i = 0; i < FILES; i++)
        file_close(&files[i]);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        assert_string_equal(read_back(room, name), expected); // submitted after all of them
    }
    room_close(room);
}

TEST_MAIN(TEST(file_append_then_read_gives_the_bytes),
          TEST(file_done_comes_in_a_later_turn_in_order), TEST(file_open_with_create_makes_folders),
          TEST(file_append_short_write_is_continued),
          TEST(file_append_full_disk_says_how_much_was_written),
          TEST(file_replace_each_failing_call_leaves_the_old_file),
          TEST(file_remove_takes_empty_folders_up_to_stop),
          TEST(file_move_makes_folders_and_never_replaces), TEST(file_list_sorts_and_tells_kinds),
          TEST(file_punch_gives_bytes_back), TEST(file_read_whole_longer_than_most_is_limit),
          TEST(file_read_cached_gives_fresh_bytes_or_again), TEST(file_disk_usage_gives_sizes),
          TEST(file_run_gives_the_value_or_error), TEST(file_op_cancel_open_closes_the_file),
          TEST(file_lock_is_had_by_one_and_goes_with_the_file),
          TEST(file_lock_goes_with_the_process), TEST(file_op_cancel_read_not_begun_is_not_done),
          TEST(file_queue_full_refuses_and_empties_the_chain),
          TEST(file_queue_hung_disk_does_not_hold_the_loop),
          TEST(file_queue_free_while_busy_goes_when_done),
          TEST(file_queue_free_inside_done_is_fine),
          TEST(file_queue_many_threads_keep_order_per_path))
