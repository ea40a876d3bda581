/* SPDX-License-Identifier: MIT */
/* The inside of a dial, for net/dial.c and net/dial_tunnel.c. */
#ifndef LN_DIAL_INT_H
#define LN_DIAL_INT_H

#include "net/conn_int.h"
#include "net/dial.h"

enum {
    LN_DIAL_MAGIC = 0x4449414c,
    LN_TUNNEL_MAX = 8 * 1024, /* bytes of a proxy's answer to CONNECT */
};

enum ln_dial_phase {
    LN_DIAL_RESOLVE = 0,   /* the target's name */
    LN_DIAL_RESOLVE_PROXY, /* the proxy's name */
    LN_DIAL_CONNECT,
    LN_DIAL_TUNNEL, /* CONNECT sent */
    LN_DIAL_TLS,
};

struct ln_dial {
    unsigned magic;
    struct ln_loop *loop;
    struct lb_list node; /* a member of the loop */
    ln_dial_fn done;
    void *context;
    struct ln_dial_request request; /* host and alpn are copies */
    char *host_copy, *alpn_copy;
    bool proxied;
    bool is_unix; /* addrs[0] is the socket */
    bool is_name; /* the target is a name, no literal */
    enum ln_dial_phase phase;
    struct ln_timer limit; /* of the whole dial */
    struct ln_timer next;  /* when the next address gets its chance */
    struct ln_defer start;
    struct ln_answer *answer; /* the look-up under way, or NULL */
    struct sockaddr_storage addrs[LN_DIAL_ADDR_MAX];
    size_t addr_count, addr_next;
    struct ln_conn *attempts[LN_DIAL_ADDR_MAX]; /* connects under way; NULL: ended */
    size_t attempt_count;                       /* not NULL */
    int last_sys;                               /* errno of the last failed connect */
    struct ln_conn *conn;                       /* the connected one */
    char *tunnel;                               /* the proxy's answer so far, LN_TUNNEL_MAX bytes */
    size_t tunnel_size;
};

/* Ends the dial: `done` runs, `dial` is gone. `status` and what is said as ln_dial describes. */
void ln_dial_fail(struct ln_dial *dial, const struct llmgr_error *err);
/* As above for a reason that may not be told to class PRIVATE: `err` goes to the log then. */
void ln_dial_fail_hidden(struct ln_dial *dial, const struct llmgr_error *err);

/* Asks the proxy on dial->conn for the target; leads to ln_dial_tunnelled or a failure. */
void ln_dial_tunnel(struct ln_dial *dial);
void ln_dial_tunnelled(struct ln_dial *dial);

#endif
