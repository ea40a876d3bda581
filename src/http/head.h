/* SPDX-License-Identifier: MIT */
/*
 * A message head, out of one contiguous buffer: request line or status line, header fields, and
 * what they say about the body. Nothing is copied or allocated; all slices point into the buffer
 * and live as long as it does.
 *
 *     struct lh_field fields[LH_FIELDS];
 *     struct lh_head head;
 *     lh_head_init_request(&head, fields, LH_FIELDS, &lh_limits_default);
 *     switch (lh_head_parse(&head, in.data, in.size)) {
 *     case LH_MORE:   read more bytes behind the old ones and call again with all of them
 *     case LH_DONE:   the body starts at in.data + head.size
 *     case LH_FAILED: answer lh_error_http(head.error) and close
 *     }
 *
 * Bytes seen once are not looked at again, unless the buffer has moved: then parsing begins anew,
 * which with a doubling buffer costs one more pass in all.
 *
 * Strictness (RFC 9112, narrowed): CRLF only; no folding, no white space before a colon; one
 * Host in 1.1; Content-Length is digits; Transfer-Encoding is the one word chunked, in 1.1, and
 * never beside Content-Length. Both directions obey the same rules. Where real peers need it, and
 * nowhere else, we are lenient: one empty line before a request line; bytes 0x80-0xff in field
 * values. Of responses: a status line that ends after the code; a code above 599; a 204 or 304 that
 * carries a length; chunks in 1.0, behind which the connection is not used again; more fields than
 * the array holds (those that frame the message are never passed over).
 */
#ifndef LH_HEAD_H
#define LH_HEAD_H

#include "http/error.h"
#include "http/field.h"

struct lh_limits {
    size_t start_line; /* bytes of the first line, without CRLF */
    size_t head;       /* bytes of the whole head */
};

/* 8 KiB and 32 KiB, as nginx has it. The number of fields is limited by the caller's array. */
extern const struct lh_limits lh_limits_default;

enum {
    LH_FIELDS = 100,        /* the usual size of the array of fields, and of a request all */
    LH_ANSWER_FIELDS = 160, /* of a response's; what exceeds it is passed over */
};

#define LH_METHOD_MAP(XX)                                                                          \
    XX(GET) XX(HEAD) XX(POST) XX(PUT) XX(PATCH) XX(DELETE) XX(OPTIONS) XX(TRACE)

enum lh_method {
    LH_METHOD_OTHER = 0, /* a valid token that is none of the table */
#define LH_METHOD_ENUM(name) LH_METHOD_##name,
    LH_METHOD_MAP(LH_METHOD_ENUM)
#undef LH_METHOD_ENUM
};

/* What a response answers; decides with its status whether a body follows. */
enum lh_reply_to { LH_REPLY_TO_OTHER = 0, LH_REPLY_TO_HEAD, LH_REPLY_TO_CONNECT };

enum lh_body_kind {
    LH_BODY_NONE,
    LH_BODY_LENGTH, /* head.length bytes, not 0 */
    LH_BODY_CHUNKED,
    LH_BODY_UNTIL_CLOSE /* responses only */
};

struct lh_head {
    /* Valid after LH_DONE. */
    size_t size; /* bytes of the head with its empty line */
    struct lb_str method_name;
    enum lh_method method;
    struct lb_str target; /* as sent */
    struct lb_str path;   /* starts with '/', still percent-encoded; "*" for OPTIONS * */
    struct lb_str query;  /* without '?'; empty if there is none */
    struct lb_str host;   /* of an absolute target, else the Host field; empty in 1.0 without one */
    uint8_t minor;        /* HTTP/1.minor: 0 or 1 */
    uint16_t status;
    struct lb_str reason; /* may be empty */
    struct lh_field *fields;
    size_t field_count;
    enum lh_body_kind body;
    uint64_t length;      /* Content-Length; 0 if there is none */
    bool keep_alive;      /* may another message follow on this connection? */
    bool expect_continue; /* the client waits for 100 before it sends the body */

    enum lh_error error; /* valid after LH_FAILED */

    /* Private. */
    size_t field_cap;
    const struct lh_limits *limits;
    enum lh_reply_to reply_to;
    bool is_response;
    uint8_t state;
    uintptr_t base;                 /* where the buffer stood at the last call */
    size_t line;                    /* offset of the current line */
    size_t scan;                    /* offset up to which the current line holds no line end */
    uint8_t known[LH_HEADER_COUNT]; /* 1 + index of the first field of that name, or 0 */
};

/* `fields` (`cap` entries, at most 254 used) and `limits` are borrowed while the head is in use. */
void lh_head_init_request(struct lh_head *head, struct lh_field *fields, size_t cap,
                          const struct lh_limits *limits);
void lh_head_init_response(struct lh_head *head, struct lh_field *fields, size_t cap,
                           const struct lh_limits *limits, enum lh_reply_to reply_to);

/*
 * Looks at the `size` bytes received so far, from the head's first byte on. An interim response
 * (1xx other than 101) is a head of its own with no body: initialise anew and go on behind it.
 */
enum lh_result lh_head_parse(struct lh_head *head, const char *data, size_t size);

/* The value of the first field of that name; .p is NULL if there is none. */
struct lb_str lh_head_get(const struct lh_head *head, enum lh_header id);
/* The same for any name, in any case. */
struct lb_str lh_head_get_named(const struct lh_head *head, struct lb_str name);
/* Takes all fields of that name out of a head that was read, as if they had not been sent. */
void lh_head_drop(struct lh_head *head, enum lh_header id);
/* Must this field not be forwarded: hop-by-hop by definition or named by Connection? */
bool lh_head_is_hop(const struct lh_head *head, const struct lh_field *field);

#endif
