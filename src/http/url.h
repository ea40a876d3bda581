/* SPDX-License-Identifier: MIT */
/*
 * URLs of platforms: http and https only, and narrower than the standards. What could be read in
 * two ways is refused with a text that says what to write instead. Nothing here resolves a name or
 * judges an address; that is net's egress policy, which gets the host's kind and its bytes.
 */
#ifndef LH_URL_H
#define LH_URL_H

#include "base/buf.h"
#include "base/error.h"

/* XX(name, text): the text completes the sentence "the URL is refused: ...". */
#define LH_URL_ERROR_MAP(XX)                                                                       \
    XX(OK, N_("no error"))                                                                         \
    XX(EMPTY, N_("it is empty; write something like https://api.example.com/v1"))                  \
    XX(LONG, N_("it is longer than 2048 bytes"))                                                   \
    XX(SCHEME, N_("it does not start with http:// or https://"))                                   \
    XX(USERINFO, N_("it holds a user name or password before '@'; store the key with the "         \
                    "platform instead"))                                                           \
    XX(HOST_EMPTY, N_("it names no host"))                                                         \
    XX(HOST, N_("its host is not a valid name or address"))                                        \
    XX(HOST_NON_ASCII, N_("its host has characters outside ASCII; write the name in its xn-- "     \
                          "form"))                                                                 \
    XX(HOST_DOT, N_("its host ends with a dot; leave the dot away"))                               \
    XX(HOST_IPV6, N_("its IPv6 address is not valid; write it as [2001:db8::1], without a zone"))  \
    XX(PORT, N_("its port is not a number from 1 to 65535"))                                       \
    XX(PATH, N_("its path holds a character that must be percent-encoded"))                        \
    XX(PATH_DOTS, N_("its path holds a '.' or '..' segment"))                                      \
    XX(BACKSLASH, N_("it holds a backslash; write '/'"))                                           \
    XX(SPACE, N_("it holds a space or a control character"))                                       \
    XX(ESCAPE, /* xgettext:no-c-format */                                                          \
       N_("it holds a '%' that is not followed by two hexadecimal digits"))                        \
    XX(NUL, N_("it holds %00"))                                                                    \
    XX(QUERY, N_("its query holds a character that must be percent-encoded"))                      \
    XX(FRAGMENT, N_("it holds a fragment; leave '#' and what follows it away"))

enum lh_url_error {
#define LH_URL_ERROR_ENUM(name, text) LH_URL_##name,
    LH_URL_ERROR_MAP(LH_URL_ERROR_ENUM)
#undef LH_URL_ERROR_ENUM
};

enum lh_host_kind {
    LH_HOST_NAME,
    LH_HOST_IPV4, /* four decimal numbers without leading zeros */
    LH_HOST_IPV6,
    LH_HOST_NUMERIC /* another spelling of an IPv4 address: 2852039166, 0xa9.254.169.254, 127.1 */
};

enum {
    LH_URL_MAX = 2048,
    LH_HOST_MAX = 253,
    LH_ORIGIN_SIZE = 280, /* "https://" host ":65535" NUL */
};

struct lh_url {
    bool https;
    bool port_given;
    uint16_t port; /* 80 or 443 if not given */
    enum lh_host_kind kind;
    uint8_t address[16]; /* network order: 16 bytes for IPV6, the first 4 for IPV4 and NUMERIC */
    struct lb_str host;  /* as written, without brackets */
    struct lb_str path;  /* as written; empty or starts with '/' */
    struct lb_str query; /* as written, without '?'; empty if there is none */
};

/* Parses the whole of `text`; the slices point into it. LH_URL_OK, or why it is refused. */
enum lh_url_error lh_url_parse(struct lb_str text, struct lh_url *url);
const char *lh_url_error_name(enum lh_url_error error);
const char *lh_url_error_text(enum lh_url_error error); /* an msgid, see lb_tr */
/* Fills `err` with the refused URL, without what may be secret in it, and the reason; returns
 * LLMGR_ERR_INVALID. */
llmgr_status lh_url_fail(struct llmgr_error *err, enum lh_url_error error, struct lb_str text);

/*
 * "scheme://host:port", NUL-terminated: lower-case, the port always there, addresses in canonical
 * form (NUMERIC as the dotted address it stands for). Returns its size.
 */
size_t lh_url_origin(const struct lh_url *url, char out[LH_ORIGIN_SIZE]);
/* The host in the same form, brackets included: for DNS, certificates and the Host field. */
size_t lh_url_host(const struct lh_url *url, char out[LH_ORIGIN_SIZE]);
/* The value of the Host field: lh_url_host, and the port unless it is the scheme's. */
size_t lh_url_authority(const struct lh_url *url, char out[LH_ORIGIN_SIZE]);

/*
 * The form in which two base URLs are compared: as lh_url_origin but the scheme's port dropped,
 * slashes at the end dropped, several in a row collapsed. The path's case stays.
 */
void lh_url_normal(const struct lh_url *url, struct lb_buf *out);
/*
 * The URL of `path` ("/chat/completions") under the base: base path as written, without its
 * slashes at the end, then `path` (which may hold a query of its own), then the base's query.
 * Nothing is added ("/v1") or collapsed.
 */
void lh_url_join(const struct lh_url *base, struct lb_str path, struct lb_buf *out);
/* The same without scheme and host: the target of a request line. */
void lh_url_join_target(const struct lh_url *base, struct lb_str path, struct lb_buf *out);

/*
 * Decodes %XX of a path segment ('+' stays). `out` needs segment.size bytes and may be segment.p.
 * False on a malformed escape or %00; otherwise *size tells the bytes written.
 */
bool lh_percent_decode(struct lb_str segment, char *out, size_t *size);
/* Appends the segment with all but unreserved characters (RFC 3986 section 2.3) encoded. */
void lh_percent_encode(struct lb_str segment, struct lb_buf *out);

#endif
