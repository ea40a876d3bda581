/* SPDX-License-Identifier: MIT */
/*
 * Where a body ends. Two parties that answer this differently are what request smuggling needs, so
 * whatever could be read in two ways is an error here, in both directions.
 */
#include "http/framing.h"

#include "http/host.h"

static bool has(const struct lh_head *head, enum lh_header id)
{
    return head->known[id] != 0;
}

/* Is `token` a member of any Connection field? */
static bool connection_names(const struct lh_head *head, struct lb_str token)
{
    if (!has(head, LH_HEADER_CONNECTION))
        return false;
    for (size_t i = head->known[LH_HEADER_CONNECTION] - 1u; i < head->field_count; i++) {
        struct lb_str list = head->fields[i].value;
        struct lb_str member;
        if (head->fields[i].id != LH_HEADER_CONNECTION)
            continue;
        while (lh_list_next(&list, &member)) {
            if (lb_str_eq_nocase(member, token))
                return true;
        }
    }
    return false;
}

bool lh_head_is_hop(const struct lh_head *head, const struct lh_field *field)
{
    return lh_header_is_hop(field->id) || connection_names(head, field->name);
}

static bool keeps_alive(const struct lh_head *head)
{
    if (connection_names(head, LB_STR("close")))
        return false;
    return head->minor == 1 || connection_names(head, LB_STR("keep-alive"));
}

/* Length and coding, whatever the message. */
static enum lh_error body_fields(struct lh_head *head)
{
    uint64_t length = 0;

    if (has(head, LH_HEADER_TRANSFER_ENCODING)) {
        if (has(head, LH_HEADER_CONTENT_LENGTH))
            return LH_ERR_CODING_LENGTH;
        if (head->minor == 0 && !head->is_response)
            return LH_ERR_CODING_1_0;
        if (!lb_str_eq_nocase(lh_head_get(head, LH_HEADER_TRANSFER_ENCODING), LB_STR("chunked")))
            return LH_ERR_CODING;
        head->body = LH_BODY_CHUNKED;
    } else if (has(head, LH_HEADER_CONTENT_LENGTH)) {
        struct lb_str value = lh_head_get(head, LH_HEADER_CONTENT_LENGTH);
        if (value.size > 19 || !lb_str_to_u64(value, &length) || length > INT64_MAX)
            return LH_ERR_LENGTH;
        head->length = length;
        head->body = length != 0 ? LH_BODY_LENGTH : LH_BODY_NONE;
    }
    head->keep_alive = keeps_alive(head);
    /* Servers whose 1.0 is only a word: all of the body is read, and nothing behind it (6.1). */
    if (head->minor == 0 && head->body == LH_BODY_CHUNKED)
        head->keep_alive = false;
    return LH_ERR_OK;
}

static enum lh_error host_field(struct lh_head *head)
{
    if (!has(head, LH_HEADER_HOST))
        return head->minor == 0 ? LH_ERR_OK : LH_ERR_HOST_MISSING;
    struct lb_str host = lh_head_get(head, LH_HEADER_HOST);
    if (!lh_host_field_valid(host))
        return LH_ERR_HOST;
    if (head->host.size == 0) /* an absolute target outranks the field, RFC 9112 section 3.2.2 */
        head->host = host;
    return LH_ERR_OK;
}

enum lh_error lh_framing_request(struct lh_head *head)
{
    enum lh_error error = host_field(head);

    if (error == LH_ERR_OK)
        error = body_fields(head);
    if (error != LH_ERR_OK)
        return error;
    /* An expectation in 1.0 is ignored, RFC 9110 section 10.1.1. */
    if (has(head, LH_HEADER_EXPECT) && head->minor == 1) {
        if (!lb_str_eq_nocase(lh_head_get(head, LH_HEADER_EXPECT), LB_STR("100-continue")))
            return LH_ERR_EXPECT;
        head->expect_continue = head->body != LH_BODY_NONE;
    }
    return LH_ERR_OK;
}

enum lh_error lh_framing_response(struct lh_head *head)
{
    const bool interim = head->status < 200;
    enum lh_error error = body_fields(head);

    if (error != LH_ERR_OK)
        return error;
    if (head->status == 101)
        return LH_ERR_SWITCH;
    if (interim || head->status == 204) {
        /* No body, but who announces one may send it: trust the connection no further. */
        if (head->body != LH_BODY_NONE)
            head->keep_alive = false;
        head->body = LH_BODY_NONE;
        return LH_ERR_OK;
    }
    if (head->status == 304 || head->reply_to == LH_REPLY_TO_HEAD ||
        (head->reply_to == LH_REPLY_TO_CONNECT && head->status < 300)) {
        head->body = LH_BODY_NONE;
        return LH_ERR_OK;
    }
    if (!has(head, LH_HEADER_TRANSFER_ENCODING) && !has(head, LH_HEADER_CONTENT_LENGTH)) {
        head->body = LH_BODY_UNTIL_CLOSE;
        head->keep_alive = false;
    }
    return LH_ERR_OK;
}
