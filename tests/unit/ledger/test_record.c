/* SPDX-License-Identifier: MIT */
/* A journal's records: what is written is read, and nothing else is taken for a record. */
#include "ledger/record.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"
#include "form_before.h"
#include "ledger/rows.h"

enum { AT_SIZE = 8, AT_OFFSET = 12, AT_LENGTHS = NOW_LENGTHS, PLACE = 64 };

static const struct ll_record_key KEY = {.bytes = {1, 2, 3}, .form = LL_FORM_NOW};
static const struct ll_record_key BEFORE = {.bytes = {1, 2, 3}, .form = LL_FORM_TOKENS};
static unsigned char file[PLACE + 2 * LL_RECORD_MAX];

static struct ll_usage attempt(void)
{
    struct ll_usage usage, tidy;

    ll_usage_init(&usage);
    usage.request_id = LB_STR("req-1");
    usage.user = LB_STR("ann");
    usage.model_name = LB_STR("m");
    usage.prompt_tokens = 12;
    usage.audio_output_tokens = 3;
    usage.service_tier = LB_STR("flex");
    usage.cost_nano = 270000;
    usage.currency = LB_STR("USD");
    usage.price_id = 4;
    assert_int_equal(ll_usage_tidy(&usage, 1, &tidy, NULL), LLMGR_OK);
    return tidy;
}

/* A record at PLACE; returns where it ends. */
static size_t put(void)
{
    const struct ll_usage tidy = attempt();

    memset(file, 0, sizeof file);
    size_t size = ll_record_write(file + PLACE, PLACE, &KEY, &tidy);
    assert_int_equal(size, ll_record_size(&tidy));
    return PLACE + size;
}

/* After a change that its writer might have made: the check is right again. */
static void sign(size_t end)
{
    uint64_t check = ll_record_check(file + PLACE, end - PLACE, &KEY);

    memcpy(file + PLACE, &check, sizeof check);
}

/* The same record in the form before. */
static size_t put_before(void)
{
    unsigned char now[LL_RECORD_MAX];

    (void)put();
    memcpy(now, file + PLACE, sizeof now);
    return PLACE + form_before(file + PLACE, PLACE, now, &BEFORE);
}

static size_t read_at(size_t file_size, size_t offset)
{
    struct ll_usage usage;

    return ll_record_read(file, file_size, offset, &KEY, &usage);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    size_t end = put();
    struct ll_usage usage;

    assert_int_equal(ll_record_read(file, end, PLACE, &KEY, &usage), end - PLACE);
    assert_true(lb_str_eq_c(usage.request_id, "req-1"));
    assert_true(lb_str_eq_c(usage.user, "ann"));
    assert_int_equal(usage.prompt_tokens, 12);
    assert_int_equal(usage.completion_tokens, -1);
    assert_int_equal(usage.audio_output_tokens, 3);
    assert_int_equal(usage.cost_nano, 270000);
    assert_true(lb_str_eq_c(usage.currency, "USD"));
    assert_true(lb_str_eq_c(usage.service_tier, "flex"));
    assert_int_equal(usage.price_id, 4);
    assert_int_equal(usage.reported_cost_nano, -1);
    assert_int_equal(read_at(end, end), 0);
    assert_int_equal(read_at(end, end + 1), 0);
}

