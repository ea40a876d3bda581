/* SPDX-License-Identifier: MIT */
/* Writing a parsed URL: as an origin, for comparison, as the address of something under it. */
#include "http/url.h"

#include "http/hex.h"
#include "http/ip.h"

static char *put(char *at, struct lb_str s)
{
    if (s.size != 0)
        memcpy(at, s.p, s.size);
    return at + s.size;
}

static char *put_host(char *at, const struct lh_url *url)
{
    switch (url->kind) {
    case LH_HOST_NAME:
        for (size_t i = 0; i < url->host.size && i < LH_HOST_MAX; i++)
            *at++ = lb_ascii_lower(url->host.p[i]);
        return at;
    case LH_HOST_IPV4:
    case LH_HOST_NUMERIC:
        return lh_ipv4_put(at, url->address);
    case LH_HOST_IPV6:
        break;
    }
    *at++ = '[';
    at = lh_ipv6_put(at, url->address);
    *at++ = ']';
    return at;
}

static struct lb_str scheme(const struct lh_url *url)
{
    return url->https ? LB_STR("https://") : LB_STR("http://");
}

static bool default_port(const struct lh_url *url)
{
    return url->port == (url->https ? 443 : 80);
}

static size_t finish(const char *out, char *at)
{
    *at = '\0';
    return (size_t)(at - out);
}

size_t lh_url_host(const struct lh_url *url, char out[LH_ORIGIN_SIZE])
{
    return finish(out, put_host(out, url));
}

size_t lh_url_authority(const struct lh_url *url, char out[LH_ORIGIN_SIZE])
{
    char *at = put_host(out, url);

    if (!default_port(url)) {
        *at++ = ':';
        at = lh_decimal_put(at, url->port);
    }
    return finish(out, at);
}

size_t lh_url_origin(const struct lh_url *url, char out[LH_ORIGIN_SIZE])
{
    char *at = put_host(put(out, scheme(url)), url);

    *at++ = ':';
    return finish(out, lh_decimal_put(at, url->port));
}

static struct lb_str without_slashes(struct lb_str path)
{
    while (path.size != 0 && path.p[path.size - 1] == '/')
        path.size--;
    return path;
}

static void add_query(const struct lh_url *url, char mark, struct lb_buf *out)
{
    if (url->query.size == 0)
        return;
    lb_buf_add_byte(out, mark);
    lb_buf_add_str(out, url->query);
}

static void add_server(const struct lh_url *url, struct lb_buf *out)
{
    char authority[LH_ORIGIN_SIZE];
    size_t size = lh_url_authority(url, authority);

    lb_buf_add_str(out, scheme(url));
    lb_buf_add(out, authority, size);
}

void lh_url_normal(const struct lh_url *url, struct lb_buf *out)
{
    struct lb_str path = without_slashes(url->path);

    add_server(url, out);
    for (size_t i = 0; i < path.size; i++) {
        if (path.p[i] != '/' || i == 0 || path.p[i - 1] != '/')
            lb_buf_add_byte(out, path.p[i]);
    }
    add_query(url, '?', out);
}

void lh_url_join_target(const struct lh_url *base, struct lb_str path, struct lb_buf *out)
{
    struct lb_str prefix = without_slashes(base->path);

    lb_buf_add_str(out, prefix);
    if (path.size == 0 || path.p[0] != '/')
        lb_buf_add_byte(out, '/');
    lb_buf_add_str(out, path);
    add_query(base, lb_str_find(path, '?') == path.size ? '?' : '&', out);
}

void lh_url_join(const struct lh_url *base, struct lb_str path, struct lb_buf *out)
{
    add_server(base, out);
    lh_url_join_target(base, path, out);
}

bool lh_percent_decode(struct lb_str segment, char *out, size_t *size)
{
    size_t count = 0;

    for (size_t i = 0; i < segment.size; i++) {
        char c = segment.p[i];
        if (c == '%') {
            int high = segment.size - i > 2 ? lh_hex_digit(segment.p[i + 1]) : -1;
            int low = segment.size - i > 2 ? lh_hex_digit(segment.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[count++] = c;
    }
    *size = count;
    return true;
}

void lh_percent_encode(struct lb_str segment, struct lb_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < segment.size; i++) {
        unsigned char c = (unsigned char)segment.p[i];
        char lower = lb_ascii_lower((char)c);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) {
            lb_buf_add_byte(out, (char)c);
            continue;
        }
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        lb_buf_add(out, escape, sizeof(escape));
    }
}
