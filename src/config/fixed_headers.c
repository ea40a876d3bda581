/* SPDX-License-Identifier: MIT */
/* One reader of the lines, so that what is stored, listed, sent and masked is the same. */
#include "config/fixed_headers.h"

#include "config/header_name.h"

bool lc_header_value_is_good(struct lb_str value)
{
    return lb_utf8_name(value, LC_HEADER_VALUE_MAX) && lb_str_trim(value).size == value.size;
}

bool lc_fixed_next(struct lb_str *lines, struct lb_str *name, struct lb_str *value)
{
    size_t end = lb_str_find(*lines, '\r');
    struct lb_str line = lb_str_sub(*lines, 0, end);
    size_t colon = lb_str_find(line, ':');

    if (end + 1 >= lines->size || lines->p[end + 1] != '\n' || colon + 1 >= line.size ||
        line.p[colon + 1] != ' ')
        return false;
    *name = lb_str_sub(line, 0, colon);
    *value = lb_str_sub(line, colon + 2, line.size);
    *lines = lb_str_sub(*lines, end + 2, lines->size);
    return true;
}

bool lc_fixed_are_good(struct lb_str lines)
{
    struct lb_str name, value;
    size_t count = 0;

    if (lines.size > LC_FIXED_SIZE_MAX)
        return false;
    while (lc_fixed_next(&lines, &name, &value)) {
        if (!lc_header_may_pass(name) || !lc_header_value_is_good(value) ||
            ++count > LC_FIXED_COUNT_MAX)
            return false;
    }
    return lines.size == 0;
}

void lc_fixed_add(struct lb_buf *lines, struct lb_str name, struct lb_str value)
{
    for (size_t i = 0; i < name.size; i++)
        lb_buf_add_byte(lines, lb_ascii_lower(name.p[i]));
    lb_buf_add_c(lines, ": ");
    lb_buf_add_str(lines, value);
    lb_buf_add_c(lines, "\r\n");
}

bool lc_fixed_add_others(struct lb_buf *lines, struct lb_str from, struct lb_str name)
{
    struct lb_str at, value;
    bool found = false;

    while (lc_fixed_next(&from, &at, &value)) {
        if (lb_str_eq_nocase(at, name))
            found = true;
        else
            lc_fixed_add(lines, at, value);
    }
    return found;
}

void lc_fixed_names(struct lb_str lines, struct lb_buf *names)
{
    struct lb_str name, value;

    while (lc_fixed_next(&lines, &name, &value)) {
        if (names->size > 0)
            lb_buf_add_c(names, ", ");
        lb_buf_add_str(names, name);
    }
}
