/* SPDX-License-Identifier: MIT */
/*
 * Native paths to what a platform keeps for one request, whose ids are signed for their owner
 * (signed_id.h). Pure: bytes in, row out.
 */
#ifndef LF_ID_PATH_H
#define LF_ID_PATH_H

#include <stdbool.h>

#include "base/str.h"
#include "dialect/refs.h"
#include "http/head.h"

/* Is this kept for one request? Then the id itself says whose it is; of all else owners.h does. */
bool lf_id_is_signed(enum ld_ref_kind kind);

/*
 * Is there such a path for a caller whose key is not his own? `rest`: below the base URL, perhaps
 * with its query. *id: the segment that is a shown id; p NULL if it has none.
 */
bool lf_id_path(enum lh_method method, struct lb_str rest, struct lb_str *id);
/* Does the answer tell of items of a conversation? */
bool lf_id_path_has_items(enum lh_method method, struct lb_str rest);
/* Is everything below this path kept for one request, or nothing? */
bool lf_id_path_is_ours(struct lb_str rest);

#endif
