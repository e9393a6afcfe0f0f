// SPDX-License-Identifier: MIT
// Configurations from text to values: what each mistake is told as, what it leaves out and what it
// does not touch; defaults, units, templates, includes; the dump and the manual.
#include "conf_fixture.h"

#include "base/clock.h"
#include "conf_file.h"
#include "conf_option.h"
#include "conf_parse.h"
#include "golden.h"

#define KEY "cluster_key 0123456789abcdef-long;\n"

static bool golden_buf(const char *path, const struct buf *buf)
{
    char *text = mem_strndup((const char *)buf->data, buf->length);
    bool equal = golden_equal(path, text);
    mem_free(text);
    return equal;
}

// ---- mistakes -----------------------------------------------------------------------------------

#define CACHE_WORDS "one absolute path, one depth (2d, 10h) and one size (400G) at most"
#define DVR_WORDS                                                                                  \
    "an absolute path, a depth (7d, 10h), a fill of the disk (90%), a size (10G), free=SIZE, "     \
    "sync=TIME, schedule=FROM-TO,... or mounted"

static const struct {
    const char *text, *lines;
} mistakes[] = {
    // words
    {"http 80;\nstrem main { input fake://fake; }\n",
     "a.conf:2:1: found unknown word 'strem', expected an option of the file; did you mean "
     "'stream'?\n"},
    {"http 80;\nstream a {\n  input fake://fake;\n  segment_duraton 4;\n}\n",
     "a.conf:4:3: found unknown word 'segment_duraton', expected an option of stream; did you mean "
     "'segment_duration'?\n"},
    {"http 80;\nxyzzy 1 2 { a b; c { d; } }\nloglevel debug;\n",
     "a.conf:2:1: found unknown word 'xyzzy', expected an option of the file\n"},
    {"http 80;\nsource a:1 { input fake://fake; }\n",
     "a.conf:2:14: found unknown word 'input', expected an option of source\n"},
    // ; and braces
    {"http 80\nloglevel info;\n", "a.conf:1:8: found 'loglevel', expected ';'\n"},
    {"http 80;\nstream a { input fake://fake }\n", "a.conf:2:29: found '}', expected ';'\n"},
    {"http 80;\nstream a { input fake://fake; \n",
     "a.conf:3:1: found the end of the file, expected '}' for the stream of line 2\n"},
    {"http 80;\nstream a {\n input fake://fake;\nstream b {\n input fake://fake;\n}\n",
     "a.conf:4:1: found 'stream', expected '}' for the stream of line 2\n"},
    {"http 80;\nstream a\n input fake://fake;\n}\n", "a.conf:2:9: found 'input', expected '{'\n"},
    {"http 80;\n}\n", "a.conf:2:1: found '}', expected a '{' before it\n"},
    {"http 80;\n{ a b; }\n", "a.conf:2:1: found '{', expected a word in front of it\n"},
    {"http 80 { api false; }\n", "a.conf:1:9: found '{', expected ';'\n"},
    {"http 80;\nloglevel info", "a.conf:2:14: found the end of the file, expected ';'\n"},
    {"http 80;\nstream a { input fake://fake; title \"x; }\n}\n",
     "a.conf:2:37: found the end of the line, expected a closing '\"'\n"},
    {"http 80;\nloglevel in\001fo;\n", "a.conf:2:10: found a control character, expected text\n"},
    // values
    {"http 80x;\n", "a.conf:1:6: found '80x', expected a port from 1 to 65535, perhaps with an "
                    "address in front\n"},
    {"http 0;\n", "a.conf:1:6: found '0', expected a port from 1 to 65535, perhaps with an address "
                  "in front\n"},
    {"http ::1:80;\n", "a.conf:1:6: found '::1:80', expected a port from 1 to 65535, perhaps with "
                       "an address in front\n"},
    {"http 80;\nhttp 80;\n",
     "a.conf:2:6: found '80', expected an address and port that no other http line has\n"},
    {"http;\n", "a.conf:1:1: found nothing, expected PORT | ADDRESS:PORT | [ADDRESS]:PORT\n"},
    {"http 80 81;\n",
     "a.conf:1:9: found '81', expected ';' (a text with spaces stands in quotes)\n"},
    {"http 80;\nloglevel dbug;\n", "a.conf:2:10: found 'dbug', expected error, warn, info or "
                                   "debug; did you mean 'debug'?\n"},
    {"http 80;\nloglevel info;\nloglevel warn;\n",
     "a.conf:3:1: found a second 'loglevel', expected one (the first one: a.conf:2:1)\n"},
    {"http 80;\nstream a { input fake://fake; segment_duration 20; }\n",
     "a.conf:2:48: found '20', expected 1 to 15 seconds\n"},
    {"http 80;\nstream a { input fake://fake; clients_timeout 1w; }\n",
     "a.conf:2:47: found '1w', expected a time: seconds, or with s, m, h or d behind the number\n"},
    {"http 80;\nstream a { input fake://fake; segment_count 101; }\n",
     "a.conf:2:45: found '101', expected a number from 1 to 100\n"},
    {"http 80;\nstream a { input fake://fake; static maybe; }\n",
     "a.conf:2:38: found 'maybe', expected true or false\n"},
    {"http 80;\nstream a { input fake://fake; title a b; }\n",
     "a.conf:2:39: found 'b', expected ';' (a text with spaces stands in quotes)\n"},
    // dvr
    {"http 80;\nstream a { input fake://fake; dvr /d 7x; }\n",
     "a.conf:2:38: found '7x', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d 120%; }\n",
     "a.conf:2:38: found '120%', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d 1d 2d; }\n",
     "a.conf:2:41: found '2d', expected one of each kind, but paths, at most\n"},
    {"http 80;\nstream a { input fake://fake; dvr 7d; }\n",
     "a.conf:2:31: found no path, expected PATH... [DEPTH] [PERCENT] [SIZE] [free=SIZE] "
     "[sync=TIME] [schedule=FROM-TO,...] [mounted]\n"},
    {"http 80;\nstream a { input fake://fake; dvr /a /b /a; }\n",
     "a.conf:2:41: found '/a', expected at most 4 paths, each once\n"},
    {"http 80;\nstream a { input fake://fake; dvr /1 /2 /3 /4 /5; }\n",
     "a.conf:2:47: found '/5', expected at most 4 paths, each once\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d shedule=8-9; }\n",
     "a.conf:2:38: found 'shedule=8-9', expected " DVR_WORDS "; did you mean 'schedule'?\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d schedule=8:00-8; }\n",
     "a.conf:2:38: found 'schedule=8:00-8', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d sync=0; }\n",
     "a.conf:2:38: found 'sync=0', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d sync=2h; }\n",
     "a.conf:2:38: found 'sync=2h', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d free=20; }\n",
     "a.conf:2:38: found 'free=20', expected " DVR_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; dvr /d; dvr_offline /d; }\n",
     "a.conf:2:39: found dvr_offline beside dvr, expected one of the two\n"},
    // caches
    {"http 80;\nstream a { input fake://fake; cache 2d; }\n",
     "a.conf:2:31: found no path, expected PATH [DEPTH] [SIZE]\n"},
    {"http 80;\nstream a { input fake://fake; cache /c 2d 3h; }\n",
     "a.conf:2:43: found '3h', expected " CACHE_WORDS "\n"},
    {"http 80;\nstream a { input fake://fake; cache /c 4G 0G; }\n",
     "a.conf:2:43: found '0G', expected " CACHE_WORDS "\n"},
    // inputs
    {"http 80;\nstream a { input rtps://cam/1; }\n",
     "a.conf:2:18: found 'rtps://cam/1', expected a URL that begins with fake://, rtsp://, "
     "rtsps://; did you mean 'rtsp'?\n"},
    {"http 80;\nstream a { input fake://fake fsp=5; }\n",
     "a.conf:2:30: found 'fsp=5', expected an option of fake; did you mean 'fps'?\n"},
    {"http 80;\nstream a { input rtsp://cam fps=5; }\n",
     "a.conf:2:29: found 'fps=5', expected an option of rtsp, which has none\n"},
    {"http 80;\nstream a { input fake://fake fps=5 fps=6; }\n",
     "a.conf:2:36: found 'fps=6', expected each option once\n"},
    {"http 80;\nstream a { input fake://nowhere; }\n",
     "a.conf:2:18: found 'fake://nowhere', expected an input of fake that can work (there is "
     "nothing)\n"},
    {"http 80;\nstream a { input; }\n",
     "a.conf:2:12: found nothing, expected URL [KEY=VALUE]...\n"},
    // names
    {"http 80;\nstream a b { input fake://fake; }\n",
     "a.conf:2:10: found 'b', expected ';' (a text with spaces stands in quotes)\n"},
    {"http 80;\nstream ../x { input fake://fake; }\n",
     "a.conf:2:8: found '../x', expected the name of a stream: letters, digits, . - _ and single / "
     "between parts, at most 127\n"},
    {"http 80;\nstream { input fake://fake; }\n",
     "a.conf:2:1: found nothing, expected the name of a stream\n"},
    {"http 80;\nstream a { input fake://fake; }\nstream a { input fake://fake; }\n",
     "a.conf:3:8: found a second stream 'a', expected another name (the first one: a.conf:2:1)\n"},
    // sources
    {"http 80;\nsource rtsp://cam:554;\n",
     "a.conf:2:8: found scheme 'rtsp', expected HOST:PORT, m4s://HOST:PORT or m4f://HOST:PORT, and "
     "perhaps /PREFIX\n"},
    {"http 80;\nsource;\n", "a.conf:2:1: found no address, expected HOST:PORT\n"},
    {"http 80;\nsource m4s://a:80 { only b ../c; }\n",
     "a.conf:2:28: found '../c', expected the name of a stream, PREFIX/* or *\n"},
    {"http 80;\nsource a:80 a;\n",
     "a.conf:2:13: found a second source a:80/, expected another one\n"},
    // templates
    {"http 80;\ntemplate hd { dvr /d 7x; }\nstream a { template hd; input fake://fake; }\n",
     "a.conf:2:22: found '7x', expected " DVR_WORDS "\n"},
    {"http 80;\ntemplate hd { }\nstream a { template hf; input fake://fake; }\n",
     "a.conf:3:21: found 'hf', expected the name of a template; did you mean 'hd'?\n"},
    // warnings
    {"http 80;\ncluster_key 123;\n",
     "a.conf:2:13: warning: found a key that can be guessed, expected a random one such as "
     "'openssl rand -hex 16' prints\n"},
    {"http 80;\nstream a { }\n",
     "a.conf:2:1: warning: found stream 'a' without an input, expected at least one\n"},
    {"", "a.conf: warning: found no http line, expected one such as 'http 8888;'\n"},
    // the admin; the password is not shown
    {"http 80;\nedit_auth admin;\n", "a.conf:2:11: expected USER PASSWORD\n"},
    {"http 80;\nedit_auth a:b hunter2;\n",
     "a.conf:2:11: found 'a:b', expected a user of 1 to 255 bytes without ':'\n"},
    {"http 80;\nedit_auth a \"\";\n", "a.conf:2:13: expected a password of 1 to 255 bytes\n"},
    // several, in the order of the lines
    {"loglevel x;\nhttp 0;\nstream a { title; dvr b; }\nbogus;\n",
     "a.conf:1:10: found 'x', expected error, warn, info or debug\n"
     "a.conf:2:6: found '0', expected a port from 1 to 65535, perhaps with an address in front\n"
     "a.conf:3:12: found nothing, expected TEXT\n"
     "a.conf:3:19: found no path, expected PATH... [DEPTH] [PERCENT] [SIZE] [free=SIZE] "
     "[sync=TIME] [schedule=FROM-TO,...] [mounted]\n"
     "a.conf:3:23: found 'b', expected " DVR_WORDS "\n"
     "a.conf:4:1: found unknown word 'bogus', expected an option of the file\n"},
};

