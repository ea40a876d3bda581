/* SPDX-License-Identifier: MIT */
/*
 * What a head's target, Host and fields mean. Private to http/: head.c reads the lines and calls
 * these when it has them.
 */
#ifndef LH_FRAMING_H
#define LH_FRAMING_H

#include "http/head.h"

/* Splits head->target into path, query and, in absolute form, host (RFC 9112 section 3.2). */
enum lh_error lh_target_split(struct lh_head *head);
/* Decides body, length, keep_alive and expect_continue (RFC 9112 sections 3.2, 6.3 and 9.3). */
enum lh_error lh_framing_request(struct lh_head *head);
enum lh_error lh_framing_response(struct lh_head *head);

#endif
