/* SPDX-License-Identifier: MIT */
/* Opening listening sockets: addresses in words, unix sockets' files, inherited descriptors. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/addr_range.h"
#include "net/policy.h"

enum { BACKLOG = 4096, UNIX_MODE = 0600 };

static llmgr_status set_flags(int fd, struct llmgr_error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("a listening socket cannot be set up: %s"),
                       strerror(errno));
    return LLMGR_OK;
}

/* "127.0.0.1:8080", "[::]:8080", ":8080" */
static bool parse_tcp(struct lb_str text, struct sockaddr_storage *addr)
{
    size_t colon = text.size;
    while (colon != 0 && text.p[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon == 0 || !lb_str_to_u64(lb_str_sub(text, colon, text.size), &port) || port > 65535)
        return false;
    struct lb_str host = lb_str_sub(text, 0, colon - 1);
    if (host.size == 0)
        host = LB_STR("[::]");
    bool bracketed = host.p[0] == '[';
    enum ln_host_kind kind = ln_host_kind(host, addr);
    if (kind != LN_HOST_IPV4 && !(kind == LN_HOST_IPV6 && bracketed))
        return false;
    ln_addr_set_port(addr, (uint16_t)port);
    return true;
}

/* Does anyone accept on this unix socket? Only a refusal proves that nobody does. */
static bool unix_is_dead(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    bool dead =
        connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return dead;
}

static llmgr_status bind_unix(int fd, const char *path, unsigned mode, struct llmgr_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, path, strlen(path) + 1); /* its size was checked */
    struct stat info;
    if (lstat(path, &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return lb_fail(err, LLMGR_ERR_CONFLICT,
                           N_("%s exists and is no socket; choose another path or remove it"),
                           path);
        if (!unix_is_dead(&addr))
            return lb_fail(err, LLMGR_ERR_CONFLICT, N_("another process listens on %s"), path);
        (void)unlink(path);
    }
    /* The mode is set before anyone can connect: nothing is accepted until listen(2). */
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        chmod(path, (mode_t)(mode != 0 ? mode : UNIX_MODE)) != 0)
        return lb_fail(err, errno == EADDRINUSE ? LLMGR_ERR_CONFLICT : LLMGR_ERR_IO,
                       N_("cannot listen on %s: %s; check the folder and its permissions"), path,
                       strerror(errno));
    return LLMGR_OK;
}

static llmgr_status bind_tcp(int fd, const struct ln_listen_options *options,
                             const struct sockaddr_storage *addr, struct llmgr_error *err)
{
    int on = 1;
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("several sockets on %s are not possible here: %s"),
                       options->address, strerror(errno));
#ifdef TCP_DEFER_ACCEPT
    int seconds = (int)options->defer_accept_s;
    if (seconds > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
#endif
    if (bind(fd, (const struct sockaddr *)addr, ln_addr_size(addr)) == 0)
        return LLMGR_OK;
    if (errno == EADDRINUSE)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("%s is in use by another process; stop it or choose another port"),
                       options->address);
    return lb_fail(err, LLMGR_ERR_IO, N_("cannot listen on %s: %s"), options->address,
                   strerror(errno));
}

llmgr_status ln_listen_open(const struct ln_listen_options *options, int *out,
                            struct llmgr_error *err)
{
    const char *text = options->address != NULL ? options->address : "";
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    const char *path = is_unix ? text + 5 : "";
    struct sockaddr_storage addr = {.ss_family = AF_UNIX};
    size_t path_max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (is_unix && (path[0] == '\0' || strlen(path) > path_max))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the path of a unix socket has 1 to %zu bytes"),
                       path_max);
    if (!is_unix && !parse_tcp(lb_cstr(text), &addr))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("\"%s\" is no address to listen on; write 127.0.0.1:8080, [::1]:8080, :8080 "
               "or unix:/path"),
            text);
    int fd = socket(addr.ss_family, SOCK_STREAM, 0);
    if (fd < 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("cannot listen on %s: %s"), text, strerror(errno));
    llmgr_status status = set_flags(fd, err);
    if (status == LLMGR_OK)
        status = is_unix ? bind_unix(fd, path, options->unix_mode, err)
                         : bind_tcp(fd, options, &addr, err);
    if (status == LLMGR_OK && listen(fd, options->backlog > 0 ? options->backlog : BACKLOG) != 0)
        status =
            errno == EADDRINUSE
                ? lb_fail(err, LLMGR_ERR_CONFLICT,
                          N_("%s is in use by another process; stop it or choose another port"),
                          text)
                : lb_fail(err, LLMGR_ERR_IO, N_("cannot listen on %s: %s"), text, strerror(errno));
    if (status != LLMGR_OK) {
        (void)close(fd);
        return status;
    }
    *out = fd;
    return LLMGR_OK;
}

