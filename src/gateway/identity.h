/* SPDX-License-Identifier: MIT */
/* The part of IDENTIFY that looks tokens up. */
#ifndef LG_IDENTITY_H
#define LG_IDENTITY_H

#include "gateway/request.h"

enum lg_verdict lg_identify_token(struct lg_request *request);

#endif
