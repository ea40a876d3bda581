/* SPDX-License-Identifier: MIT */
/*
 * What a database is called: splits the option's text into what the driver opens and what people
 * may read. A password must never reach the second, so a PostgreSQL URL is taken apart by libpq
 * itself, and libpq's own message about a bad URL, which quotes pieces of it, is not passed on.
 *
 * libpq splits whatever it is given: a raw '@', '/' or '?' in a password makes the rest of it the
 * name of a host or a database, which are shown. So what could be split in more than one way is
 * refused before, and quoted nowhere.
 */
#include <libpq-fe.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/driver.h"

enum { TARGET_MAX = 4096 };

static const char *conninfo_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
    }
    return NULL;
}

/* "NAME at HOST:PORT", as far as the URL says. */
static char *postgres_place(const struct lb_host *host, const PQconninfoOption *options)
{
    const char *name = conninfo_value(options, "dbname");
    const char *server = conninfo_value(options, "host");
    const char *port = conninfo_value(options, "port");
    struct lb_buf buf;

    if (server == NULL)
        server = conninfo_value(options, "hostaddr");
    lb_buf_init(&buf, host, TARGET_MAX);
    lb_buf_addf(&buf, "%s at %s", name != NULL ? name : "the default database",
                server != NULL ? server : "the local server");
    if (port != NULL)
        lb_buf_addf(&buf, ":%s", port);
    char *place = lb_buf_take(&buf);
    lb_buf_free(&buf);
    return place;
}

static bool has(struct lb_str text, char c)
{
    return lb_str_find(text, c) < text.size;
}

/*
 * Which '@' ends the password is certain if there is but one, before the path and the query: what
 * follows a '?' may be a part of the password, unless a path or a name of its own says that it is
 * the query.
 */
static bool is_certain(struct lb_str url)
{
    size_t scheme = lb_str_find(url, '/') + 2; /* "postgres://" was seen */
    struct lb_str rest = lb_str_sub(url, scheme, url.size);
    size_t query = lb_str_find(rest, '?');
    struct lb_str before = lb_str_sub(rest, 0, query);
    size_t slash = lb_str_find(before, '/');
    size_t at = lb_str_find(before, '@');

    if (at < before.size) /* one, and not in the path */
        return at < slash && !has(lb_str_sub(before, at + 1, before.size), '@');
    /* None: then the query may hold one, where a path stands before it. */
    return slash < before.size || !has(rest, '@');
}

static llmgr_status fail_ambiguous(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the database URL is ambiguous; write '/', '@', ':' and '?' in its password "
                      "as %%2F, %%40, %%3A and %%3F"));
}

static llmgr_status parse_postgres(const struct lb_host *host, const char *text, struct ls_url *url,
                                   struct llmgr_error *err)
{
    if (!is_certain(lb_cstr(text)))
        return fail_ambiguous(err);
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &message);

    if (message != NULL)
        PQfreemem(message);
    if (options == NULL) {
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the database URL is not one that PostgreSQL takes; write it as "
                          "postgres://USER@HOST/NAME"));
    }
    /* The beginning of a password as the port: its host was forgotten. */
    const char *port = conninfo_value(options, "port");
    if (port != NULL && strspn(port, "0123456789,") != strlen(port)) {
        PQconninfoFree(options);
        return fail_ambiguous(err);
    }
    url->kind = LS_POSTGRES;
    url->target = lb_strdup(host, text);
    url->place = postgres_place(host, options);
    PQconninfoFree(options);
    return LLMGR_OK;
}

static llmgr_status parse_sqlite(const struct lb_host *host, const char *path, struct ls_url *url,
                                 struct llmgr_error *err)
{
    struct lb_str s = lb_cstr(path);

    if (s.size == 0 || s.size >= TARGET_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the database has no usable file name; write sqlite:PATH"));
    if (lb_str_starts(s, LB_STR("//")) || lb_str_starts(s, LB_STR("file:")) ||
        strstr(path, "://") != NULL) /* there may be a password in it */
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a SQLite database is no URL; write sqlite:PATH, where PATH is a plain "
                          "file name such as /var/lib/llmgr.db"));
    url->kind = strcmp(path, ":memory:") == 0 ? LS_SQLITE_MEMORY : LS_SQLITE;
    url->target = lb_strdup(host, path);
    url->place = lb_strdup(host, path);
    return LLMGR_OK;
}

/*
 * A bare file name, or what was meant for PostgreSQL: a URL without or with half of its scheme, or
 * libpq's list of names and values. A file that looks like one is written as sqlite:PATH.
 */
static bool is_bare_path(struct lb_str text)
{
    size_t colon = lb_str_find(text, ':');

    if (text.size >= 8 && lb_str_eq_nocase(lb_str_sub(text, 0, 8), LB_STR("postgres")) &&
        colon < text.size)
        return false;
    if (colon < text.size && has(lb_str_sub(text, colon, text.size), '@'))
        return false;
    return strstr(text.p, "password") == NULL || !has(text, '=');
}

llmgr_status ls_url_parse(const struct lb_host *host, const char *text, struct ls_url *url,
                          struct llmgr_error *err)
{
    struct lb_str s = lb_cstr(text);
    struct ls_url parsed = {0};
    llmgr_status status;

    if (s.size == 0 || s.size >= TARGET_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("no database is given; write sqlite:PATH or postgres://USER@HOST/NAME"));
    if (lb_str_starts(s, LB_STR("postgres://")) || lb_str_starts(s, LB_STR("postgresql://"))) {
        status = parse_postgres(host, text, &parsed, err);
    } else if (lb_str_starts(s, LB_STR("sqlite:"))) {
        status = parse_sqlite(host, text + strlen("sqlite:"), &parsed, err);
    } else {
        size_t scheme = lb_str_find(s, ':');
        if (lb_str_starts(lb_str_sub(s, scheme, s.size), LB_STR("://"))) {
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("\"%.*s\" is no database this program knows; write sqlite:PATH or "
                              "postgres://USER@HOST/NAME"),
                           (int)(scheme < 40 ? scheme : 40), text);
        }
        if (!is_bare_path(s))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("the database is neither a file name nor a whole URL; write "
                              "sqlite:PATH or postgres://USER@HOST/NAME"));
        status = parse_sqlite(host, text, &parsed, err);
    }
    if (status != LLMGR_OK)
        return status;
    if (parsed.target == NULL || parsed.place == NULL) {
        ls_url_free(host, &parsed);
        return lb_fail_memory(err);
    }
    *url = parsed;
    return LLMGR_OK;
}

void ls_url_free(const struct lb_host *host, struct ls_url *url)
{
    if (url->target != NULL)
        lb_free_secret(host, url->target, strlen(url->target));
    lb_free(host, url->place);
    *url = (struct ls_url){0};
}