static bool is_listening_stream(int fd)
{
    int type = 0;
    int listening = 0;
    socklen_t size = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
        return false;
    size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

llmgr_status ln_listen_inherit(int fd, struct llmgr_error *err)
{
    if (!is_listening_stream(fd))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("descriptor %d is no listening stream socket; check the service manager's "
               "socket unit"),
            fd);
    return set_flags(fd, err);
}

llmgr_status ln_listen_dup(int fd, int *copy, struct llmgr_error *err)
{
    int twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (twin < 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("a listening socket cannot be shared: %s"),
                       strerror(errno));
    *copy = twin;
    return LLMGR_OK;
}

/* The socket's own address; the path of a unix socket is NUL-terminated in *path. */
static bool own_address(int fd, struct sockaddr_storage *addr, char path[LN_LISTEN_TEXT])
{
    socklen_t size = sizeof(*addr);
    *addr = (struct sockaddr_storage){0};
    if (getsockname(fd, (struct sockaddr *)addr, &size) != 0)
        return false;
    path[0] = '\0';
    if (addr->ss_family == AF_UNIX)
        (void)snprintf(path, LN_LISTEN_TEXT, "%.*s",
                       (int)sizeof(((struct sockaddr_un *)0)->sun_path),
                       ((const struct sockaddr_un *)(const void *)addr)->sun_path);
    return true;
}

const char *ln_listen_text(int fd, char buffer[LN_LISTEN_TEXT])
{
    struct sockaddr_storage addr;
    char path[LN_LISTEN_TEXT];
    if (!own_address(fd, &addr, path))
        (void)snprintf(buffer, LN_LISTEN_TEXT, "?");
    else if (addr.ss_family == AF_UNIX)
        (void)snprintf(buffer, LN_LISTEN_TEXT, "unix:%.*s", LN_LISTEN_TEXT - 6, path);
    else
        (void)ln_addr_text((const struct sockaddr *)&addr, buffer, LN_LISTEN_TEXT);
    return buffer;
}

bool ln_listen_is_public(int fd)
{
    static const char *const local[] = {"127.0.0.0/8", "::1"};
    struct sockaddr_storage addr;
    struct ln_addr16 bound;
    char path[LN_LISTEN_TEXT];
    if (!own_address(fd, &addr, path))
        return true;
    if (addr.ss_family == AF_UNIX)
        return false;
    if (!ln_addr16_of((const struct sockaddr *)&addr, &bound))
        return true;
    for (size_t i = 0; i < 2; i++) {
        struct ln_range range;
        if (ln_range_parse(lb_cstr(local[i]), &range) && ln_range_holds(&range, &bound))
            return false;
    }
    return true;
}

llmgr_status ln_listen_shut(int fd, struct ln_policy *policy, struct llmgr_error *err)
{
    struct sockaddr_storage addr;
    char path[LN_LISTEN_TEXT];
    char host[INET6_ADDRSTRLEN];
    if (!own_address(fd, &addr, path) || addr.ss_family == AF_UNIX)
        return LLMGR_OK;
    const void *bytes = addr.ss_family == AF_INET6
                            ? (const void *)&((struct sockaddr_in6 *)(void *)&addr)->sin6_addr
                            : (const void *)&((struct sockaddr_in *)(void *)&addr)->sin_addr;
    if (inet_ntop(addr.ss_family, bytes, host, sizeof(host)) == NULL)
        return LLMGR_OK; /* of another family: no URL names it */
    const struct ln_endpoint self = {
        .host = host, .port = ln_addr_port((const struct sockaddr *)&addr), .self = true};
    return ln_policy_shut(policy, &self, err);
}

void ln_listen_close(int fd)
{
    struct sockaddr_storage addr;
    char path[LN_LISTEN_TEXT];
    if (own_address(fd, &addr, path) && path[0] != '\0')
        (void)unlink(path);
    (void)close(fd);
}
