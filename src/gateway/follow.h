/* SPDX-License-Identifier: MIT */
/*
 * A native path whose model nobody names goes where the thing is that it names: the platform at
 * which this user made it (objects/owners.h), else that of the slot main.
 */
#ifndef LG_FOLLOW_H
#define LG_FOLLOW_H

#include "gateway/request.h"

/* Is there something to follow, and has it not been asked for yet? */
bool lg_follow_suits(const struct lg_request *request);
/* TARGET: asks the table, off the loop; then request->platform_id is filled and `go_on` called. */
enum lg_verdict lg_follow(struct lg_request *request,
                          enum lg_verdict (*go_on)(struct lg_request *request));

#endif
