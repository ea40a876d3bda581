/* SPDX-License-Identifier: MIT */
/* Ids that are shown with a tail: whose they are, and for how long. */
#include "../manager/fixture.h"

#include "objects/signed_id.h"
#include "manager/manager.h"

#define ORIGIN S("https://alpha.example:443")

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

static struct lf_id_holder holder_of(const char *user, int64_t platform, struct lb_str origin)
{
    struct lf_id_holder holder;

    lf_id_holder_set(&holder, lb_cstr(user), platform, origin);
    return holder;
}

struct shown {
    char text[LF_ID_MAX + LF_ID_TAIL_MAX];
    size_t size;
};

static struct lb_str show(struct fixture *w, const struct lf_id_holder *holder, const char *id,
                          struct shown *shown)
{
    const size_t size = strlen(id);

    memcpy(shown->text, id, size);
    const size_t tail = lf_id_tail(w->manager, holder, lb_cstr(id), shown->text + size);
    assert_true(tail > 0 && tail <= LF_ID_TAIL_MAX);
    shown->size = size + tail;
    return lb_str(shown->text, shown->size);
}

static bool opens(struct fixture *w, const struct lf_id_holder *holder, struct lb_str shown)
{
    struct lb_str id = {0};
    const bool fine = lf_id_open(w->manager, holder, shown, &id);

    if (fine)
        assert_true(id.p == shown.p && id.size < shown.size);
    return fine;
}

static void a_shown_id_opens_for_its_holder(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    const struct lf_id_holder far = holder_of("ann", INT64_MAX, ORIGIN);
    struct shown shown;
    struct lb_str id;
    int64_t platform = 0;

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    assert_true(lb_str_starts(text, S("resp_68a1f0.")));
    assert_int_equal(text.size, 11 + 1 + 20 + 1);
    for (size_t i = 0; i < text.size; i++)
        assert_true(strchr("-._~", text.p[i]) != NULL || lb_ascii_lower(text.p[i]) >= '0');
    assert_true(lf_id_open(w->manager, &ann, text, &id));
    assert_true(lb_str_eq_c(id, "resp_68a1f0"));
    assert_true(lf_id_platform(text, &platform));
    assert_int_equal(platform, 7);

    text = show(w, &far, "a.b.c", &shown);
    assert_int_equal(text.size, 5 + LF_ID_TAIL_MAX);
    assert_true(lf_id_open(w->manager, &far, text, &id));
    assert_true(lb_str_eq_c(id, "a.b.c"));
    assert_true(lf_id_platform(text, &platform));
    assert_true(platform == INT64_MAX);
}

static void it_opens_for_nobody_else(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    const struct lf_id_holder others[] = {
        holder_of("ben", 7, ORIGIN),
        holder_of("Ann", 7, ORIGIN),
        holder_of("-1", 7, ORIGIN),
        holder_of("", 7, ORIGIN),
        holder_of("ann", 8, ORIGIN),
        holder_of("ann", 7, S("https://beta.example:443")),
        holder_of("ann", 7, S("http://alpha.example:443")),
    };
    struct shown shown;

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(opens(w, &others[i], text));
    assert_true(opens(w, &ann, text));
}

static void no_byte_of_it_may_differ(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    struct shown shown;
    char longer[80];

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    for (size_t i = 0; i < text.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            shown.text[i] = (char)(shown.text[i] ^ (1 << bit));
            assert_false(opens(w, &ann, text));
            shown.text[i] = (char)(shown.text[i] ^ (1 << bit));
        }
        assert_false(opens(w, &ann, lb_str_sub(text, 0, i)));
        assert_false(opens(w, &ann, lb_str_sub(text, i + 1, text.size)));
    }
    static const char *const MORE[] = {"0", ".", " ", "\0", "7"};
    for (size_t i = 0; i < sizeof MORE / sizeof *MORE; i++) {
        memcpy(longer, text.p, text.size);
        longer[text.size] = MORE[i][0];
        assert_false(opens(w, &ann, lb_str(longer, text.size + 1)));
        longer[0] = MORE[i][0];
        memcpy(longer + 1, text.p, text.size);
        assert_false(opens(w, &ann, lb_str(longer, text.size + 1)));
    }
    assert_true(opens(w, &ann, text));
}

