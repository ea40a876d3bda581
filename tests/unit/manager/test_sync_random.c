/* SPDX-License-Identifier: MIT */
/* The sync under configurations at random, and under another process that syncs as well. */
#include "fixture.h"

#include <sys/wait.h>

#define A "https://a.example/v1"
#define B "https://b.example/v1"

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

/* ---- Many configurations --------------------------------------------------------------------- */

static uint64_t seed;

static unsigned roll(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

enum { NAMES = 6, MODELS = 5, ROWS_MAX = NAMES * MODELS };
static const char *const names[NAMES] = {"P", "Q", "R", "S", "T", "U"};
static const char *const urls[NAMES] = {"https://p.example",      "https://q.example/v1",
                                        "https://r.example:8443", "https://s.example/v1",
                                        "http://10.0.0.1:8000",   "https://u.example"};
static const char *const displays[MODELS] = {"a", "b", "c", "d", "e"};
static const char *const model_names[MODELS] = {"m1", "m2", "m3", "m1", "m5"};
static const char *const keys[3] = {NULL, "sk-1", "sk-2"};
static const char *const extras[3] = {NULL, "{\"x\":1}", "{\"x\":2}"};

static void shuffle(size_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t j = roll((unsigned)i), swap = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swap;
    }
}

static size_t random_conf(struct conf *rows)
{
    size_t name_order[NAMES], url_order[NAMES], count = 0;
    size_t platforms = roll(NAMES + 1);

    shuffle(name_order, NAMES);
    shuffle(url_order, NAMES);
    for (size_t i = 0; i < platforms; i++) {
        size_t display_order[MODELS], models = roll(MODELS + 1);
        struct conf row = {.name = names[name_order[i]],
                           .base_url = urls[roll(2) ? name_order[i] : url_order[i]],
                           .api_key = keys[roll(3)]};
        bool taken = false;
        for (size_t j = 0; j < count; j++)
            taken = taken || strcmp(rows[j].base_url, row.base_url) == 0;
        if (taken)
            continue;
        shuffle(display_order, MODELS);
        for (size_t j = 0; j < models; j++) {
            rows[count] = row;
            rows[count].display_name = displays[display_order[j]];
            rows[count].model_name = model_names[roll(MODELS)];
            rows[count++].extra_body = extras[roll(3)];
        }
        if (models == 0)
            rows[count++] = row;
    }
    return count;
}

/* What the rows are, told by a model that knows names and addresses only. */
struct known {
    int64_t id;
    char name[8];
    char url[40];
};

static size_t know(struct fixture *w, const struct conf *rows, size_t count, struct known *known)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0)
            continue;
        struct known *one = &known[found++];
        one->id = platform_id(w, rows[i].name);
        assert_true(one->id > 0);
        snprintf(one->name, sizeof one->name, "%s", rows[i].name);
        snprintf(one->url, sizeof one->url, "%s", rows[i].base_url);
    }
    return found;
}

static const struct known *find(const struct known *known, size_t count, const char *name,
                                const char *url)
{
    for (size_t i = 0; i < count; i++)
        if ((name == NULL || strcmp(known[i].name, name) == 0) &&
            (url == NULL || strcmp(known[i].url, url) == 0))
            return &known[i];
    return NULL;
}

/* Who had this address keeps its id; else who had the name, unless an entry has its address. */
static void want_ids(const struct known *old, size_t old_count, const struct known *now,
                     size_t now_count)
{
    for (size_t i = 0; i < now_count; i++) {
        const struct known *same = find(old, old_count, NULL, now[i].url);
        if (same == NULL) {
            same = find(old, old_count, now[i].name, NULL);
            if (same != NULL && find(now, now_count, NULL, same->url) != NULL)
                same = NULL;
        }
        if (same != NULL)
            assert_int_equal(now[i].id, same->id);
        else
            for (size_t j = 0; j < old_count; j++)
                assert_int_not_equal(now[i].id, old[j].id);
    }
}

/* The database holds exactly this list. */
static void want_rows(struct fixture *w, const struct conf *rows, size_t count)
{
    size_t models = 0, platforms = 0;
    char sql[600];

    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0;
        platforms += first;
        if (first && rows[i].api_key != NULL)
            assert_true(
                key_is(w, LK_KEY_OF_PLATFORM, platform_id(w, rows[i].name), "-1", rows[i].api_key));
        if (rows[i].display_name == NULL)
            continue;
        models++;
        snprintf(sql, sizeof sql,
                 "SELECT COUNT(*) FROM llm_platforms p JOIN llm_platform_models m ON "
                 "m.platform_id = p.id WHERE p.name = '%s' AND p.base_url = '%s' AND "
                 "m.display_name = '%s' AND m.model_name = '%s' AND "
                 "COALESCE(m.extra_body, '') = '%s' AND p.position = %zu",
                 rows[i].name, rows[i].base_url, rows[i].display_name, rows[i].model_name,
                 rows[i].extra_body != NULL ? rows[i].extra_body : "", platforms - 1);
        assert_int_equal(db_number(&w->db, sql), 1);
    }
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), platforms);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models"), models);
}

static void any_sequence_of_configurations_ends_as_the_last_with_ids_kept(void **state)
{
    struct fixture *w = *state;
    struct conf rows[ROWS_MAX];
    struct known old[NAMES], now[NAMES];
    size_t old_count = 0;

    seed = 1;
    for (int step = 0; step < (w->db.postgres ? 30 : 120); step++) {
        size_t count = random_conf(rows);
        fixture_sync(w, rows, count);
        want_rows(w, rows, count);
        size_t now_count = know(w, rows, count, now);
        want_ids(old, old_count, now, now_count);
        assert_int_equal(fixture_sync(w, rows, count), 0);
        memcpy(old, now, sizeof old);
        old_count = now_count;
        lb_arena_reset(&w->arena);
    }
}

/* ---- Two processes --------------------------------------------------------------------------- */

static void sync_in_turns(struct fixture *w, const struct conf *one, const struct conf *other)
{
    fixture_open(w);
    for (int i = 0; i < 20; i++)
        fixture_sync(w, i % 2 == 0 ? one : other, 2);
    fixture_sync(w, one, 2);
    fixture_close(w);
}

static void two_processes_may_sync_at_once(void **state)
{
    struct fixture *w = *state;
    const struct conf one[] = {{"P", A, "sk-a", "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                               {"Q", B, "sk-b", "y", "m", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf other[] = {{"Q", A, "sk-b", "y", "n", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"P", B, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}};

    SYNC(w, one);
    int64_t p = platform_id(w, "P"), q = platform_id(w, "Q");
    fixture_close(w);
    pid_t child = fork();
    if (child == 0) {
        sync_in_turns(w, one, other);
        _exit(0);
    }
    sync_in_turns(w, one, other);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_open(w);
    SYNC(w, one);
    want_rows(w, one, 2);
    assert_int_equal(platform_id(w, "P"), p);
    assert_int_equal(platform_id(w, "Q"), q);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_sequence_of_configurations_ends_as_the_last_with_ids_kept),
        TEST(two_processes_may_sync_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
