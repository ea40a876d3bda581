/* SPDX-License-Identifier: MIT */
/* The inside of a listener, for net/loop.c and net/conn.c. */
#ifndef LN_LISTEN_INT_H
#define LN_LISTEN_INT_H

#include "base/list.h"

struct ln_listener;
struct ln_loop;

struct ln_listener *ln_listener_of_node(struct lb_list *node);
/* An accepted connection is gone: listeners that paused at the limit go on. */
void ln_listeners_release(struct ln_loop *loop);

#endif
