// SPDX-License-Identifier: MIT
// Servers that tell each other what they have, in memory and in virtual time.
#include "cluster/cluster.h"

#include "unit.h"

#include "base/clock.h"
#include "catalogue_wire.h"
#include "cluster_priv.h"
#include "link_net.h"
#include "loop_fixture.h"
#include "stream/source.h"
#include "stream/viewer.h"

// Inputs that never give anything; it is counted that they were asked.
static unsigned pulls;

static void stop(struct source *source)
{
    (void)source;
}

static int pull(const struct protocol_env *env, struct source *source)
{
    static const struct source_ops ops = {.stop = stop};
    (void)env;
    pulls++;
    source_set_engine(source, &ops, NULL);
    return 0;
}

static const struct protocol silent = {
    .name = "silent", .schemes = {"test", "m4s", "m4f"}, .pull = pull};
static const struct protocol *const table[] = {&silent, NULL};

struct server {
    struct site site;
    struct cluster *cluster;
};

static struct link_net net;

static void net_open(void)
{
    pulls = 0;
    protocols_install(table);
    link_net_open(&net);
}

static void server_open(struct server *server, const char *host)
{
    site_open(&server->site, &net, host);
    server->cluster = cluster_new(&server->site.env);
}

static void server_close(struct server *server)
{
    cluster_free(&server->cluster);
    site_close(&server->site);
}

static struct source_conf source_of(const char *host)
{
    struct source_conf conf;
    source_conf_init(&conf);
    mem_free(conf.host);
    conf.host = mem_strdup(host);
    conf.port = 8888;
    conf.m4s = true;
    return conf;
}

static void names_add(char ***names, unsigned *count, const char *name)
{
    *names = mem_resize(*names, (*count + 1) * sizeof **names);
    (*names)[(*count)++] = mem_strdup(name);
}

// Takes the sources.
static void use(struct server *server, struct source_conf *list, unsigned count)
{
    cluster_set_sources(server->cluster, list, count);
    for (unsigned i = 0; i < count; i++)
        source_conf_fini(&list[i]);
    link_net_run(&net, US_PER_S);
}

static void use_plain(struct server *server, const char *first, const char *second)
{
    struct source_conf list[2];
    unsigned count = 0;
    list[count++] = source_of(first);
    if (second)
        list[count++] = source_of(second);
    use(server, list, count);
}

static struct stream *own(struct server *server, const char *name, const char *title)
{
    struct stream_conf conf;
    struct stream *stream;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "%s", name);
    conf.title = title ? mem_strdup(title) : NULL;
    conf.is_static = false;
    (void)stream_conf_add_input(&conf, "test://camera");
    assert_int_equal(stream_create(server->site.env.streams, &conf, &stream), 0);
    stream_conf_fini(&conf);
    return stream;
}

static struct stream *get(struct server *server, const char *name)
{
    return streams_get(server->site.env.streams, name);
}

static const struct stream_conf *conf_of(struct server *server, const char *name)
{
    assert_non_null(get(server, name));
    return stream_conf(get(server, name));
}

static void settle(void)
{
    loop_fixture_settle(net.loop);
}

struct totals {
    unsigned sources, up, streams;
    enum reason reason;
    int64_t rtt_us;
};

static void add_up(void *arg, const struct cluster_source_stats *stats)
{
    struct totals *totals = arg;
    totals->sources++;
    totals->up += stats->up;
    totals->streams += stats->streams;
    totals->reason = stats->last_reason;
    totals->rtt_us = stats->rtt_us;
}

static struct totals totals_of(struct server *server)
{
    struct totals totals = {0};
    cluster_each_source(server->cluster, add_up, &totals);
    return totals;
}

// ---- one source --------------------------------------------------------------------------------

