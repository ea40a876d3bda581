/* SPDX-License-Identifier: MIT */
/* Socket addresses: their text and their ports. */
#ifndef LN_ADDR_H
#define LN_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* "192.0.2.1:443", "[2001:db8::1]:443", "unix", or "?"; cut if it does not fit. Returns buffer. */
const char *ln_addr_text(const struct sockaddr *addr, char *buffer, size_t size);
uint16_t ln_addr_port(const struct sockaddr *addr); /* 0 if it has none */
void ln_addr_set_port(struct sockaddr_storage *addr, uint16_t port);
socklen_t ln_addr_size(const struct sockaddr_storage *addr); /* for connect and bind */

#endif
