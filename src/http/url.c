/* SPDX-License-Identifier: MIT */
/*
 * Reading a URL. The order of the checks is the order in which a person would want to hear of the
 * mistakes: first what makes the whole text suspicious, then part by part from the left.
 */
#include "http/url.h"

#include "http/hex.h"
#include "http/host.h"
#include "http/ip.h"

static const struct {
    const char *name;
    const char *text;
} rows[] = {
#define LH_URL_ROW(name, text) {#name, text},
    LH_URL_ERROR_MAP(LH_URL_ROW)
#undef LH_URL_ROW
};

const char *lh_url_error_name(enum lh_url_error error)
{
    return (size_t)error < sizeof(rows) / sizeof(rows[0]) ? rows[error].name : "UNKNOWN";
}

const char *lh_url_error_text(enum lh_url_error error)
{
    return (size_t)error < sizeof(rows) / sizeof(rows[0]) ? rows[error].text
                                                          : N_("an unknown error");
}

llmgr_status lh_url_fail(struct llmgr_error *err, enum lh_url_error error, struct lb_str text)
{
    enum { SHOWN = 200 };
    const char *why = lb_tr(lh_url_error_text(error));

    /*
     * What stands before '@' may be a password, what stands behind '?' a key; and bytes that are
     * no text must not reach a terminal.
     */
    struct lb_str shown = lb_str_sub(text, 0, lb_str_find(text, '?'));
    if (lb_str_find(text, '@') != text.size || !lb_utf8_name(shown, LH_URL_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the URL is refused: %s"), why);
    return lb_fail(err, LLMGR_ERR_INVALID, N_("the URL \"%.*s\" is refused: %s"),
                   (int)lb_utf8_cut(shown, SHOWN), shown.p, why);
}

/* The byte that %XX at s.p[at] stands for, or -1. */
static int escape_at(struct lb_str s, size_t at)
{
    if (s.size - at < 3)
        return -1;
    int high = lh_hex_digit(s.p[at + 1]);
    int low = lh_hex_digit(s.p[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* ---- Whole text ------------------------------------------------------------------------------ */

static enum lh_url_error check_bytes(struct lb_str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == 0x7f)
            return LH_URL_SPACE;
        if (c == '\\')
            return LH_URL_BACKSLASH;
        if (c == '#')
            return LH_URL_FRAGMENT;
        if (c != '%')
            continue;
        int byte = escape_at(s, i);
        if (byte < 0)
            return LH_URL_ESCAPE;
        if (byte == 0)
            return LH_URL_NUL;
    }
    return LH_URL_OK;
}

static bool take_prefix(struct lb_str *rest, struct lb_str prefix)
{
    if (!lb_str_eq_nocase(lb_str_sub(*rest, 0, prefix.size), prefix))
        return false;
    *rest = lb_str_sub(*rest, prefix.size, rest->size);
    return true;
}

/* ---- Host ------------------------------------------------------------------------------------ */

/* A number as inet_aton reads it: 0x.. hexadecimal, 0.. octal, else decimal. */
static bool parse_number(struct lb_str s, uint64_t *value)
{
    unsigned base = 10;
    size_t at = 0;

    if (s.size >= 2 && s.p[0] == '0' && lb_ascii_lower(s.p[1]) == 'x') {
        base = 16;
        at = 2;
    } else if (s.size >= 2 && s.p[0] == '0') {
        base = 8;
        at = 1;
    }
    *value = 0;
    for (; at < s.size; at++) {
        int digit = lh_hex_digit(s.p[at]);
        if (digit < 0 || (unsigned)digit >= base || *value > UINT32_MAX)
            return false;
        *value = *value * base + (unsigned)digit;
    }
    return s.size != 0 && *value <= UINT32_MAX;
}

/* Could the last label be meant as a number, of whatever size (WHATWG URL, "ends in a number")? */
static bool ends_in_number(struct lb_str host)
{
    size_t at = host.size;

    while (at != 0 && host.p[at - 1] != '.')
        at--;
    const bool hex = host.size - at >= 2 && host.p[at] == '0' && (host.p[at + 1] | 0x20) == 'x';
    if (hex)
        at += 2;
    for (; at < host.size; at++) {
        int digit = lh_hex_digit(host.p[at]);
        if (digit < 0 || (!hex && digit > 9))
            return false;
    }
    return true;
}

/* One to four numbers; all but the last are bytes, the last fills what is left. */
static enum lh_url_error parse_numeric(struct lb_str host, struct lh_url *url)
{
    uint64_t parts[4];
    size_t last = 0;

    for (struct lb_str rest = host;; last++) {
        size_t dot = lb_str_find(rest, '.');
        if (last == 4 || !parse_number(lb_str_sub(rest, 0, dot), &parts[last]))
            return LH_URL_HOST;
        if (dot == rest.size)
            break;
        rest = lb_str_sub(rest, dot + 1, rest.size);
    }
    uint64_t address = parts[last];
    if (address > UINT32_MAX >> (8 * last))
        return LH_URL_HOST;
    for (size_t i = 0; i < last; i++) {
        if (parts[i] > UINT8_MAX)
            return LH_URL_HOST;
        address |= parts[i] << (24 - 8 * i);
    }
    url->kind = LH_HOST_NUMERIC;
    for (size_t i = 0; i < 4; i++)
        url->address[i] = (uint8_t)(address >> (24 - 8 * i));
    return LH_URL_OK;
}

static enum lh_url_error parse_name(struct lb_str host)
{
    size_t label = 0;

    if (host.size > LH_HOST_MAX)
        return LH_URL_HOST;
    for (size_t i = 0; i <= host.size; i++) {
        if (i < host.size && host.p[i] != '.') {
            label++;
            continue;
        }
        /* Not empty, at most 63 bytes, no hyphen at an end (RFC 1123 section 2.1). */
        if (label == 0 || label > 63 || host.p[i - label] == '-' || host.p[i - 1] == '-')
            return LH_URL_HOST;
        label = 0;
    }
    return LH_URL_OK;
}

static enum lh_url_error parse_host(struct lb_str host, struct lh_url *url)
{
    url->host = host;
    if (host.size == 0)
        return LH_URL_HOST_EMPTY;
    for (size_t i = 0; i < host.size; i++) {
        if ((unsigned char)host.p[i] >= 0x80)
            return LH_URL_HOST_NON_ASCII;
        if (!lh_host_byte(host.p[i]))
            return LH_URL_HOST;
    }
    if (host.p[host.size - 1] == '.')
        return LH_URL_HOST_DOT;
    if (lh_ipv4_parse(host, url->address)) {
        url->kind = LH_HOST_IPV4;
        return LH_URL_OK;
    }
    if (ends_in_number(host))
        return parse_numeric(host, url);
    url->kind = LH_HOST_NAME;
    return parse_name(host);
}

/* "[...]" at the start of *rest; leaves what follows the bracket. */
static enum lh_url_error parse_ipv6(struct lb_str *rest, struct lh_url *url)
{
    size_t end = lb_str_find(*rest, ']');

    if (end == rest->size)
        return LH_URL_HOST_IPV6;
    url->host = lb_str_sub(*rest, 1, end);
    if (!lh_ipv6_parse(url->host, url->address))
        return LH_URL_HOST_IPV6;
    url->kind = LH_HOST_IPV6;
    *rest = lb_str_sub(*rest, end + 1, rest->size);
    return LH_URL_OK;
}

static enum lh_url_error parse_authority(struct lb_str rest, struct lh_url *url)
{
    enum lh_url_error error;

    if (lb_str_find(rest, '@') != rest.size)
        return LH_URL_USERINFO;
    if (rest.size != 0 && rest.p[0] == '[') {
        error = parse_ipv6(&rest, url);
    } else {
        size_t colon = lb_str_find(rest, ':');
        error = parse_host(lb_str_sub(rest, 0, colon), url);
        rest = lb_str_sub(rest, colon, rest.size);
    }
    if (error != LH_URL_OK)
        return error;
    url->port = url->https ? 443 : 80;
    if (rest.size == 0)
        return LH_URL_OK;
    if (rest.p[0] != ':')
        return LH_URL_HOST_IPV6;
    url->port_given = true;
    return lh_port_parse(lb_str_sub(rest, 1, rest.size), &url->port) ? LH_URL_OK : LH_URL_PORT;
}

/* ---- Path and query -------------------------------------------------------------------------- */

/* pchar, '/' and '%' (RFC 3986 section 3.3); a query may hold '?' as well. */
static bool path_byte(unsigned char c)
{
    return lh_host_byte((char)c) || (c != 0 && strchr("~!$&'()*+,;=:@/%", c) != NULL);
}

/* Is the segment "." or "..", plain or escaped? Readers drop such segments at different times. */
static bool is_dots(struct lb_str segment)
{
    size_t dots = 0;

    for (size_t i = 0; i < segment.size; dots++) {
        if (segment.p[i] == '.')
            i++;
        else if (segment.p[i] == '%' && escape_at(segment, i) == '.')
            i += 3;
        else
            return false;
    }
    return dots == 1 || dots == 2;
}

static enum lh_url_error check_path(struct lb_str path)
{
    size_t start = 0;

    for (size_t i = 0; i <= path.size; i++) {
        if (i < path.size && !path_byte((unsigned char)path.p[i]))
            return LH_URL_PATH;
        if (i < path.size && path.p[i] != '/')
            continue;
        if (is_dots(lb_str_sub(path, start, i)))
            return LH_URL_PATH_DOTS;
        start = i + 1;
    }
    return LH_URL_OK;
}

static enum lh_url_error check_query(struct lb_str query)
{
    for (size_t i = 0; i < query.size; i++) {
        if (query.p[i] != '?' && !path_byte((unsigned char)query.p[i]))
            return LH_URL_QUERY;
    }
    return LH_URL_OK;
}

enum lh_url_error lh_url_parse(struct lb_str text, struct lh_url *url)
{
    struct lh_url parsed = {0};
    struct lb_str rest = text;

    if (text.size == 0)
        return LH_URL_EMPTY;
    if (text.size > LH_URL_MAX)
        return LH_URL_LONG;
    enum lh_url_error error = check_bytes(text);
    if (error != LH_URL_OK)
        return error;
    parsed.https = take_prefix(&rest, LB_STR("https://"));
    if (!parsed.https && !take_prefix(&rest, LB_STR("http://")))
        return LH_URL_SCHEME;
    size_t end = 0;
    while (end < rest.size && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    error = parse_authority(lb_str_sub(rest, 0, end), &parsed);
    if (error != LH_URL_OK)
        return error;
    rest = lb_str_sub(rest, end, rest.size);
    size_t mark = lb_str_find(rest, '?');
    parsed.path = lb_str_sub(rest, 0, mark);
    parsed.query = lb_str_sub(rest, mark + 1, rest.size);
    error = check_path(parsed.path);
    if (error == LH_URL_OK)
        error = check_query(parsed.query);
    if (error == LH_URL_OK)
        *url = parsed;
    return error;
}