static void conf_read_mistake_is_told_exactly(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct conf_problems problems = {0};
        struct conf *conf = fixture_read_as("a.conf", mistakes[i].text, &problems);
        if (strcmp(fixture_lines(&problems), mistakes[i].lines) != 0) {
            print_error("%s-- gives\n%s-- not\n%s", mistakes[i].text, fixture_lines(&problems),
                        mistakes[i].lines);
            wrong++;
        }
        conf_free(&conf);
        conf_problems_fini(&problems);
    }
    assert_int_equal(wrong, 0);
}

static void conf_read_secret_in_a_mistake_is_masked(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "http 80;\nstream a { input rtps://joe:hunter2@cam/1; }\n",
        "http 80;\nstream a { input rtsp://joe:hun/ter2@cam/1 x=1; }\n",
        "http 80;\nstream a { input rtsp://cam/1 password=hunter2; }\n",
        "http 80;\nstream a { input rtsps://cam/1?token=hunter2 bogus; }\n",
        "http 80;\nstream a { input fake://nowhere?passphrase=hunter2; }\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct conf_problems problems = {0};
        struct conf *conf = fixture_read_as("a.conf", texts[i], &problems);
        assert_true(problems.errors > 0);
        assert_null(strstr(fixture_lines(&problems), "hunter2"));
        assert_null(strstr(fixture_lines(&problems), "ter2"));
        conf_free(&conf);
        conf_problems_fini(&problems);
    }
}

