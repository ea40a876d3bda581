/* SPDX-License-Identifier: MIT */
/*
 * Writing heads. Everything goes through lb_buf, whose failure sticks; a name, value, target or
 * reason that could break out of its line makes the buffer fail with LLMGR_ERR_INVALID, so no head
 * with an injected line ever leaves it. Check buf->failed once, after lh_write_end.
 */
#ifndef LH_WRITE_H
#define LH_WRITE_H

#include "base/buf.h"
#include "http/field.h"

/* "METHOD target HTTP/1.1" and the Host field. */
void lh_write_request(struct lb_buf *buf, struct lb_str method, struct lb_str target,
                      struct lb_str host);
/* "HTTP/1.1 status reason" with the table's reason. `status` is 100 to 599. */
void lh_write_status(struct lb_buf *buf, int status);
/* `name` must be a token, `value` free of control characters but HTAB. */
void lh_write_field(struct lb_buf *buf, struct lb_str name, struct lb_str value);
/* A value in two parts, such as "Bearer " and a key. */
void lh_write_field2(struct lb_buf *buf, struct lb_str name, struct lb_str value,
                     struct lb_str rest);

/*
 * A name that stands in the source as a token needs no second look; the value is checked as above.
 * A type of its own, so that no name from outside is taken for one.
 */
struct lh_name {
    struct lb_str start; /* of the line: the name, a colon and a space */
};

#define LH_NAME(token) ((struct lh_name){LB_STR(token ": ")})

void lh_write_named(struct lb_buf *buf, struct lh_name name, struct lb_str value);
void lh_write_named_u64(struct lb_buf *buf, struct lh_name name, uint64_t value);

/* The empty line. */
void lh_write_end(struct lb_buf *buf);

/* "Not Found"; "Unknown" for a code without a registered reason. */
const char *lh_status_reason(int status);

#endif
