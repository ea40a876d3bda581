/* SPDX-License-Identifier: MIT */
/* Behind a byte order mark and blank lines: an opening bracket, or the name of an event's field. */
#include "dialect/look.h"

/* The offset behind what may stand before anything. */
static size_t skip_blank(struct lb_str start)
{
    size_t at = lb_str_starts(start, LB_STR("\xef\xbb\xbf")) ? 3 : 0;

    while (at < start.size && (start.p[at] == '\n' || start.p[at] == '\r' || start.p[at] == ' ' ||
                               start.p[at] == '\t'))
        at++;
    return at;
}

enum ld_look ld_look(struct lb_str start)
{
    static const struct lb_str FIELDS[] = {
        LB_STR("data:"), LB_STR("event:"), LB_STR("id:"), LB_STR("retry:"), LB_STR(":"),
    };
    enum ld_look said = start.size < LD_LOOK_MAX ? LD_LOOK_MORE : LD_LOOK_UNSAID;

    start = lb_str_sub(start, 0, LD_LOOK_MAX);
    if (start.size < 3 && lb_str_starts(LB_STR("\xef\xbb\xbf"), start))
        return LD_LOOK_MORE;
    struct lb_str text = lb_str_sub(start, skip_blank(start), start.size);
    if (text.size == 0)
        return said;
    if (text.p[0] == '{' || text.p[0] == '[' || text.p[0] == '<')
        return LD_LOOK_WHOLE;
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (lb_str_starts(text, FIELDS[i]))
            return LD_LOOK_EVENTS;
        if (lb_str_starts(FIELDS[i], text))
            return said;
    }
    return LD_LOOK_UNSAID;
}
