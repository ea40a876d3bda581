/* SPDX-License-Identifier: MIT */
/* Keys that a platform quotes. See the header. */
#include "gateway/refusal.h"

#include <string.h>

#include "gateway/request.h"
#include "upstream/mask.h"
#include "vault/secret.h"

void lg_refusal_mask(void *context, char *text, size_t size)
{
    const struct lg_request *request = context;
    struct lv_secret key;

    if (request->target.sealed_key.size == 0 || size == 0)
        return;
    lv_secret_init(&key);
    if (lr_target_open_key(request->worker->manager, &request->target, &key, NULL) == LLMGR_OK)
        lu_mask_key(request->worker->host, lv_secret_str(&key), text, size);
    else
        memset(text, '*', size);
    lv_secret_clear(&key);
}
