/* SPDX-License-Identifier: MIT */
/*
 * Signed answers: without the tails they are what came in, however it was split; and where the text
 * is JSON, the tails stand where a second reader (jansson) finds the places of signed.def. The
 * first byte chooses the family, the second the media type.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/host.h"
#include "check.h"
#include "dialect/signer.h"

struct run {
    struct lb_buf all;
    struct lb_buf own; /* what was not put in */
};

static size_t make_tail(void *context, struct lb_str id, char tail[LD_SIGNER_TAIL_MAX])
{
    (void)context;
    return (size_t)snprintf(tail, LD_SIGNER_TAIL_MAX, "~%08x",
                            (unsigned)fuzz_seed((const uint8_t *)id.p, id.size));
}

static void go(struct run *run, const uint8_t *flags, struct lb_str text, uint32_t seed,
               size_t step_max, const struct lb_host *host)
{
    struct ld_signer signer;
    struct ld_signer_out out;

    lb_buf_init(&run->all, host, 12 * text.size + 1);
    lb_buf_init(&run->own, host, text.size + 1);
    ld_signer_init(&signer, flags[0] & 1 ? LD_SIGNED_CHATS : LD_SIGNED_RESPONSES, flags[1] & 1,
                   make_tail, NULL);
    for (size_t at = 0; at < text.size;) {
        size_t step = 1 + fuzz_next(&seed) % step_max;
        if (step > text.size - at)
            step = text.size - at;
        char *piece = malloc(step);
        FUZZ_CHECK(piece != NULL);
        memcpy(piece, text.p + at, step);
        struct lb_str in = {piece, step};
        while (in.size > 0) {
            size_t used = ld_signer_feed(&signer, in, &out);
            FUZZ_CHECK(used > 0 && used <= in.size && out.count <= LD_SIGNER_SLICES);
            for (size_t i = 0; i < out.count; i++) {
                FUZZ_CHECK(out.slice[i].size > 0);
                lb_buf_add_str(&run->all, out.slice[i]);
                if (out.slice[i].p >= piece && out.slice[i].p < piece + step)
                    lb_buf_add_str(&run->own, out.slice[i]);
            }
            in = lb_str_sub(in, used, in.size);
        }
        free(piece);
        at += step;
    }
    FUZZ_CHECK(run->all.failed == LLMGR_OK && run->own.failed == LLMGR_OK);
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&run->own), text));
}

/* ---- The second reader ----------------------------------------------------------------------- */

static void sign(json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    char tail[LD_SIGNER_TAIL_MAX], signed_id[4096];

    if (!json_is_string(value) || json_string_length(value) == 0)
        return;
    struct lb_str id = lb_str(json_string_value(value), json_string_length(value));
    size_t size = make_tail(NULL, id, tail);
    memcpy(signed_id, id.p, id.size);
    memcpy(signed_id + id.size, tail, size);
    FUZZ_CHECK(json_object_set_new(object, name, json_stringn(signed_id, id.size + size)) == 0);
}

static void sign_below(json_t *object, const char *name, void (*each)(json_t *))
{
    json_t *value = json_object_get(object, name);

    if (json_is_object(value))
        each(value);
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        if (json_is_object(json_array_get(value, i)))
            each(json_array_get(value, i));
    }
}

static void sign_message(json_t *message)
{
    sign(message, "id");
}

static void sign_item(json_t *item)
{
    sign(item, "id");
    sign(item, "approval_request_id");
}

static void sign_response(json_t *response)
{
    sign(response, "id");
    sign(response, "previous_response_id");
    sign_below(response, "output", sign_item);
}

static void sign_tree(json_t *root, bool chats)
{
    static const char *const NAMES[] = {"item_id", "response_id"};
    static const char *const BELOW[] = {"item", "data"};

    sign(root, "first_id");
    sign(root, "last_id");
    if (chats) {
        sign(root, "id");
        sign_below(root, "data", sign_message);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        sign(root, NAMES[i]);
        sign_below(root, BELOW[i], sign_item);
    }
    sign_below(root, "response", sign_response);
    sign_response(root);
}

static void compare_trees(struct lb_str text, struct lb_str made, bool chats)
{
    const size_t flags = JSON_REJECT_DUPLICATES;
    json_t *wanted = json_loadb(text.p, text.size, flags, NULL);

    /* A long id is not signed, and how long it is as written does not show in the tree. */
    if (json_is_object(wanted) && text.size <= LD_SIGNER_ID_MAX) {
        sign_tree(wanted, chats);
        json_t *got = json_loadb(made.p, made.size, flags, NULL);
        FUZZ_CHECK(got != NULL);
        FUZZ_CHECK(json_equal(wanted, got));
        json_decref(got);
    }
    json_decref(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct run whole, bytes, pieces;

    if (size < 2)
        return 0;
    lb_host_init(&host);
    struct lb_str text = {(const char *)data + 2, size - 2};
    go(&whole, data, text, 0, SIZE_MAX / 2, &host);
    go(&bytes, data, text, 0, 1, &host);
    go(&pieces, data, text, fuzz_seed(data, size), 23, &host);
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&whole.all), lb_buf_str(&bytes.all)));
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&whole.all), lb_buf_str(&pieces.all)));
    if ((data[1] & 1) == 0)
        compare_trees(text, lb_buf_str(&whole.all), data[0] & 1);
    struct run *const runs[] = {&whole, &bytes, &pieces};
    for (size_t i = 0; i < 3; i++) {
        lb_buf_free(&runs[i]->all);
        lb_buf_free(&runs[i]->own);
    }
    return 0;
}