static void conf_read_bad_stream_leaves_the_rest(void **state)
{
    (void)state;
    // A wrong unit, a missing ';', an unknown word, a bad quote: each costs its own stream only.
    static const char text[] = "http 80;\n"
                               "stream a { input fake://fake; segment_count x; }\n"
                               "stream b { input fake://fake }\n"
                               "stream c { input fake://fake; bogus { x; } }\n"
                               "stream d { input fake://fake; title \"x; }\n}\n"
                               "stream good { input fake://fake; }\n"
                               "source one:1 { bogus; }\n"
                               "source two:2;\n";
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf", text, &problems);
    assert_int_equal(problems.errors, 5);
    assert_int_equal(conf->stream_count, 1);
    assert_string_equal(conf->stream[0]->conf.name, "good");
    assert_int_equal(conf->bad_stream_count, 4);
    assert_string_equal(conf->bad_stream[3], "d");
    assert_true(conf->bad_source);
    assert_int_equal(conf->source_count, 1);
    assert_string_equal(conf->source[0]->conf.host, "two");
    assert_int_equal(conf->listen_count, 1);
    assert_true(problems.structure);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

static void conf_read_many_mistakes_are_counted(void **state)
{
    (void)state;
    char *text = mem_alloc(8 * 3000);
    for (int i = 0; i < 3000; i++)
        memcpy(text + 5L * i, "bad;\n", 5);
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf", text, &problems);
    assert_int_equal(problems.errors, 3000);
    assert_int_equal(problems.count, CONF_PROBLEMS_MAX);
    conf_free(&conf);
    conf_problems_fini(&problems);
    mem_free(text);
}

// ---- what it reads ------------------------------------------------------------------------------

static void conf_read_the_two_files_of_the_readme(void **state)
{
    (void)state;
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf",
                                        "http 8888;\n"
                                        "cluster_key 123;\n"
                                        "stream main {\n"
                                        "  url fake://fake;\n"
                                        "  dvr /storage;\n"
                                        "}\n",
                                        &problems);
    assert_int_equal(problems.errors, 0);
    assert_int_equal(conf->listen[0].port, 8888);
    assert_string_equal(conf->listen[0].host, "");
    assert_string_equal(conf->cluster_key, "123");
    const struct stream_conf *stream = &conf->stream[0]->conf;
    assert_string_equal(stream->name, "main");
    assert_string_equal(stream->input[0].url, "fake://fake");
    assert_string_equal(stream->dvr.path[0], "/storage");
    assert_true(stream->is_static && !stream->disabled && !stream->remote);
    conf_free(&conf);
    conf = fixture_read_as("b.conf",
                           "http 9999;\n"
                           "cluster_key 123;\n"
                           "source m4s://FLUSSONIC-IP:8888;\n",
                           &problems);
    assert_int_equal(problems.errors, 0);
    const struct source_conf *source = &conf->source[0]->conf;
    assert_string_equal(source->host, "FLUSSONIC-IP");
    assert_int_equal(source->port, 8888);
    assert_true(source->m4s && !source->has_only && !source->cluster_key);
    assert_true(source->defaults.remote && !source->defaults.is_static);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

static void conf_read_every_option_of_a_stream(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80; http 127.0.0.1:8080; http [::1]:81;\n"
                                     "loglevel debug; # the rest of the line\n"
                                     "stream cam/1 {\n"
                                     "  input fake://fake fps=10\n"
                                     "    width=640; url rtsp://u:p@h/x#y;\n"
                                     "  dvr 10G 90% /storage/ 7d;\n"
                                     "  segment_duration 2; segment_count 6; static false;\n"
                                     "  clients_timeout 2m; source_timeout off; disabled;\n"
                                     "  title \"Gate \\\"3\\\" \\\\ x\";\n"
                                     "};\n"
                                     "stream b { input fake://fake; title\n \"static\";\n}\n");
    assert_int_equal(conf->listen_count, 3);
    assert_string_equal(conf->listen[1].host, "127.0.0.1");
    assert_int_equal(conf->listen[1].port, 8080);
    assert_string_equal(conf->listen[2].host, "::1");
    assert_int_equal(conf->loglevel, LOG_LEVEL_DEBUG);
    const struct stream_conf *stream = &conf->stream[0]->conf;
    assert_string_equal(stream->name, "cam/1");
    assert_int_equal(stream->input_count, 2);
    assert_string_equal(input_conf_get(&stream->input[0], "fps"), "10");
    assert_string_equal(input_conf_get(&stream->input[0], "width"), "640");
    assert_string_equal(stream->input[1].url, "rtsp://u:p@h/x#y");
    assert_string_equal(stream->dvr.path[0], "/storage");
    assert_int_equal(stream->dvr.depth_s, 7 * 86400);
    assert_int_equal(stream->dvr.percent, 90);
    assert_true(stream->dvr.size_bytes == 10ULL << 30);
    assert_int_equal(stream->segment_duration_us, 2 * US_PER_S);
    assert_int_equal(stream->segment_count, 6);
    assert_int_equal(stream->clients_timeout_us, 120 * US_PER_S);
    assert_int_equal(stream->source_timeout_us, 0);
    assert_true(stream->disabled && !stream->is_static);
    assert_string_equal(stream->title, "Gate \"3\" \\ x");
    // In quotes a known word at the beginning of a line begins no statement.
    assert_string_equal(conf->stream[1]->conf.title, "static");
    conf_free(&conf);
}

