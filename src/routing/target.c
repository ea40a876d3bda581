/* SPDX-License-Identifier: MIT */
/* From the resolver's words into those of routing. See the header. */
#include "routing/target.h"

struct lo_candidate lo_candidate_of(const struct lr_target *target, uint64_t user)
{
    return (struct lo_candidate){
        .platform_id = target->platform_id,
        .model_id = target->model_id,
        .account_id = target->account_id,
        .key_id = target->key_id,
        .user = user,
        .is_own_key = target->payer == LM_PAYER_USER,
        .is_own_model = !target->platform_is_sys,
        .is_own_platform = !target->platform_is_sys,
    };
}
