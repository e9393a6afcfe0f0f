// SPDX-License-Identifier: MIT
// Plain values of a `source` line: copies own what they hold, and every field counts when two are
// compared.
#include "unit.h"

#include "cluster/source_conf.h"

static void conf_fill(struct source_conf *conf)
{
    source_conf_init(conf);
    mem_free(conf->host);
    conf->host = mem_strdup("192.0.2.7");
    conf->port = 8888;
    conf->m4s = true;
    conf->cluster_key = mem_strdup("k");
    conf->has_only = true;
    conf->only = mem_alloc(sizeof(char *));
    conf->only[conf->only_count++] = mem_strdup("cam/*");
    conf->except = mem_alloc(sizeof(char *));
    conf->except[conf->except_count++] = mem_strdup("cam/3");
    conf->defaults.dvr.path[conf->defaults.dvr.path_count++] = mem_strdup("/storage");
}

static void source_conf_init_gives_a_remote_stream_on_demand(void **state)
{
    (void)state;
    struct source_conf conf;
    source_conf_init(&conf);
    assert_true(conf.defaults.remote && !conf.defaults.is_static && !conf.has_only);
    assert_int_equal(conf.port, 80);
    assert_string_equal(conf.prefix_in_url, "");
    source_conf_fini(&conf);
}

static void source_conf_copy_outlives_the_original(void **state)
{
    (void)state;
    struct source_conf conf, copy;
    conf_fill(&conf);
    source_conf_copy(&copy, &conf);
    assert_true(source_conf_equal(&copy, &conf));
    source_conf_fini(&conf);
    assert_string_equal(copy.host, "192.0.2.7");
    assert_string_equal(copy.only[0], "cam/*");
    assert_string_equal(copy.except[0], "cam/3");
    assert_string_equal(copy.cluster_key, "k");
    assert_string_equal(copy.defaults.dvr.path[0], "/storage");
    source_conf_fini(&copy);
}

static void source_conf_equal_sees_a_change_of_each_field(void **state)
{
    (void)state;
    for (int field = 0; field < 9; field++) {
        struct source_conf a, b;
        conf_fill(&a);
        conf_fill(&b);
        assert_true(source_conf_equal(&a, &b));
        switch (field) {
        case 0:
            b.host[0] = '2';
            break;
        case 1:
            b.port++;
            break;
        case 2:
            b.m4s = false;
            break;
        case 3:
            mem_free(b.cluster_key);
            b.cluster_key = NULL;
            break;
        case 4:
            b.cluster_key[0] = 'x';
            break;
        case 5:
            b.only[0][0] = 'x';
            break;
        case 6:
            mem_free(b.except[--b.except_count]);
            break;
        case 7:
            mem_free(b.prefix_in_url);
            b.prefix_in_url = mem_strdup("cam");
            break;
        default:
            b.defaults.segment_count++;
        }
        assert_false(source_conf_equal(&a, &b));
        source_conf_fini(&a);
        source_conf_fini(&b);
    }
}

TEST_MAIN(TEST(source_conf_init_gives_a_remote_stream_on_demand),
          TEST(source_conf_copy_outlives_the_original),
          TEST(source_conf_equal_sees_a_change_of_each_field))