// Section 6 of the peers' lessons and 2.1.5: by age, fill, size and free space, on several disks.
static void conf_read_dvr_with_everything(void **state)
{
    (void)state;
    struct conf *conf = fixture_read(
        "http 80;\n"
        "template t { dvr /t 1d free=1G schedule=1-2 mounted; }\n"
        "stream a { input fake://fake; dvr 50% /one/ free=20G /two sync=30s 7d mounted "
        "schedule=8:00-16:00,22-1:30,0-24; }\n"
        "stream b { input fake://fake; template t; dvr_offline /b; }\n"
        "stream c { input fake://fake; template t; }\n");
    assert_int_equal(conf->stream_count, 3);
    const struct dvr_conf *dvr = &conf->stream[0]->conf.dvr;
    assert_int_equal(dvr->path_count, 2);
    assert_string_equal(dvr->path[0], "/one");
    assert_string_equal(dvr->path[1], "/two");
    assert_true(dvr->free_bytes == 20ULL << 30 && dvr->sync_us == 30 * US_PER_S);
    assert_true(dvr->percent == 50 && dvr->depth_s == 7 * 86400 && dvr->mounted && !dvr->offline);
    assert_int_equal(dvr->span_count, 3);
    assert_true(dvr->span[0].from_m == 480 && dvr->span[0].to_m == 960);
    assert_true(dvr->span[1].from_m == 1320 && dvr->span[1].to_m == 90);
    assert_true(dvr->span[2].from_m == 0 && dvr->span[2].to_m == 1440);
    // A line replaces that of the template as a whole.
    dvr = &conf->stream[1]->conf.dvr;
    assert_true(dvr->offline && !dvr->mounted && dvr->span_count == 0 && dvr->free_bytes == 0);
    assert_true(dvr->path_count == 1 && dvr->depth_s == 0 && dvr->sync_us == DVR_SYNC_US);
    dvr = &conf->stream[2]->conf.dvr;
    assert_true(!dvr->offline && dvr->mounted && dvr->span_count == 1);
    conf_free(&conf);
}

