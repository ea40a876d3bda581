/* SPDX-License-Identifier: MIT */
/*
 * Events are parted by an empty line. Some servers send none, and then a line has to show whether
 * it is an event of its own: no dialect goes on with a second line of data behind an object that
 * was closed.
 */
#include "dialect/tap_lines.h"

#include <string.h>

struct lb_str ld_tap_joined(struct lb_str first, struct lb_str then, char room[LD_TAP_ROOM])
{
    first = lb_str_sub(first, 0, LD_TAP_ROOM);
    then = lb_str_sub(then, 0, LD_TAP_ROOM - first.size);
    if (first.size > 0)
        memcpy(room, first.p, first.size);
    if (then.size > 0)
        memcpy(room + first.size, then.p, then.size);
    return lb_str(room, first.size + then.size);
}

static bool is_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Without the end of its last line. */
static struct lb_str without_end(struct lb_str text)
{
    if (text.size > 0 && text.p[text.size - 1] == '\n')
        text.size--;
    if (text.size > 0 && text.p[text.size - 1] == '\r')
        text.size--;
    return text;
}

/* The last line of a text that ends without a line's end. */
static struct lb_str last_line(struct lb_str text)
{
    size_t at = text.size;

    while (at > 0 && !is_end(text.p[at - 1]))
        at--;
    return lb_str_sub(text, at, text.size);
}

enum ld_tap_line ld_tap_last_line(struct ld_sniff *sniff, struct lb_str first, struct lb_str then)
{
    const struct lb_str name = LB_STR("data:");
    char room[LD_TAP_ROOM];

    then = without_end(then);
    if (then.size == 0) /* or it is the second half of one that was cut */
        first = without_end(first);
    struct lb_str line = last_line(then);
    first = line.size < then.size ? lb_str(NULL, 0) : last_line(first);
    struct lb_str start = ld_tap_joined(first, line, room);
    if (!lb_str_starts(start, name))
        return LD_TAP_LINE_OTHER;
    if (lb_str_eq_c(lb_str_trim(lb_str_sub(start, name.size, start.size)), "[DONE]"))
        return LD_TAP_LINE_DONE;
    size_t skipped = first.size < name.size ? first.size : name.size;
    ld_sniff_reset(sniff);
    ld_sniff_feed(sniff, first.p + skipped, first.size - skipped);
    line = lb_str_sub(line, name.size - skipped, line.size);
    ld_sniff_feed(sniff, line.p, line.size);
    return sniff->whole ? LD_TAP_LINE_WHOLE : LD_TAP_LINE_OTHER;
}

enum ld_look ld_tap_look(struct ld_tap *tap, struct lb_str in)
{
    char room[LD_TAP_ROOM];
    struct lb_str start = ld_tap_joined(lb_str(tap->start, tap->start_size), in, room);
    enum ld_look look = ld_look(start);

    if (look == LD_LOOK_MORE) { /* not as many as LD_LOOK_MAX */
        memcpy(tap->start, start.p, start.size);
        tap->start_size = (uint8_t)start.size;
    }
    return look;
}