static void cluster_takes_everything_on_demand(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", "Gate 3");
    own(&there, "site/b", NULL);
    use_plain(&here, "there", NULL);
    assert_int_equal(streams_count(here.site.env.streams), 2);
    const struct stream_conf *conf = conf_of(&here, "main");
    assert_true(conf->remote);
    assert_false(conf->is_static);
    assert_string_equal(conf->title, "Gate 3");
    assert_int_equal(conf->input_count, 1);
    assert_string_equal(conf->input[0].url, "m4s://there:8888/main");
    assert_int_equal(conf->input[0].option_count, 0);
    assert_string_equal(conf_of(&here, "site/b")->input[0].url, "m4s://there:8888/site/b");
    assert_true(cluster_owns(here.cluster, "main"));
    assert_false(cluster_owns(there.cluster, "main"));
    assert_int_equal(stream_state(get(&here, "main")), STREAM_IDLE);
    assert_int_equal(pulls, 0);
    struct totals totals = totals_of(&here);
    assert_int_equal(totals.sources, 1);
    assert_int_equal(totals.up, 1);
    assert_int_equal(totals.streams, 2);
    assert_int_equal(totals.reason, REASON_NONE);
    assert_true(totals.rtt_us >= 0);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_deltas_come_the_moment_something_changes(void **state)
{
    (void)state;
    struct server here, there;
    struct history_range range;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    struct stream *main = own(&there, "main", NULL);
    use_plain(&here, "there", NULL);
    // A new one, in the same moment.
    own(&there, "more", NULL);
    settle();
    assert_non_null(get(&here, "more"));
    // Another title.
    struct stream_conf conf;
    stream_conf_copy(&conf, stream_conf(main));
    mem_free(conf.title);
    conf.title = mem_strdup("Hall");
    stream_configure(main, &conf);
    settle();
    assert_string_equal(conf_of(&here, "main")->title, "Hall");
    // An archive.
    assert_false(stream_has_archive(get(&here, "main"), &range));
    stream_set_far_archive(main, true, (struct history_range){5000000, 0, REASON_NONE});
    settle();
    assert_true(stream_has_archive(get(&here, "main"), &range));
    assert_int_equal(range.from_us, 5000000);
    stream_set_far_archive(main, false, (struct history_range){0, 0, REASON_NONE});
    settle();
    assert_false(stream_has_archive(get(&here, "main"), &range));
    // Disabled, and enabled again.
    conf.disabled = true;
    stream_configure(main, &conf);
    settle();
    assert_null(get(&here, "main"));
    conf.disabled = false;
    stream_configure(main, &conf);
    settle();
    assert_non_null(get(&here, "main"));
    // Gone.
    stream_close(&main, REASON_CONFIG);
    settle();
    assert_null(get(&here, "main"));
    assert_non_null(get(&here, "more"));
    stream_conf_fini(&conf);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_change_that_nobody_sees_is_not_told(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    struct stream *main = own(&there, "main", NULL);
    use_plain(&here, "there", NULL);
    link_net_run(&net, 10 * US_PER_S);
    struct link_stats before, after;
    struct list_node *node = list_first(&here.cluster->sources);
    struct link *link = LIST_OWNER(node, struct cluster_source, node)->link;
    link_get_stats(link, &before);
    stream_changed(main);
    settle();
    link_get_stats(link, &after);
    assert_int_equal(after.payload_in, before.payload_in);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_rules_say_what_is_taken_and_kept(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "a", NULL);
    own(&there, "b", NULL);
    own(&there, "site/a", NULL);
    own(&there, "site/b", NULL);
    struct source_conf conf = source_of("there");
    conf.m4s = false;
    conf.cluster_key = mem_strdup("own");
    conf.has_only = true;
    names_add(&conf.only, &conf.only_count, "a");
    names_add(&conf.except, &conf.except_count, "site/*");
    conf.defaults.segment_duration_us = 3 * US_PER_S;
    use(&here, &conf, 1);
    assert_int_equal(streams_count(here.site.env.streams), 2);
    assert_true(conf_of(&here, "a")->is_static);
    assert_false(conf_of(&here, "b")->is_static);
    assert_int_equal(conf_of(&here, "b")->segment_duration_us, 3 * US_PER_S);
    assert_string_equal(conf_of(&here, "a")->input[0].url, "m4f://there:8888/a");
    assert_string_equal(input_conf_get(&conf_of(&here, "a")->input[0], "cluster_key"), "own");
    assert_int_equal(pulls, 1);
    assert_int_equal(totals_of(&here).streams, 2);
    // The other part of it.
    conf = source_of("there");
    mem_free(conf.prefix_in_url);
    conf.prefix_in_url = mem_strdup("site");
    use(&here, &conf, 1);
    assert_int_equal(streams_count(here.site.env.streams), 2);
    assert_non_null(get(&here, "site/a"));
    assert_non_null(get(&here, "site/b"));
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_address_of_a_literal_has_brackets(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "2001:db8::1");
    own(&there, "main", NULL);
    use_plain(&here, "2001:db8::1", NULL);
    assert_string_equal(conf_of(&here, "main")->input[0].url, "m4s://[2001:db8::1]:8888/main");
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_link_lost_and_back_keeps_streams_and_viewers(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", NULL);
    struct stream *other = own(&there, "other", NULL);
    use_plain(&here, "there", NULL);
    struct stream *main = get(&here, "main");
    struct viewer *viewer = viewer_open(main, VIEWER_LIVE, "test", "192.0.2.1");
    site_cut(&there.site, REASON_REFUSED);
    link_net_run(&net, 20 * US_PER_S);
    assert_ptr_equal(get(&here, "main"), main);
    assert_non_null(get(&here, "other"));
    assert_int_equal(totals_of(&here).up, 0);
    assert_int_equal(totals_of(&here).reason, REASON_REFUSED);
    stream_close(&other, REASON_CONFIG);
    own(&there, "new", NULL);
    site_cut(&there.site, REASON_NONE);
    link_net_run(&net, 20 * US_PER_S);
    assert_ptr_equal(get(&here, "main"), main);
    struct stream_stats stats;
    stream_get_stats(main, &stats);
    assert_int_equal(stats.viewers, 1);
    assert_null(get(&here, "other")); // its new catalogue lacks it
    assert_non_null(get(&here, "new"));
    viewer_close(&viewer);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_server_restarted_keeps_streams(void **state)
{
    (void)state;
    struct server here, there, again;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", NULL);
    own(&there, "other", NULL);
    use_plain(&here, "there", NULL);
    struct stream *main = get(&here, "main");
    server_close(&there);
    link_net_run(&net, 5 * US_PER_S);
    assert_ptr_equal(get(&here, "main"), main);
    assert_non_null(get(&here, "other"));
    there.site.host = "gone";
    server_open(&again, "there");
    own(&again, "main", NULL);
    link_net_run(&net, 20 * US_PER_S);
    assert_ptr_equal(get(&here, "main"), main);
    assert_null(get(&here, "other"));
    server_close(&here);
    server_close(&again);
    link_net_close(&net);
}

static void cluster_catalogue_longer_than_a_message(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    for (unsigned i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "camera-%04u", i);
        own(&there, name, "a title of some length");
    }
    use_plain(&here, "there", NULL);
    assert_int_equal(streams_count(here.site.env.streams), 2000);
    assert_int_equal(totals_of(&here).streams, 2000);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

// ---- names that meet ---------------------------------------------------------------------------

static void cluster_two_sources_of_one_name_are_two_inputs_in_order(void **state)
{
    (void)state;
    struct server here, first, second;
    net_open();
    server_open(&here, "here");
    server_open(&first, "first");
    server_open(&second, "second");
    struct stream *a = own(&first, "main", NULL);
    own(&second, "main", "Second");
    use_plain(&here, "first", "second");
    const struct stream_conf *conf = conf_of(&here, "main");
    assert_int_equal(conf->input_count, 2);
    assert_string_equal(conf->input[0].url, "m4s://first:8888/main");
    assert_string_equal(conf->input[1].url, "m4s://second:8888/main");
    assert_string_equal(conf->title, "Second");
    struct stream *stream = get(&here, "main");
    use_plain(&here, "second", "first"); // another order
    assert_ptr_equal(get(&here, "main"), stream);
    assert_string_equal(conf_of(&here, "main")->input[0].url, "m4s://second:8888/main");
    stream_close(&a, REASON_CONFIG);
    settle();
    assert_ptr_equal(get(&here, "main"), stream);
    assert_int_equal(conf_of(&here, "main")->input_count, 1);
    server_close(&here);
    server_close(&first);
    server_close(&second);
    link_net_close(&net);
}

static void cluster_local_name_wins_and_the_far_one_comes_back(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", NULL);
    struct stream *local = own(&here, "main", "Mine");
    use_plain(&here, "there", NULL);
    assert_ptr_equal(get(&here, "main"), local);
    assert_false(cluster_owns(here.cluster, "main"));
    assert_int_equal(totals_of(&here).streams, 0);
    stream_close(&local, REASON_CONFIG);
    settle();
    assert_true(cluster_owns(here.cluster, "main"));
    assert_true(conf_of(&here, "main")->remote);
    // A local one is to be made: the far one yields.
    cluster_yield(here.cluster, "main");
    local = own(&here, "main", "Mine");
    settle();
    assert_ptr_equal(get(&here, "main"), local);
    assert_false(cluster_owns(here.cluster, "main"));
    cluster_yield(here.cluster, "main"); // nothing to yield: no harm
    assert_ptr_equal(get(&here, "main"), local);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_far_stream_closed_by_others_comes_back(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", NULL);
    use_plain(&here, "there", NULL);
    struct stream *stream = get(&here, "main");
    stream_close(&stream, REASON_CONFIG);
    settle();
    assert_true(cluster_owns(here.cluster, "main"));
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

// ---- servers in a row and in a circle ----------------------------------------------------------

static void cluster_streams_are_offered_on_over_four_servers(void **state)
{
    (void)state;
    static const char *const hosts[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6"};
    struct server server[7];
    net_open();
    for (unsigned i = 0; i < 7; i++)
        server_open(&server[i], hosts[i]);
    for (unsigned i = 1; i < 7; i++)
        use_plain(&server[i], hosts[i - 1], NULL);
    struct stream *main = own(&server[0], "main", NULL);
    settle();
    for (unsigned i = 1; i <= 4; i++)
        assert_true(cluster_owns(server[i].cluster, "main"));
    for (unsigned i = 5; i < 7; i++)
        assert_null(get(&server[i], "main"));
    stream_close(&main, REASON_CONFIG);
    settle();
    for (unsigned i = 1; i < 7; i++)
        assert_null(get(&server[i], "main"));
    for (unsigned i = 0; i < 7; i++)
        server_close(&server[i]);
    link_net_close(&net);
}

static void cluster_hops_that_grow_are_told_on(void **state)
{
    (void)state;
    // s2 has it from s1, who has it from near, and by a longer way from far2.
    static const char *const hosts[] = {"near", "far0", "far1", "far2", "s1", "s2", "s3"};
    enum { NEAR, FAR0, FAR1, FAR2, S1, S2, S3, COUNT };
    struct server server[COUNT];
    net_open();
    for (unsigned i = 0; i < COUNT; i++)
        server_open(&server[i], hosts[i]);
    struct stream *main = own(&server[NEAR], "main", NULL);
    own(&server[FAR0], "main", NULL);
    use_plain(&server[FAR1], "far0", NULL);
    use_plain(&server[FAR2], "far1", NULL);
    use_plain(&server[S1], "near", "far2");
    use_plain(&server[S2], "s1", NULL);
    use_plain(&server[S3], "s2", NULL);
    assert_true(cluster_owns(server[S3].cluster, "main")); // three hops
    stream_close(&main, REASON_CONFIG);
    settle();
    assert_true(cluster_owns(server[S1].cluster, "main"));
    assert_true(cluster_owns(server[S2].cluster, "main")); // four
    assert_null(get(&server[S3], "main"));                 // five are too many
    for (unsigned i = 0; i < COUNT; i++)
        server_close(&server[i]);
    link_net_close(&net);
}

static void cluster_servers_of_each_other_are_not_told_their_own(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    use_plain(&here, "there", NULL);
    use_plain(&there, "here", NULL);
    struct stream *a = own(&here, "a", NULL), *b = own(&there, "b", NULL);
    settle();
    assert_true(cluster_owns(there.cluster, "a"));
    assert_true(cluster_owns(here.cluster, "b"));
    struct list_node *node = list_first(&here.cluster->sources);
    struct cluster_source *source = LIST_OWNER(node, struct cluster_source, node);
    assert_null(map_get(source->offers, "a"));
    assert_non_null(map_get(source->offers, "b"));
    // Also after a loss, when everything is told anew.
    site_cut(&there.site, REASON_REFUSED);
    link_net_run(&net, 3 * US_PER_S);
    site_cut(&there.site, REASON_NONE);
    link_net_run(&net, 20 * US_PER_S);
    assert_null(map_get(source->offers, "a"));
    stream_close(&a, REASON_CONFIG);
    stream_close(&b, REASON_CONFIG);
    settle();
    assert_null(get(&there, "a"));
    assert_null(get(&here, "b"));
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_circle_lets_go_of_what_nobody_has(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        struct server a, b, c;
        net_open();
        server_open(&a, "a");
        server_open(&b, "b");
        server_open(&c, "c");
        struct stream *main = own(&c, "main", NULL);
        use_plain(&a, "c", "b");
        use_plain(&b, "c", "a");
        assert_int_equal(conf_of(&a, "main")->input_count, 2);
        assert_int_equal(conf_of(&b, "main")->input_count, 2);
        assert_string_equal(conf_of(&a, "main")->input[0].url, "m4s://c:8888/main");
        if (lost) { // gone while nobody could hear of it
            site_cut(&c.site, REASON_REFUSED);
            link_net_run(&net, US_PER_S);
            assert_non_null(get(&a, "main"));
        }
        stream_close(&main, REASON_CONFIG);
        site_cut(&c.site, REASON_NONE);
        link_net_run(&net, 20 * US_PER_S);
        assert_null(get(&a, "main"));
        assert_null(get(&b, "main"));
        server_close(&a);
        server_close(&b);
        server_close(&c);
        link_net_close(&net);
    }
}

// ---- reload ------------------------------------------------------------------------------------

static void cluster_reload_of_the_same_disturbs_nothing(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    own(&there, "main", NULL);
    use_plain(&here, "there", NULL);
    unsigned dials = net.dials;
    struct stream *main = get(&here, "main");
    for (unsigned i = 0; i < 3; i++) {
        use_plain(&here, "there", i == 1 ? "nowhere" : NULL);
        assert_ptr_equal(get(&here, "main"), main);
        assert_int_equal(net.dials, dials);
    }
    // Other rules: the same link, and what both rules take stays.
    struct source_conf conf = source_of("there");
    names_add(&conf.only, &conf.only_count, "main");
    conf.has_only = true;
    use(&here, &conf, 1);
    assert_ptr_equal(get(&here, "main"), main);
    assert_true(conf_of(&here, "main")->is_static);
    assert_int_equal(net.dials, dials);
    // Another key is another link.
    here.site.env.cluster_key = "another";
    use_plain(&here, "there", NULL);
    assert_int_equal(net.dials, dials + 1);
    assert_non_null(get(&here, "main"));
    // No source any more.
    use(&here, NULL, 0);
    assert_null(get(&here, "main"));
    assert_int_equal(totals_of(&here).sources, 0);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

// ---- what others should not send ---------------------------------------------------------------

static struct channel *bad_channel;
static unsigned bad_asked;

static enum reason bad_serve(void *hub_arg, struct link *link, struct channel *channel,
                             struct bytes open, const struct channel_events **events, void **arg)
{
    static const struct channel_events bad_events;
    (void)hub_arg, (void)link, (void)open;
    bad_channel = channel;
    bad_asked++;
    *events = &bad_events;
    *arg = NULL;
    return REASON_NONE;
}

static void cluster_malformed_catalogue_is_asked_for_again(void **state)
{
    (void)state;
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    link_hub_serve(there.site.env.links, LINK_CATALOGUE, bad_serve, NULL);
    bad_asked = 0;
    use_plain(&here, "there", NULL);
    assert_int_equal(bad_asked, 1);
    channel_send_copy(bad_channel, "\x01\x00\x00\x00\x01z\x00\x00\x77", 9);
    link_net_run(&net, US_PER_S);
    assert_int_equal(totals_of(&here).reason, REASON_PROTOCOL);
    assert_non_null(get(&here, "z")); // what came before it was well
    link_net_run(&net, 10 * US_PER_S);
    assert_int_equal(bad_asked, 2);
    assert_int_equal(totals_of(&here).up, 1);
    channel_send_copy(bad_channel, "\x03", 1);
    settle();
    assert_null(get(&here, "z"));
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static void cluster_names_that_cannot_be_are_left_out(void **state)
{
    (void)state;
    static const char *const names[] = {"../x", "a b", "", "/a", "a//b", "."};
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    link_hub_serve(there.site.env.links, LINK_CATALOGUE, bad_serve, NULL);
    use_plain(&here, "there", NULL);
    struct writer writer = {0};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct catalogue_record record = {.type = CATALOGUE_ENTRY};
        snprintf(record.name, sizeof record.name, "%s", names[i]);
        catalogue_write(&writer, &record);
    }
    struct catalogue_record far = {.type = CATALOGUE_ENTRY, .hops = 3, .name = "far"};
    catalogue_write(&writer, &far);
    channel_send_copy(bad_channel, writer.buf->data, writer.buf->length);
    settle();
    assert_int_equal(streams_count(here.site.env.streams), 1);
    assert_non_null(get(&here, "far"));
    // It comes too far now.
    writer.buf->length = 0;
    far.hops = 4;
    catalogue_write(&writer, &far);
    channel_send_copy(bad_channel, writer.buf->data, writer.buf->length);
    settle();
    assert_int_equal(streams_count(here.site.env.streams), 0);
    writer_fini(&writer);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

static enum reason asker_closed;

static void asker_on_closed(void *arg, enum reason reason)
{
    *(struct channel **)arg = NULL;
    asker_closed = reason;
}

static void cluster_asker_of_another_version_is_refused(void **state)
{
    (void)state;
    static const struct channel_events events = {.on_closed = asker_on_closed};
    struct server here, there;
    net_open();
    server_open(&here, "here");
    server_open(&there, "there");
    struct link *link = link_hold(here.site.env.links, "there", 8888, "123");
    link_net_run(&net, US_PER_S);
    struct channel *channel;
    channel =
        channel_open(link, LINK_CATALOGUE, LINK_CONTROL, bytes_of("\2", 1), &events, &channel);
    settle();
    assert_null(channel);
    assert_int_equal(asker_closed, REASON_VERSION);
    channel = channel_open(link, LINK_CATALOGUE, LINK_CONTROL, bytes_of("", 0), &events, &channel);
    settle();
    assert_null(channel);
    assert_int_equal(asker_closed, REASON_PROTOCOL);
    link_release(&link);
    server_close(&here);
    server_close(&there);
    link_net_close(&net);
}

TEST_MAIN(TEST(cluster_takes_everything_on_demand),
          TEST(cluster_deltas_come_the_moment_something_changes),
          TEST(cluster_change_that_nobody_sees_is_not_told),
          TEST(cluster_rules_say_what_is_taken_and_kept),
          TEST(cluster_address_of_a_literal_has_brackets),
          TEST(cluster_link_lost_and_back_keeps_streams_and_viewers),
          TEST(cluster_server_restarted_keeps_streams),
          TEST(cluster_catalogue_longer_than_a_message),
          TEST(cluster_two_sources_of_one_name_are_two_inputs_in_order),
          TEST(cluster_local_name_wins_and_the_far_one_comes_back),
          TEST(cluster_far_stream_closed_by_others_comes_back),
          TEST(cluster_streams_are_offered_on_over_four_servers),
          TEST(cluster_hops_that_grow_are_told_on),
          TEST(cluster_servers_of_each_other_are_not_told_their_own),
          TEST(cluster_circle_lets_go_of_what_nobody_has),
          TEST(cluster_reload_of_the_same_disturbs_nothing),
          TEST(cluster_malformed_catalogue_is_asked_for_again),
          TEST(cluster_names_that_cannot_be_are_left_out),
          TEST(cluster_asker_of_another_version_is_refused))