static void conf_read_sources(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "source one:81 m4f://[2001:db8::1]/cams/ {\n"
                                     "  only;\n  except a b/*;\n  dvr /d 1d;\n"
                                     "  cluster_key 0123456789abcdef-long;\n"
                                     "}\n"
                                     "source m4s://two { only x *; }\n");
    assert_int_equal(conf->source_count, 3);
    const struct source_conf *one = &conf->source[0]->conf, *v6 = &conf->source[1]->conf;
    assert_true(!one->m4s && one->port == 81 && one->has_only && one->only_count == 0);
    assert_int_equal(one->except_count, 2);
    assert_string_equal(one->except[1], "b/*");
    assert_string_equal(one->cluster_key, "0123456789abcdef-long");
    assert_string_equal(one->defaults.dvr.path[0], "/d");
    assert_string_equal(v6->host, "2001:db8::1");
    assert_string_equal(v6->prefix_in_url, "cams");
    assert_int_equal(v6->port, 80);
    assert_int_equal(v6->except_count, 2);
    assert_true(conf->source[2]->conf.m4s && conf->source[2]->conf.only_count == 2);
    conf_free(&conf);
}

static void conf_read_template_is_overridden_by_the_stream(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "stream a { segment_count 9; template t; }\n"
                                     "stream b { template t; input rtsp://cam; }\n"
                                     "source c:1 { template t; }\n"
                                     "template t { input fake://fake; segment_count 7;\n"
                                     "  dvr /d 3d; static false; }\n");
    const struct stream_conf *a = &conf->stream[0]->conf, *b = &conf->stream[1]->conf;
    assert_int_equal(a->segment_count, 9);
    assert_string_equal(a->input[0].url, "fake://fake");
    assert_int_equal(b->segment_count, 7);
    assert_int_equal(b->input_count, 1);
    assert_string_equal(b->input[0].url, "rtsp://cam");
    assert_false(b->is_static);
    const struct stream_conf *c = &conf->source[0]->conf.defaults;
    assert_int_equal(c->segment_count, 7);
    assert_string_equal(c->dvr.path[0], "/d");
    assert_int_equal(c->input_count, 0);
    conf_free(&conf);
}

static void conf_read_default_of_the_table_is_the_default(void **state)
{
    (void)state;
    // Each default written out gives what leaving it out gives.
    char text[2048] = "http 80; stream a { input fake://fake;";
    for (size_t i = 0; i < conf_option_count; i++) {
        if ((conf_options[i].sections & CONF_STREAM) && conf_options[i].standard)
            text_append(text, sizeof(text), " %s %s;", conf_options[i].word,
                        conf_options[i].standard);
    }
    text_append(text, sizeof(text), " }");
    assert_non_null(strstr(text, "segment_duration 4;"));
    struct conf *written = fixture_read(text);
    struct conf *absent = fixture_read("http 80; stream a { input fake://fake; }");
    assert_true(stream_conf_equal(&written->stream[0]->conf, &absent->stream[0]->conf));
    conf_free(&written);
    conf_free(&absent);
}

// ---- include ------------------------------------------------------------------------------------

static void put(struct conf_files *files, const char *path, const char *text)
{
    conf_files_put(files, path, bytes_of(text, strlen(text)));
}

static void conf_read_include_of_files_and_stars(void **state)
{
    (void)state;
    protocols_install(fixture_protocols);
    struct conf_files *files = conf_files_new();
    struct conf_problems problems = {0};
    put(files, "/etc/s/a.conf", "http 80; include d/*.conf more.conf;");
    put(files, "/etc/s/more.conf", "stream last { include in/side; }");
    put(files, "/etc/s/in/side", "input fake://fake;");
    put(files, "/etc/s/d/1.conf", "stream one { input fake://fake; }");
    put(files, "/etc/s/d/2 b.conf", "stream two { input fake://fake; bogus; }");
    conf_files_put_folder(
        files, "/etc/s/d",
        bytes_of("f .no.conf 1\nf 1.conf 33\nf 2 b.conf 4\nd 3.conf\nf x 1\n", 53));
    struct conf *conf = conf_read(files, "/etc/s/a.conf", &problems);
    assert_string_equal(fixture_lines(&problems),
                        "/etc/s/d/2 b.conf:1:33: found unknown word 'bogus', expected an option of "
                        "stream\n");
    assert_int_equal(conf->stream_count, 2);
    assert_string_equal(conf->stream[0]->conf.name, "one");
    assert_string_equal(conf->stream[1]->conf.name, "last");
    assert_string_equal(conf->stream[1]->conf.input[0].url, "fake://fake");
    conf_free(&conf);
    conf_files_free(&files);
    conf_problems_fini(&problems);
}

