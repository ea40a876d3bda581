/* SPDX-License-Identifier: MIT */
/* Rules of system platforms that calls make; see the header. */
#include "manager/platform_rules.h"

#include "base/error.h"
#include "config/file.h"
#include "config/header_name.h"
#include "config/native_path.h"
#include "config/protocol.h"
#include "manager/catalogue.h"
#include "store/store.h"

void lm_word_buffers_init(struct lm_word_buffers *buffers, const struct lb_host *host)
{
    lb_buf_init(&buffers->native_paths, host, LC_NATIVE_PATHS_MAX);
    lb_buf_init(&buffers->headers, host, LC_HEADERS_MAX);
}

void lm_word_buffers_free(struct lm_word_buffers *buffers)
{
    lb_buf_free(&buffers->native_paths);
    lb_buf_free(&buffers->headers);
}

static llmgr_status judge_protocol(struct lb_str *protocol, struct llmgr_error *err)
{
    if (protocol->p == NULL || lc_protocol_is(*protocol))
        return LLMGR_OK;
    if (protocol->size != 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("unknown protocol; it can be openai, anthropic, azure or gemini"));
    *protocol = LB_STR(LC_PROTOCOL_DEFAULT);
    return LLMGR_OK;
}

/* Takes a list apart at its commas and puts it together as it is stored; false: it holds what is no
 * item, or is too long, or (out->failed) memory is short. */
static bool take_list(struct lb_str *list, bool (*add)(struct lb_str, struct lb_buf *),
                      struct lb_buf *out)
{
    struct lb_str rest = *list;

    if (rest.p == NULL)
        return true;
    while (lb_str_trim(rest).size != 0) {
        const size_t comma = lb_str_find(rest, ',');
        if (!add(lb_str_trim(lb_str_sub(rest, 0, comma)), out))
            return false;
        rest = lb_str_sub(rest, comma < rest.size ? comma + 1 : comma, rest.size);
    }
    *list = out->size != 0 ? lb_buf_str(out) : LB_STR("");
    return out->failed == LLMGR_OK;
}

llmgr_status lm_rule_platform_words(struct lm_platform_words *words,
                                    struct lm_word_buffers *buffers, struct llmgr_error *err)
{
    llmgr_status status = judge_protocol(&words->protocol, err);

    if (status != LLMGR_OK)
        return status;
    const bool paths = take_list(&words->native_paths, lc_native_path_add, &buffers->native_paths);
    const bool headers = take_list(&words->headers, lc_header_add, &buffers->headers);
    if (buffers->native_paths.failed == LLMGR_ERR_NO_MEMORY ||
        buffers->headers.failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (!paths)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid native paths: give paths such as /images/upscale or GET "
                          "/voices/{id}, with commas between, %d bytes in all"),
                       LC_NATIVE_PATHS_MAX);
    if (!headers)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid header fields to pass on: give names with commas between, %d "
                          "bytes in all; none that says who asks, holds cookies or is the "
                          "connection's"),
                       LC_HEADERS_MAX);
    return LLMGR_OK;
}

llmgr_status lm_fail_words(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("only system platforms can have a protocol, native paths and header fields "
                      "that are passed on; leave them out"));
}

llmgr_status lm_rule_system_room(struct ls_tx *tx, int64_t platforms, int64_t models,
                                 struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_SYSTEM_COUNT, NULL, 0, &rows, err);
    if (status != LLMGR_OK)
        return status;
    platforms += ls_column_int(&rows, 0);
    models += ls_column_int(&rows, 1);
    ls_rows_end(&rows);
    if (platforms <= LM_CATALOGUE_PLATFORMS_MAX && models <= LM_CATALOGUE_MODELS_MAX)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                   N_("with this one there would be %lld system platforms with %lld models; at "
                      "most %d with %d may be"),
                   (long long)platforms, (long long)models, LM_CATALOGUE_PLATFORMS_MAX,
                   LM_CATALOGUE_MODELS_MAX);
}

llmgr_status lm_rule_system_keys(struct ls_tx *tx, struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_KEYS_SERVER_COUNT, NULL, 0, &rows, err);
    if (status != LLMGR_OK)
        return status;
    const int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count < LM_CATALOGUE_KEYS_MAX)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                   N_("there are %lld server keys, which is the limit; delete one first"),
                   (long long)count);
}
