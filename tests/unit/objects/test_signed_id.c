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

static struct lb_str show_at(struct fixture *w, const struct lf_id_holder *holder, uint64_t account,
                             const char *id, struct shown *shown)
{
    const size_t size = strlen(id);

    memcpy(shown->text, id, size);
    const size_t tail = lf_id_tail(w->manager, holder, account, lb_cstr(id), shown->text + size);
    assert_true(tail > 0 && tail <= LF_ID_TAIL_MAX);
    shown->size = size + tail;
    return lb_str(shown->text, shown->size);
}

static struct lb_str show(struct fixture *w, const struct lf_id_holder *holder, const char *id,
                          struct shown *shown)
{
    return show_at(w, holder, 0, id, shown);
}

/* For that account. */
static bool opens_at(struct fixture *w, const struct lf_id_holder *holder, struct lb_str shown,
                     uint64_t account)
{
    struct lb_str id = {0};
    uint64_t said = 77;
    const bool fine = lf_id_open(w->manager, holder, shown, &id, &said);

    if (fine)
        assert_true(id.p == shown.p && id.size < shown.size && said == account);
    return fine;
}

static bool opens(struct fixture *w, const struct lf_id_holder *holder, struct lb_str shown)
{
    return opens_at(w, holder, shown, 0);
}

static void a_shown_id_opens_for_its_holder(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    const struct lf_id_holder far = holder_of("ann", INT64_MAX, ORIGIN);
    struct shown shown;
    struct lf_place place = {0, 1};
    struct lb_str id;
    uint64_t account;

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    assert_true(lb_str_starts(text, S("resp_68a1f0.")));
    assert_int_equal(text.size, 11 + 1 + 20 + 1);
    for (size_t i = 0; i < text.size; i++)
        assert_true(strchr("-._~", text.p[i]) != NULL || lb_ascii_lower(text.p[i]) >= '0');
    assert_true(lf_id_open(w->manager, &ann, text, &id, &account));
    assert_true(lb_str_eq_c(id, "resp_68a1f0"));
    assert_true(lf_id_place(text, &place));
    assert_true(place.platform_id == 7 && place.account_id == 0);

    text = show_at(w, &far, UINT64_MAX, "a.b~c", &shown);
    assert_int_equal(text.size, 5 + LF_ID_TAIL_MAX);
    assert_true(lf_id_open(w->manager, &far, text, &id, &account));
    assert_true(lb_str_eq_c(id, "a.b~c") && account == UINT64_MAX);
    assert_true(lf_id_place(text, &place));
    assert_true(place.platform_id == INT64_MAX && place.account_id == UINT64_MAX);
}

/* What the release before has shown opens, and it opens what is shown without an account. */
static void an_account_is_part_of_what_is_signed(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN), ben = holder_of("ben", 7, ORIGIN);
    struct shown shown, plain, other;
    struct lf_place place;
    char mixed[80];

    struct lb_str text = show_at(w, &ann, 1, "resp_1", &shown);
    struct lb_str bare = show(w, &ann, "resp_1", &plain);
    struct lb_str there = show_at(w, &ann, 2, "resp_1", &other);
    assert_true(opens_at(w, &ann, text, 1) && opens_at(w, &ann, there, 2) && opens(w, &ann, bare));
    assert_false(opens_at(w, &ben, text, 1));
    for (size_t i = 0; i < text.size; i++)
        assert_true(strchr("-._~", text.p[i]) != NULL || lb_ascii_lower(text.p[i]) >= '0');
    /* Neither can it be taken off, nor put on, nor exchanged. */
    assert_false(opens(w, &ann, lb_str_sub(text, 0, bare.size)));
    memcpy(mixed, bare.p, bare.size);
    memcpy(mixed + bare.size, text.p + bare.size, text.size - bare.size);
    assert_true(lf_id_place(lb_str(mixed, text.size), &place) && place.account_id == 1);
    assert_false(opens(w, &ann, lb_str(mixed, text.size)));
    memcpy(mixed, there.p, bare.size);
    assert_false(opens(w, &ann, lb_str(mixed, text.size)));
    for (size_t i = 0; i < text.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            shown.text[i] = (char)(shown.text[i] ^ (1 << bit));
            assert_false(opens_at(w, &ann, text, 1));
            shown.text[i] = (char)(shown.text[i] ^ (1 << bit));
        }
        assert_false(opens(w, &ann, lb_str_sub(text, 0, i)));
    }
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
    struct lf_place place;
    struct lb_str id;
    uint64_t account;

    static const char *const BAD[] = {"", "a b", "a\tb", "a\x7f", "\xc3\xa4", " a", "a\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(lf_id_tail(w->manager, &ann, 0, lb_cstr(BAD[i]), tail), 0);
    memset(large, 'x', sizeof large);
    assert_int_equal(lf_id_tail(w->manager, &ann, 1, lb_str(large, sizeof large), tail), 0);
    assert_int_not_equal(lf_id_tail(w->manager, &ann, 1, lb_str(large, LF_ID_MAX), tail), 0);
    assert_int_equal(lf_id_tail(w->manager, &nowhere, 0, S("a"), tail), 0);
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
        "resp_1.01234567890123456789~AAAAAAAAAAE",
        "resp_1.012345678901234567897~",
        "resp_1.012345678901234567897~AAAAAAAAAA",
        "resp_1.012345678901234567897~AAAAAAAAAAAE",
        "resp_1.012345678901234567897~AAAAAAAAAAF", /* not how these bytes are written */
        "resp_1.012345678901234567897~AAAAAAAAAA=",
        "resp_1.012345678901234567897~AAAAAAAAAAA", /* no account has the number 0 */
        "resp_1.012345678901234567897~AAAAAAAAAAE~AAAAAAAAAAE",
    };
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        assert_false(lf_id_open(w->manager, &ann, lb_cstr(NONE[i]), &id, &account));
        assert_false(lf_id_place(lb_cstr(NONE[i]), &place));
    }
}

/* Also in another process, which has the database and the master key. */
static void it_outlives_rotations_and_restarts(void **state)
{
    struct fixture *w = *state;
    const struct lf_id_holder ann = holder_of("ann", 7, ORIGIN);
    struct llmgr_key_report report;
    struct lv_master fresh;
    struct shown shown, at, again;

    struct lb_str text = show(w, &ann, "resp_68a1f0", &shown);
    struct lb_str text_at = show_at(w, &ann, 9, "resp_68a1f0", &at);
    WANT(LLMGR_OK, lk_ring_rotate(lm_keys(w->manager), false, &w->arena, &report, &w->err));
    assert_true(opens(w, &ann, text) && opens_at(w, &ann, text_at, 9));
    lv_master_generate(&fresh);
    WANT(LLMGR_OK, lk_ring_rewrap(lm_keys(w->manager), &fresh, &w->err));
    assert_true(opens(w, &ann, text) && opens_at(w, &ann, text_at, 9));
    w->master = fresh;
    fixture_close(w);
    fixture_open(w);
    assert_true(opens(w, &ann, text) && opens_at(w, &ann, text_at, 9));
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
        TEST(an_account_is_part_of_what_is_signed),
        TEST(it_opens_for_nobody_else),
        TEST(no_byte_of_it_may_differ),
        TEST(what_is_no_id_is_not_signed),
        TEST(it_outlives_rotations_and_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
