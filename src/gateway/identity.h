/* SPDX-License-Identifier: MIT */
/* The part of IDENTIFY that looks tokens up. */
#ifndef LG_IDENTITY_H
#define LG_IDENTITY_H

#include "gateway/request.h"

enum lg_verdict lg_identify_token(struct lg_request *request);

/*
 * Writes over the tokens in a head. Once its digest is made a token is needed no more, but the head
 * lies in a buffer that outlives the request, and may be copied. Nobody reads or relays these
 * fields afterwards.
 */
void lg_identity_hide(const struct lh_head *head);

#endif