static void conf_read_include_that_fails_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"http 80;\ninclude gone.conf;",
         "a.conf:2:9: found file gone.conf: No such file or directory, expected a file that can be "
         "read\n"},
        {"http 80;\ninclude a.conf;\n",
         "a.conf:2:9: found an include nested too deep, expected at most 16; does a.conf include "
         "itself?\n"},
        {"http 80;\ninclude */x;\n",
         "a.conf:2:9: found '*/x', expected a star in the last part of the path only\n"},
        {"http 80;\ninclude d/*;\n",
         "a.conf:2:9: found folder d: Permission denied, expected a folder\n"},
        {"http 80;\nstream a { include open.conf; }\n",
         "open.conf:1:1: found '}', expected a '{' before it\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        protocols_install(fixture_protocols);
        struct conf_files *files = conf_files_new();
        struct conf_problems problems = {0};
        put(files, "a.conf", cases[i].text);
        put(files, "open.conf", "}");
        conf_files_put_error(files, "gone.conf", "No such file or directory");
        conf_files_put_error(files, "d", "Permission denied");
        struct conf *conf = conf_read(files, "a.conf", &problems);
        assert_true(strstr(fixture_lines(&problems), cases[i].lines) != NULL);
        assert_int_equal(conf->stream_count, 0);
        conf_free(&conf);
        conf_files_free(&files);
        conf_problems_fini(&problems);
    }
}

static void collect(void *arg, const char *pattern)
{
    text_append(arg, 256, "%s,", pattern);
}

static void conf_parse_includes_finds_them_all(void **state)
{
    (void)state;
    static const char text[] =
        "include a b;# include no;\nstream x { include \"c d\"; title include; "
        "}\nhttp 80\ninclude e";
    char found[256] = "";
    conf_parse_includes("a.conf", bytes_of(text, strlen(text)), collect, found);
    assert_string_equal(found, "a,b,c d,e,");
    conf_parse_includes("a.cfg", bytes_of(text, strlen(text)), collect, found);
    assert_string_equal(found, "a,b,c d,e,");
}

// ---- the tree, both syntaxes --------------------------------------------------------------------

static struct buf *tree_of(const char *path, const char *text)
{
    struct conf_files *files = conf_files_new();
    struct conf_problems problems = {0};
    put(files, path, text);
    struct conf_tree *tree = conf_parse(files, path, &problems);
    assert_string_equal(fixture_lines(&problems), "");
    struct buf *printed = conf_tree_print(tree);
    conf_tree_free(&tree);
    conf_files_free(&files);
    return printed;
}

static void conf_parse_cfg_gives_the_same_tree(void **state)
{
    (void)state;
    struct buf *ours = tree_of("a.conf", "http 8888; http 127.0.0.1:80; cluster_key 123;\n"
                                         "stream main { url fake://fake fps=10; input \"x y\";\n"
                                         "  dvr /storage 7d; disabled; segment_count 5; }\n"
                                         "source m4s://a:1 b { only; except c d/*; }\n");
    struct buf *theirs =
        tree_of("a.cfg", "http = (8888, \"127.0.0.1:80\"); // two\ncluster_key = \"123\";\n"
                         "stream = ({ name = \"main\"; input = ([\"fake://fake\", \"fps=10\"],\n"
                         "  \"x y\"); dvr = [\"/storage\", \"7d\"]; disabled = [];\n"
                         "  segment_count = 5; });\n"
                         "source = { name = [\"m4s://a:1\", \"b\"]; only = [];\n"
                         "  except = [\"c\", \"d/*\"]; };\n");
    assert_int_equal(ours->length, theirs->length);
    assert_memory_equal(ours->data, theirs->data, ours->length);
    assert_true(golden_buf("conf/tree.txt", ours));
    buf_unref(&ours);
    buf_unref(&theirs);
}

static void conf_read_cfg_mistake_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"http = 80;\nstrem = ();\n",
         "a.cfg:2:1: found unknown word 'strem', expected an option of "
         "the file; did you mean 'stream'?\n"},
        {"http = 80\nlog level\n", "a.cfg:2:1: found syntax error, expected libconfig's syntax\n"},
        {"# 99999999999\nhttp = 99999999999;\n",
         "a.cfg:2:8: found the integer 99999999999, expected one under 2147483648, or an L behind "
         "it, or quotes around it\n"},
        {"http = 80;\n@include \"x\"\n",
         "a.cfg:2:1: found '@include', expected no include in a .cfg file\n"},
        {"http = { a = 1; };\n", "a.cfg:1:1: found a group, expected the words of 'http'\n"},
        {"http = 80;\ninclude = \"x\";\n",
         "a.cfg:2:1: found 'include', expected no include in a .cfg file\n"},
        {"http = 80;\nloglevel = \"a\\nb\";\n",
         "a.cfg:2:1: found a control character, expected text\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conf_problems problems = {0};
        struct conf *conf = fixture_read_as("a.cfg", cases[i].text, &problems);
        assert_string_equal(fixture_lines(&problems), cases[i].lines);
        conf_free(&conf);
        conf_problems_fini(&problems);
    }
}

// ---- archive paths ------------------------------------------------------------------------------

