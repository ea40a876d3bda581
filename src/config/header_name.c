/* SPDX-License-Identifier: MIT */
/* One table of what stays here, kept_headers.def. See the header. */
#include "config/header_name.h"

#include <string.h>

static const char *const WHOLE[] = {
#define XX(name) name,
#define YY(part)
#include "config/kept_headers.def"
#undef XX
#undef YY
};

static const char *const PARTS[] = {
#define XX(name)
#define YY(part) part,
#include "config/kept_headers.def"
#undef XX
#undef YY
};

static bool has_part(struct lb_str name, struct lb_str part)
{
    for (size_t at = 0; at + part.size <= name.size; at++) {
        if (lb_str_eq_nocase(lb_str_sub(name, at, at + part.size), part))
            return true;
    }
    return false;
}

/* A token of letters, digits and hyphens: an underscore is a hyphen to some servers (CGI). */
static bool is_name(struct lb_str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = lb_ascii_lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return name.size > 0 && name.size <= LC_HEADER_NAME_MAX;
}

bool lc_header_may_pass(struct lb_str name)
{
    char padded[LC_HEADER_NAME_MAX + 2]; /* so that a part is found at either end */

    if (!is_name(name))
        return false;
    padded[0] = padded[name.size + 1] = '-';
    memcpy(padded + 1, name.p, name.size);
    for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++) {
        if (lb_str_eq_nocase(name, lb_cstr(WHOLE[i])))
            return false;
    }
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (has_part(lb_str(padded, name.size + 2), lb_cstr(PARTS[i])))
            return false;
    }
    return true;
}

bool lc_header_add(struct lb_str name, struct lb_buf *out)
{
    name = lb_str_trim(name);
    if (!lc_header_may_pass(name))
        return false;
    if (lc_header_is_listed(lb_buf_str(out), name))
        return true;
    if (out->size > 0)
        lb_buf_add_c(out, ", ");
    for (size_t i = 0; i < name.size; i++)
        lb_buf_add_byte(out, lb_ascii_lower(name.p[i]));
    return true;
}

bool lc_header_is_listed(struct lb_str list, struct lb_str name)
{
    while (list.size > 0) {
        size_t comma = lb_str_find(list, ',');
        if (lb_str_eq_nocase(lb_str_trim(lb_str_sub(list, 0, comma)), name))
            return true;
        list = lb_str_sub(list, comma + 1, list.size);
    }
    return false;
}