static void what_is_no_id_is_not_signed(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    const struct lf_id_holder nowhere = holder_of("ann", 0, ORIGIN);
    char tail[LF_ID_TAIL_MAX], large[LF_ID_MAX + 1];
    struct lb_str id;
    int64_t platform;

    static const char *const BAD[] = {"", "a b", "a\tb", "a\x7f", "\xc3\xa4", " a", "a\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(lf_id_tail(w->manager, &ann, lb_cstr(BAD[i]), tail), 0);
    memset(large, 'x', sizeof large);
    assert_int_equal(lf_id_tail(w->manager, &ann, lb_str(large, sizeof large), tail), 0);
    assert_int_not_equal(lf_id_tail(w->manager, &ann, lb_str(large, LF_ID_MAX), tail), 0);
    assert_int_equal(lf_id_tail(w->manager, &nowhere, S("a"), tail), 0);
    static const char *const NONE[] = {
        "",
        "resp_1",
        ".",
        "resp_1.",
        "resp_1.01234567890123456789",
        "resp_1.01234567890123456789x",
        "resp_1.012345678901234567890",
        "resp_1.01234567890123456789-7",
        "resp_1.0123456789012345678999999999999999999999",
    };
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        assert_false(lf_id_open(w->manager, &ann, lb_cstr(NONE[i]), &id));
        assert_false(lf_id_platform(lb_cstr(NONE[i]), &platform));
    }
}

/* Also in another process, which has the database and the master key. */
static void it_outlives_rotations_and_restarts(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    struct llmgr_key_report report;
    struct lv_master fresh;
    struct shown shown, again;

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    WANT(LLMGR_OK, lk_ring_rotate(lm_keys(w->manager), false, &w->arena, &report, &w->err));
    assert_true(opens(w, &ann, text));
    lv_master_generate(&fresh);
    WANT(LLMGR_OK, lk_ring_rewrap(lm_keys(w->manager), &fresh, &w->err));
    assert_true(opens(w, &ann, text));
    w->master = fresh;
    fixture_close(w);
    fixture_open(w);
    assert_true(opens(w, &ann, text));
    assert_true(lb_str_eq(show(w, &ann, "resp_68a1f0", &again), text));
}

/* As long, as it began, the same each time, another for each holder, and never what was signed.
 */
static void a_name_of_a_clients_own_becomes_nobodys(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 1, ORIGIN), ben = holder_of("ben", 1, ORIGIN);
    const struct lb_str name = LB_STR("msg_019a1b2c-3d4e-7f50-8a9b-0c1d2e3f4a5b");
    char first[64] = {0}, again[64] = {0}, other[64] = {0};

    assert_true(lf_id_blind(w->manager, &ann, name, first));
    memcpy(again, name.p, name.size);
    assert_true(lf_id_blind(w->manager, &ann, lb_str(again, name.size), again)); /* in place */
    assert_true(lf_id_blind(w->manager, &ben, name, other));
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_int_equal(strlen(first), name.size);
    assert_memory_equal(first, "msg_", 4);
    assert_memory_not_equal(first + 4, name.p + 4, 20);
    assert_false(lf_id_blind(w->manager, &ann, LB_STR("msg_0123456789012345678"), other));
    assert_false(lf_id_blind(w->manager, &ann, LB_STR(""), other));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_name_of_a_clients_own_becomes_nobodys),
        TEST(a_shown_id_opens_for_its_holder),
        TEST(it_opens_for_nobody_else),
        TEST(no_byte_of_it_may_differ),
        TEST(what_is_no_id_is_not_signed),
        TEST(it_outlives_rotations_and_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