static void a_record_is_whole_or_none(void **state)
{
    size_t end = put();
    struct ll_usage usage;
    (void)state;

    for (size_t size = 0; size < end; size++)
        assert_int_equal(ll_record_read(file, size, PLACE, &KEY, &usage), 0);
    for (size_t bit = 0; bit < (end - PLACE) * 8; bit++) {
        file[PLACE + bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(ll_record_read(file, end, PLACE, &KEY, &usage), 0);
        file[PLACE + bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_int_equal(ll_record_read(file, end, PLACE, &KEY, &usage), end - PLACE);
    /* What a power cut leaves of it: any of its words were not written. */
    for (size_t at = PLACE; at < end; at += 8) {
        unsigned char kept[8];
        memcpy(kept, file + at, sizeof kept);
        memset(file + at, 0, sizeof kept);
        bool same = memcmp(kept, file + at, sizeof kept) == 0;
        assert_int_equal(ll_record_read(file, end, PLACE, &KEY, &usage), same ? end - PLACE : 0);
        memcpy(file + at, kept, sizeof kept);
    }
}

/* Journals outlive the program that wrote them. The sum was made by another program. */
static void the_form_stays_what_it_is(void **state)
{
    const uint16_t one = 1;
    uint64_t check;
    (void)state;

    /* The sum is that of bytes as a little-endian machine orders them. */
    if (*(const unsigned char *)&one != 1)
        return;
    assert_int_equal(put(), PLACE + 224);
    memcpy(&check, file + PLACE, sizeof check);
    assert_int_equal(check, UINT64_C(0x87de40ef00821516));
    assert_int_equal(put_before(), PLACE + 144);
    memcpy(&check, file + PLACE, sizeof check);
    assert_int_equal(check, UINT64_C(0x787cea1a8e4a5e30));
}

/* What the release before has left is read; what it did not know is unknown, not 0. */
static void the_form_before_is_read(void **state)
{
    struct ll_usage usage;
    (void)state;

    size_t end = put_before();
    memset(&usage, 0, sizeof usage);
    assert_int_equal(ll_record_read(file, end, PLACE, &BEFORE, &usage), end - PLACE);
    assert_true(lb_str_eq_c(usage.request_id, "req-1"));
    assert_true(lb_str_eq_c(usage.user, "ann"));
    assert_true(lb_str_eq_c(usage.model_name, "m"));
    assert_int_equal(usage.prompt_tokens, 12);
    assert_int_equal(usage.bytes_out, -1);
    assert_int_equal(usage.cache_write_tokens, -1);
    assert_int_equal(usage.cost_nano, -1);
    assert_int_equal(usage.reported_cost_nano, -1);
    assert_int_equal(usage.price_id, 0);
    assert_int_equal(usage.currency.size + usage.service_tier.size, 0);
    /* Each is read as what it is, or not at all. */
    for (size_t size = 0; size < end; size++)
        assert_int_equal(ll_record_read(file, size, PLACE, &BEFORE, &usage), 0);
}

/* A cost and its currency stand together or not at all. */
static void a_cost_has_a_currency(void **state)
{
    static const struct {
        int64_t nano;
        const char *currency;
        bool stays;
    } CASES[] = {
        {0, "USD", true},
        {1, "CNY", true},
        {LL_MONEY_MAX, "EUR", true},
        {1, "", false},
        {1, "US", false},
        {1, "usd", false},
        {1, "U D", false},
        {-1, "USD", false},
        {INT64_MIN, "USD", false},
        {INT64_MAX, "USD", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct ll_usage usage = attempt(), tidy;
        usage.cost_nano = CASES[i].nano;
        usage.currency = lb_cstr(CASES[i].currency);
        assert_int_equal(ll_usage_tidy(&usage, 1, &tidy, NULL), LLMGR_OK);
        assert_int_equal(tidy.cost_nano, CASES[i].stays ? CASES[i].nano : LL_UNKNOWN);
        assert_int_equal(tidy.currency.size, CASES[i].stays ? 3 : 0);
        /* A record's as well, whatever wrote it. */
        size_t size = ll_record_write(file + PLACE, PLACE, &KEY, &usage);
        assert_int_equal(ll_record_read(file, PLACE + size, PLACE, &KEY, &usage), size);
        assert_true(ll_usage_tidy_numbers(&usage, 1));
        assert_int_equal(usage.cost_nano, CASES[i].stays ? CASES[i].nano : LL_UNKNOWN);
    }
}

static void a_record_of_another_file_or_place_is_none(void **state)
{
    (void)state;
    static const struct ll_record_key others[] = {
        {.bytes = {1, 2, 4}, .form = LL_FORM_NOW},
        {.bytes = {1, 2, 3, [15] = 1}, .form = LL_FORM_NOW},
        {.bytes = {1, 2, 4}, .form = LL_FORM_TOKENS},
    };
    struct ll_usage usage;

    size_t end = put();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(ll_record_read(file, end, PLACE, &others[i], &usage), 0);
    memmove(file + PLACE + LL_RECORD_MAX, file + PLACE, end - PLACE);
    assert_int_equal(read_at(sizeof file, PLACE + LL_RECORD_MAX), 0);
}

/* The record at the end of the memory there is: what is read beyond it ends the test. */
static size_t read_at_the_edge(size_t end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = end - PLACE;
    struct ll_usage usage;

    unsigned char *room =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(room, MAP_FAILED);
    assert_int_equal(mprotect(room + page, page, PROT_NONE), 0);
    /* The file begins so that the record stands at its place of it. */
    memcpy(room + page - size, file + PLACE, size);
    size_t got = ll_record_read(room + page - end, end, PLACE, &KEY, &usage);
    munmap(room, 2 * page);
    return got;
}

/* Signed by who has the key (or by luck), and still not believed beyond the file's bytes. */
static void sizes_and_lengths_are_bounded_even_if_they_are_signed(void **state)
{
    (void)state;
    static const uint32_t SIZES[] = {0,
                                     8,
                                     LL_RECORD_FIXED - LL_RECORD_ALIGN,
                                     LL_RECORD_FIXED + 1,
                                     LL_RECORD_MAX + LL_RECORD_ALIGN,
                                     UINT32_MAX - 7};

    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        size_t end = put();
        memcpy(file + PLACE + AT_SIZE, &SIZES[i], sizeof SIZES[i]);
        sign(end);
        assert_int_equal(read_at(end, PLACE), 0);
    }
    /* One that would reach beyond a file that is shorter: its bytes are there, but not its own. */
    size_t end = put();
    uint32_t longer = (uint32_t)(end - PLACE + LL_RECORD_ALIGN);
    memcpy(file + PLACE + AT_SIZE, &longer, sizeof longer);
    sign(end + LL_RECORD_ALIGN);
    assert_int_equal(read_at(end, PLACE), 0);
    for (size_t i = 0; i < LL_RECORD_TEXTS; i++) {
        end = put();
        file[PLACE + AT_LENGTHS + i] = 255;
        sign(end);
        if (read_at_the_edge(end) != 0)
            fail_msg("the length of text %zu", i);
        end = put();
        file[PLACE + AT_LENGTHS + i] += 16;
        sign(end);
        assert_int_equal(read_at(end, PLACE), 0);
    }
    end = put();
    file[PLACE + LL_RECORD_FIXED] = 0xff; /* no text */
    sign(end);
    assert_int_equal(read_at(end, PLACE), 0);
    end = put();
    file[PLACE + AT_LENGTHS + 1] = 0; /* nobody's; the next text becomes longer by that */
    file[PLACE + AT_LENGTHS + 0] += 3;
    sign(end);
    assert_int_equal(read_at(end, PLACE), 0);
}

static void a_text_begins_and_ends_at_a_character(void **state)
{
    (void)state;
    struct ll_usage usage = attempt();
    usage.model_name = LB_STR("r\xc3\xa9");
    usage.slot = LB_STR("x");

    /* The lengths of model and slot, four bytes together: the two of é in the one, in the other. */
    for (unsigned char first = 1; first <= 3; first++) {
        memset(file, 0, sizeof file);
        size_t end = PLACE + ll_record_write(file + PLACE, PLACE, &KEY, &usage);
        file[PLACE + AT_LENGTHS + 3] = first;
        file[PLACE + AT_LENGTHS + 4] = (unsigned char)(4 - first);
        sign(end);
        assert_int_equal(read_at(end, PLACE), first == 2 ? 0 : end - PLACE);
    }
    /* The last text ends within one. */
    memset(file, 0, sizeof file);
    usage.endpoint = LB_STR("\xc3");
    size_t end = PLACE + ll_record_write(file + PLACE, PLACE, &KEY, &usage);
    assert_int_equal(read_at(end, PLACE), 0);
}

static void a_records_numbers_are_made_tidy(void **state)
{
    (void)state;
    struct ll_usage usage = attempt(), back;

    usage.attempt = 0;
    usage.time_ms = INT64_MAX;
    usage.token_id = -3;
    usage.prompt_tokens = -5;
    usage.completion_tokens = 7;
    usage.upstream_status = 7;
    usage.bytes_out = INT64_MAX;
    size_t size = ll_record_write(file + PLACE, PLACE, &KEY, &usage);
    assert_int_equal(ll_record_read(file, PLACE + size, PLACE, &KEY, &back), size);
    assert_true(ll_usage_tidy_numbers(&back, 99));
    assert_int_equal(back.attempt, 1);
    assert_int_equal(back.time_ms, 99);
    assert_int_equal(back.token_id, 0);
    assert_int_equal(back.prompt_tokens, LL_UNKNOWN);
    assert_int_equal(back.completion_tokens, 7);
    assert_int_equal(back.upstream_status, 0);
    assert_int_equal(back.bytes_out, LL_UNKNOWN);
    back.end_state = (llmgr_end_state)200;
    assert_false(ll_usage_tidy_numbers(&back, 99));
}

static void a_user_is_a_name(void **state)
{
    (void)state;
    struct ll_usage usage = attempt();

    usage.user = LB_STR("a\nb");
    size_t size = ll_record_write(file + PLACE, PLACE, &KEY, &usage);
    assert_int_equal(read_at(PLACE + size, PLACE), 0);
}

static void a_count_that_is_none_is_unknown(void **state)
{
    (void)state;
    static const int64_t NONE[] = {-1, -2, -1000, INT64_MIN, (INT64_C(1) << 32) + 1, INT64_MAX};
    struct ll_usage usage = attempt(), tidy;

    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        usage.prompt_tokens = usage.completion_tokens = usage.cached_tokens =
            usage.reasoning_tokens = NONE[i];
        assert_int_equal(ll_usage_tidy(&usage, 1, &tidy, NULL), LLMGR_OK);
        assert_int_equal(tidy.prompt_tokens, LL_UNKNOWN);
        assert_int_equal(tidy.completion_tokens, LL_UNKNOWN);
        assert_int_equal(tidy.cached_tokens, LL_UNKNOWN);
        assert_int_equal(tidy.reasoning_tokens, LL_UNKNOWN);
    }
    usage.prompt_tokens = 0;
    usage.completion_tokens = INT64_C(1) << 32;
    assert_int_equal(ll_usage_tidy(&usage, 1, &tidy, NULL), LLMGR_OK);
    assert_int_equal(tidy.prompt_tokens, 0);
    assert_int_equal(tidy.completion_tokens, INT64_C(1) << 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_record_is_whole_or_none),
        cmocka_unit_test(the_form_stays_what_it_is),
        cmocka_unit_test(the_form_before_is_read),
        cmocka_unit_test(a_cost_has_a_currency),
        cmocka_unit_test(a_record_of_another_file_or_place_is_none),
        cmocka_unit_test(sizes_and_lengths_are_bounded_even_if_they_are_signed),
        cmocka_unit_test(a_text_begins_and_ends_at_a_character),
        cmocka_unit_test(a_records_numbers_are_made_tidy),
        cmocka_unit_test(a_user_is_a_name),
        cmocka_unit_test(a_count_that_is_none_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
