/* SPDX-License-Identifier: MIT */
/* Socket addresses: their text and their ports. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Callers hold a sockaddr_storage, which is aligned for all of these. */
static const struct sockaddr_in *in4(const struct sockaddr *addr)
{
    return (const struct sockaddr_in *)(const void *)addr;
}

static const struct sockaddr_in6 *in6(const struct sockaddr *addr)
{
    return (const struct sockaddr_in6 *)(const void *)addr;
}

uint16_t ln_addr_port(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return ntohs(in4(addr)->sin_port);
    if (addr->sa_family == AF_INET6)
        return ntohs(in6(addr)->sin6_port);
    return 0;
}

const char *ln_addr_text(const struct sockaddr *addr, char *buffer, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    unsigned port = ln_addr_port(addr);
    if (addr->sa_family == AF_INET &&
        inet_ntop(AF_INET, &in4(addr)->sin_addr, text, sizeof(text)) != NULL)
        (void)snprintf(buffer, size, "%s:%u", text, port);
    else if (addr->sa_family == AF_INET6 &&
             inet_ntop(AF_INET6, &in6(addr)->sin6_addr, text, sizeof(text)) != NULL)
        (void)snprintf(buffer, size, "[%s]:%u", text, port);
    else
        (void)snprintf(buffer, size, "%s", addr->sa_family == AF_UNIX ? "unix" : "?");
    return buffer;
}

void ln_addr_set_port(struct sockaddr_storage *addr, uint16_t port)
{
    if (addr->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)addr)->sin_port = htons(port);
    else if (addr->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons(port);
}

socklen_t ln_addr_size(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return sizeof(struct sockaddr_in);
    if (addr->ss_family == AF_INET6)
        return sizeof(struct sockaddr_in6);
    return sizeof(struct sockaddr_un);
}
