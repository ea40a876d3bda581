/* SPDX-License-Identifier: MIT */
/* extra_body: what is kept says what was given, is its own kept form, and is free of blanks. */
#include "check.h"
#include "manager/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lb_buf once;
    struct lb_buf twice;
    struct llmgr_error err = {0};
    struct lb_str text = lb_str((const char *)data, size);

    lb_host_init(&host);
    lb_buf_init(&once, &host, LM_EXTRA_BODY_MAX);
    lb_buf_init(&twice, &host, LM_EXTRA_BODY_MAX);
    llmgr_status status = lm_rule_extra_body(text, &once, &err);
    if (status != LLMGR_OK) {
        FUZZ_CHECK(once.size == 0);
        FUZZ_CHECK(err.status == status && lb_utf8_valid(lb_cstr(err.message)));
    } else if (once.size > 0) {
        FUZZ_CHECK(once.size <= size);
        FUZZ_CHECK(lm_extra_body_equal(text, lb_buf_str(&once)));
        FUZZ_CHECK(lm_rule_extra_body(lb_buf_str(&once), &twice, &err) == LLMGR_OK);
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&once), lb_buf_str(&twice)));
    }
    lb_buf_free(&once);
    lb_buf_free(&twice);
    return 0;
}
