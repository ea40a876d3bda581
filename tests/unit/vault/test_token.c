/* SPDX-License-Identifier: MIT */
#include "vault/token.h"

#include <string.h>

#include "../unit.h"

static void a_new_token_is_valid_and_unlike_any_other(void **state)
{
    (void)state;
    char a[LV_TOKEN_SIZE + 1];
    char b[LV_TOKEN_SIZE + 1];

    for (int i = 0; i < 1000; i++) {
        lv_token_new(a);
        lv_token_new(b);
        assert_int_equal(strlen(a), LV_TOKEN_SIZE);
        assert_memory_equal(a, "sk-llmgr-", 9);
        assert_true(lv_token_valid(lb_cstr(a)));
        assert_string_not_equal(a, b);
    }
}

/* CRC-32 ("123456789" -> cbf43926) computed by zlib over the first 52 bytes. */
static void the_checksum_is_zlibs_crc32(void **state)
{
    (void)state;
    const char *token = "sk-llmgr-00000000000000000000000000000000000000000000i7bop";

    assert_true(lv_token_valid(lb_cstr(token)));
}

static void every_changed_character_is_noticed(void **state)
{
    (void)state;
    char token[LV_TOKEN_SIZE + 2] = "";
    static const char OTHERS[] = "0Az_- \n\x80";

    lv_token_new(token);
    for (size_t at = 0; at < LV_TOKEN_SIZE; at++) {
        char keep = token[at];
        for (size_t i = 0; i < sizeof OTHERS; i++) {
            token[at] = OTHERS[i];
            if (OTHERS[i] != keep)
                assert_false(lv_token_valid(lb_str(token, LV_TOKEN_SIZE)));
        }
        token[at] = keep;
    }
    for (size_t size = 0; size < LV_TOKEN_SIZE; size++)
        assert_false(lv_token_valid(lb_str(token, size)));
    token[LV_TOKEN_SIZE] = '0';
    assert_false(lv_token_valid(lb_str(token, LV_TOKEN_SIZE + 1)));
    assert_false(lv_token_valid(lb_str(NULL, 0)));
}

static void equal_tokens_have_equal_digests(void **state)
{
    (void)state;
    char a[LV_TOKEN_SIZE + 1];
    char b[LV_TOKEN_SIZE + 1];
    unsigned char digests[3][LV_TOKEN_DIGEST_SIZE];

    lv_token_new(a);
    lv_token_new(b);
    lv_token_digest(lb_cstr(a), digests[0]);
    lv_token_digest(lb_cstr(a), digests[1]);
    lv_token_digest(lb_cstr(b), digests[2]);
    assert_true(lv_token_digest_equal(digests[0], digests[1]));
    assert_false(lv_token_digest_equal(digests[0], digests[2]));
    digests[1][LV_TOKEN_DIGEST_SIZE - 1] ^= 1;
    assert_false(lv_token_digest_equal(digests[0], digests[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_token_is_valid_and_unlike_any_other),
        cmocka_unit_test(the_checksum_is_zlibs_crc32),
        cmocka_unit_test(every_changed_character_is_noticed),
        cmocka_unit_test(equal_tokens_have_equal_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
