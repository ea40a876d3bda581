/* SPDX-License-Identifier: MIT */
/*
 * The text of the new event must end where the remembered tail begins. That is seen by running
 * over it as the sniff does: no quote before the tail's own, no escape that would swallow that one.
 */
#include "dialect/echo.h"

#include "json/scan.h"

void ld_echo_keep(struct ld_echo *echo, struct lb_str event, struct lb_str text)
{
    size_t head = (size_t)(text.p - event.p);
    size_t tail = event.size - head - text.size;

    if (head + tail > LD_ECHO_MAX)
        return;
    echo->head = (uint16_t)head;
    echo->tail = (uint16_t)tail;
    memcpy(echo->bytes, event.p, head);
    memcpy(echo->bytes + head, text.p + text.size, tail);
}

/*
 * The decoded size, roughly, of a string's inside of `size` bytes, behind which a quote stands in
 * `text`; false if it ends elsewhere. Control characters are none of JSON's, but some are line
 * ends: such events are read.
 */
static bool measure(struct lb_str text, size_t size, uint64_t *text_size)
{
    size_t escapes = 0;

    for (size_t at = 0; (at = lj_scan_string(text.p, at, text.size)) < size; at += 2) {
        if (text.p[at] != '\\' || size - at < 2 || (unsigned char)text.p[at + 1] < 0x20)
            return false;
        escapes++;
    }
    *text_size = size - escapes;
    return true;
}

bool ld_echo_is(const struct ld_echo *echo, struct lb_str event, uint64_t *text_size)
{
    const size_t head = echo->head, tail = echo->tail;

    if (head == 0 || event.size < head + tail || memcmp(event.p, echo->bytes, head) != 0 ||
        memcmp(event.p + event.size - tail, echo->bytes + head, tail) != 0)
        return false;
    return measure(lb_str(event.p + head, event.size - head), event.size - head - tail, text_size);
}
