/* SPDX-License-Identifier: MIT */
/*
 * Header fields with values of their own that a platform gets with every request: kept as the lines
 * that are sent, "x-org: acme\r\nx-title: my app\r\n", names in lower case and each once. Names
 * obey header_name.h. Values may be secret: buffers that hold lines are secret ones.
 */
#ifndef LC_FIXED_HEADERS_H
#define LC_FIXED_HEADERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum {
    LC_FIXED_COUNT_MAX = 16,    /* fields of one platform */
    LC_FIXED_SIZE_MAX = 4096,   /* bytes of all their lines */
    LC_HEADER_VALUE_MAX = 2048, /* bytes of one value */
};

/* 1 to LC_HEADER_VALUE_MAX bytes of UTF-8 without control characters; no blank at either end. */
bool lc_header_value_is_good(struct lb_str value);

/* Takes the first line off *lines; false: there is none, or it is no such line. */
bool lc_fixed_next(struct lb_str *lines, struct lb_str *name, struct lb_str *value);
/* May all of it be sent, whoever wrote it? */
bool lc_fixed_are_good(struct lb_str lines);
/* Appends a line. */
void lc_fixed_add(struct lb_buf *lines, struct lb_str name, struct lb_str value);
/* Appends the lines of `from` but for that of `name`; true: there was one. */
bool lc_fixed_add_others(struct lb_buf *lines, struct lb_str from, struct lb_str name);
/* Appends their names, as lists of header_name.h are: "x-org, x-title". */
void lc_fixed_names(struct lb_str lines, struct lb_buf *names);

#endif