static void conf_paths_apply_leaves_out_what_cannot_record(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "stream a { input fake://fake; dvr /good; }\n"
                                     "stream b { input fake://fake;\n  dvr /bad 7d; }\n"
                                     "stream c { input fake://fake; dvr /good/ 1d; }\n"
                                     "source d:1 { dvr /bad; }\n");
    struct conf *known = fixture_read("http 80; stream z { input fake://fake; dvr /good; }");
    struct conf_problems problems = {0};
    struct conf_paths paths;
    conf_paths_init(&paths, conf, known);
    assert_int_equal(paths.count, 1);
    conf_paths_fini(&paths);
    conf_paths_init(&paths, conf, NULL);
    assert_int_equal(paths.count, 2);
    paths.item[0].usable = true;
    text_copy(paths.item[1].why, sizeof(paths.item[1].why), "no room");
    conf_paths_apply(&paths, conf, &problems);
    assert_string_equal(fixture_lines(&problems),
                        "a.conf:4:3: found archive path '/bad', expected a folder that can be "
                        "found or made, and written (no room)\n"
                        "a.conf:6:14: found archive path '/bad', expected a folder that can be "
                        "found or made, and written (no room)\n");
    assert_int_equal(conf->stream_count, 2);
    assert_string_equal(conf->stream[1]->conf.name, "c");
    assert_string_equal(conf->bad_stream[0], "b");
    assert_true(conf->bad_source && conf->source_count == 0);
    conf_paths_fini(&paths);
    conf_free(&conf);
    conf_free(&known);
    conf_problems_fini(&problems);
}

static void conf_paths_apply_goes_on_with_the_disks_that_work(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "stream a { input fake://fake; dvr /bad /good; }\n"
                                     "stream b { input fake://fake; dvr /bad /worse; }\n");
    struct conf_problems problems = {0};
    struct conf_paths paths;
    conf_paths_init(&paths, conf, NULL);
    assert_int_equal(paths.count, 3);
    for (size_t i = 0; i < paths.count; i++) {
        paths.item[i].usable = strcmp(paths.item[i].path, "/good") == 0;
        text_copy(paths.item[i].why, sizeof(paths.item[i].why), "gone");
    }
    conf_paths_apply(&paths, conf, &problems);
    assert_string_equal(fixture_lines(&problems),
                        "a.conf:2:31: warning: found archive path '/bad', expected a folder that "
                        "can be found or made, and written (gone)\n"
                        "a.conf:3:31: found archive path '/bad', expected a folder that can be "
                        "found or made, and written (gone)\n"
                        "a.conf:3:31: found archive path '/worse', expected a folder that can be "
                        "found or made, and written (gone)\n");
    assert_int_equal(conf->stream_count, 1);
    conf_paths_fini(&paths);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

static void conf_paths_bad_cache_is_a_warning(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "stream a { input fake://fake; cache /bad/; }\n"
                                     "source d:1 { dvr /good;\n  cache /bad 2d; }\n"
                                     "source e:1 { cache /good 1G; }\n");
    struct conf_problems problems = {0};
    struct conf_paths paths;
    conf_paths_init(&paths, conf, NULL);
    assert_int_equal(paths.count, 2);
    assert_string_equal(paths.item[0].path, "/bad");
    text_copy(paths.item[0].why, sizeof(paths.item[0].why), "no room");
    paths.item[1].usable = true;

    conf_paths_apply(&paths, conf, &problems);

    assert_string_equal(fixture_lines(&problems),
                        "a.conf:2:31: warning: found cache path '/bad', expected a folder that can "
                        "be found or made, and written (no room)\n"
                        "a.conf:4:3: warning: found cache path '/bad', expected a folder that can "
                        "be found or made, and written (no room)\n");
    assert_int_equal(conf->stream_count, 1);
    assert_int_equal(conf->source_count, 2);
    conf_paths_fini(&paths);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

