/* SPDX-License-Identifier: MIT */
/*
 * What the request and the response target have in common: a head parsed in pieces must give what
 * it gives whole, and what was accepted must be free of what the rules forbid.
 */
#ifndef FUZZ_HTTP_HEAD_H
#define FUZZ_HTTP_HEAD_H

#include "check.h"
#include "http/body.h"

enum { FUZZ_FIELDS = 24 };

struct fuzz_head {
    struct lh_field fields[FUZZ_FIELDS];
    struct lh_head head;
};

static inline void fuzz_check_head(const struct lh_head *head, const char *data)
{
    FUZZ_CHECK(memcmp(data + head->size - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < head->field_count; i++) {
        FUZZ_CHECK(lh_is_token(head->fields[i].name));
        FUZZ_CHECK(lh_is_value(head->fields[i].value));
        FUZZ_CHECK(head->fields[i].id == lh_header_find(head->fields[i].name));
    }
    if (head->body == LH_BODY_LENGTH)
        FUZZ_CHECK(head->length != 0);
    if (head->body == LH_BODY_UNTIL_CLOSE)
        FUZZ_CHECK(!head->keep_alive);
}

static inline void fuzz_same_head(const struct lh_head *a, const struct lh_head *b)
{
    FUZZ_CHECK(a->size == b->size && a->field_count == b->field_count);
    FUZZ_CHECK(a->body == b->body && a->length == b->length && a->keep_alive == b->keep_alive);
    FUZZ_CHECK(lb_str_eq(a->target, b->target) && lb_str_eq(a->host, b->host));
    FUZZ_CHECK(a->status == b->status && lb_str_eq(a->reason, b->reason));
    for (size_t i = 0; i < a->field_count; i++)
        FUZZ_CHECK(lb_str_eq(a->fields[i].value, b->fields[i].value));
}

/* Feeds in random pieces; every third time the buffer has moved meanwhile. */
static inline enum lh_result fuzz_feed_pieces(struct lh_head *head, char **block, const char *data,
                                              size_t size, uint32_t seed)
{
    enum lh_result result = LH_MORE;
    size_t at = 0;

    while (result == LH_MORE && at < size) {
        uint32_t random = fuzz_next(&seed);
        at += 1 + random % 13;
        if (at > size)
            at = size;
        if (*block == NULL || random % 3 == 0) {
            char *moved = malloc(size);
            FUZZ_CHECK(moved != NULL);
            memcpy(moved, data, size);
            free(*block);
            *block = moved;
        }
        result = lh_head_parse(head, *block, at);
    }
    return result;
}

static inline void fuzz_head(struct fuzz_head *whole, struct fuzz_head *pieces, const char *data,
                             size_t size)
{
    char *block = NULL;
    enum lh_result result = lh_head_parse(&whole->head, data, size);
    enum lh_result again =
        fuzz_feed_pieces(&pieces->head, &block, data, size, fuzz_seed((const uint8_t *)data, size));

    FUZZ_CHECK(result == again || size == 0);
    if (result == LH_FAILED)
        FUZZ_CHECK(whole->head.error == pieces->head.error);
    if (result == LH_DONE) {
        fuzz_check_head(&whole->head, data);
        fuzz_same_head(&whole->head, &pieces->head);
    }
    free(block);
}

/* Runs what follows the head through the body it announces. */
static inline void fuzz_body(const struct lh_head *head, const char *data, size_t size)
{
    struct lh_body body;
    size_t at = head->size;
    enum lh_result result = LH_MORE;

    lh_body_init(&body, head);
    do {
        struct lb_str payload;
        size_t used;
        result = lh_body_next(&body, data + at, size - at, &used, &payload);
        FUZZ_CHECK(used <= size - at && payload.size <= used);
        at += used;
    } while (result == LH_MORE && at < size);
    if (result == LH_DONE)
        FUZZ_CHECK(lh_body_eof_is_end(&body));
}

#endif
