/* SPDX-License-Identifier: MIT */
/* One face for the ways in which a body can be framed (RFC 9112 section 6.3). */
#include "http/body.h"

void lh_body_init(struct lh_body *body, const struct lh_head *head)
{
    *body = (struct lh_body){
        .kind = head->body,
        .done = head->body == LH_BODY_NONE,
        .left = head->body == LH_BODY_LENGTH ? head->length : 0,
    };
    lh_chunked_init(&body->chunked);
}

enum lh_result lh_body_next(struct lh_body *body, const char *data, size_t size, size_t *used,
                            struct lb_str *payload)
{
    enum lh_result result = LH_MORE;

    *used = 0;
    *payload = lb_str(data, 0);
    if (body->done)
        return LH_DONE;
    switch (body->kind) {
    case LH_BODY_NONE:
        break;
    case LH_BODY_LENGTH:
        *used = body->left < size ? (size_t)body->left : size;
        *payload = lb_str(data, *used);
        body->left -= *used;
        result = body->left == 0 ? LH_DONE : LH_MORE;
        break;
    case LH_BODY_CHUNKED:
        result = lh_chunked_next(&body->chunked, data, size, used, payload);
        break;
    case LH_BODY_UNTIL_CLOSE:
        *used = size;
        *payload = lb_str(data, size);
        break;
    }
    body->done = result == LH_DONE;
    return result;
}

bool lh_body_eof_is_end(const struct lh_body *body)
{
    return body->done || body->kind == LH_BODY_UNTIL_CLOSE;
}

enum lh_error lh_body_error(const struct lh_body *body)
{
    return body->chunked.error;
}