// What is not mounted is neither touched nor left out: the recorder waits for it.
static void conf_paths_unmounted_is_a_warning(void **state)
{
    (void)state;
    struct conf *conf =
        fixture_read("http 80;\n"
                     "stream a { input fake://fake; dvr /proc-nowhere mounted; }\n");
    struct conf_problems problems = {0};
    struct conf_paths paths;
    conf_paths_init(&paths, conf, NULL);
    conf_paths_check(&paths);
    assert_true(access("/proc-nowhere", F_OK) != 0);
    conf_paths_apply(&paths, conf, &problems);
    assert_string_equal(fixture_lines(&problems),
                        "a.conf:2:31: warning: found nothing mounted at archive path "
                        "'/proc-nowhere', expected the file system that belongs there (it is not "
                        "used before)\n");
    assert_int_equal(conf->stream_count, 1);
    conf_paths_fini(&paths);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

// A disk that hangs leaves nothing out, its own streams neither: what it is like shows later.
static void conf_paths_without_an_answer_is_a_warning(void **state)
{
    (void)state;
    struct conf *conf = fixture_read("http 80;\n"
                                     "stream a { input fake://fake; dvr /dev/null/never; }\n"
                                     "stream b { input fake://fake; dvr /dev/null/nor; }\n");
    struct conf_problems problems = {0};
    struct conf_paths paths, told;
    conf_paths_init(&paths, conf, NULL);
    conf_paths_check(&paths);
    assert_true(paths.count == 2 && paths.item[0].answered && paths.item[1].answered);
    paths.item[0].answered = false;
    conf_paths_answered(&paths, &told);
    conf_paths_apply(&told, conf, &problems);
    const char *lines = fixture_lines(&problems);
    assert_non_null(strstr(lines, "a.conf:2:31: warning: found no answer from the disk of archive "
                                  "path '/dev/null/never', expected one"));
    assert_non_null(strstr(lines, "a.conf:3:31: found archive path"));
    assert_int_equal(conf->stream_count, 1);
    conf_paths_fini(&told);
    conf_paths_fini(&paths);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

// ---- printing -----------------------------------------------------------------------------------

static const char dumped[] =
    "http 8888; http [::1]:80; http 127.0.0.1:81; edit_auth admin hunter2;\n" KEY
    "template t { dvr /archive \"/second disk\" 36h 80% 500M free=3G sync=30 "
    "schedule=8-16:30,22-1:05 mounted; }\n"
    "stream main { input rtsp://joe:hunter2@cam/1; input \"fake://fake?token=hunter2\" fps=5 "
    "passphrase=hunter2; template t; title \"Gate \\\"3\\\"\"; source_timeout false; }\n"
    "stream plain { input fake://fake; static false; disabled; dvr_offline /d; }\n"
    "source m4s://[2001:db8::1]:81/cams { only a b/*; cluster_key hunter2hunter2hunter2; }\n"
    "source host:82 { only; except c; dvr /d; cache /ssd/ 2d 400G; }\n";

static void conf_dump_is_effective_and_masked(void **state)
{
    (void)state;
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf", dumped, &problems);
    assert_int_equal(problems.errors, 0);
    struct buf *text = conf_dump(conf);
    assert_null(memmem(text->data, text->length, "hunter2", 7));
    assert_null(memmem(text->data, text->length, "0123456789abcdef", 16));
    assert_true(golden_buf("conf/dump.txt", text));
    buf_unref(&text);
    conf_free(&conf);
    conf_problems_fini(&problems);
}

static void conf_dump_reads_back_the_same(void **state)
{
    (void)state;
    struct conf_problems problems = {0};
    struct conf *conf = fixture_read_as("a.conf", dumped, &problems);
    struct buf *first = conf_dump(conf);
    conf_free(&conf);
    char *text = mem_strndup((const char *)first->data, first->length);
    conf = fixture_read_as("a.conf", text, &problems);
    assert_int_equal(problems.errors, 0);
    struct buf *second = conf_dump(conf);
    assert_int_equal(first->length, second->length);
    assert_memory_equal(first->data, second->data, first->length);
    conf_free(&conf);
    mem_free(text);
    buf_unref(&first);
    buf_unref(&second);
    conf_problems_fini(&problems);
}

static void conf_help_is_the_manual(void **state)
{
    (void)state;
    struct buf *text = conf_help();
    assert_true(golden_buf("../../docs/CONFIG.md", text));
    buf_unref(&text);
}

static char *read_sample(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = mem_alloc(65536);
    size_t length = fread(text, 1, 65535, file);
    fclose(file);
    text[length] = 0;
    return text;
}

// Every option stands in conf/sluice.conf, in use or behind a '#'; and each sample is right.
static void conf_samples_are_right_and_complete(void **state)
{
    (void)state;
    static const char *const samples[] = {"conf/sluice.conf", "conf/minimal.conf",
                                          "conf/cluster/source.conf", "conf/cluster/receiver.conf"};
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct conf_problems problems = {0};
        char *text = read_sample(samples[i]);
        struct conf *conf = fixture_read_as("a.conf", text, &problems);
        if (problems.errors)
            fail_msg("%s: %s", samples[i], fixture_lines(&problems));
        conf_free(&conf);
        conf_problems_fini(&problems);
        for (size_t k = 0; i == 0 && k < conf_option_count; k++) {
            char word[64];
            text_format(word, sizeof(word), "%s", conf_options[k].word);
            if (!strstr(text, word))
                fail_msg("%s: '%s' is missing", samples[i], word);
        }
        mem_free(text);
    }
}

TEST_MAIN(TEST(conf_read_mistake_is_told_exactly), TEST(conf_read_secret_in_a_mistake_is_masked),
          TEST(conf_read_bad_stream_leaves_the_rest), TEST(conf_read_many_mistakes_are_counted),
          TEST(conf_read_the_two_files_of_the_readme), TEST(conf_read_every_option_of_a_stream),
          TEST(conf_read_dvr_with_everything), TEST(conf_read_sources),
          TEST(conf_read_template_is_overridden_by_the_stream),
          TEST(conf_read_default_of_the_table_is_the_default),
          TEST(conf_read_include_of_files_and_stars), TEST(conf_read_include_that_fails_is_told),
          TEST(conf_parse_includes_finds_them_all), TEST(conf_parse_cfg_gives_the_same_tree),
          TEST(conf_read_cfg_mistake_is_told), TEST(conf_paths_apply_leaves_out_what_cannot_record),
          TEST(conf_paths_apply_goes_on_with_the_disks_that_work),
          TEST(conf_paths_bad_cache_is_a_warning), TEST(conf_paths_unmounted_is_a_warning),
          TEST(conf_paths_without_an_answer_is_a_warning), TEST(conf_dump_is_effective_and_masked),
          TEST(conf_dump_reads_back_the_same), TEST(conf_help_is_the_manual),
          TEST(conf_samples_are_right_and_complete))
