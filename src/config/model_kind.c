/* SPDX-License-Identifier: MIT */
/* The rows of LLMGR_MODEL_KIND_MAP, by number and by name. */
#include "config/model_kind.h"

static const char *const NAMES[] = {
#define KIND_NAME(name, number, text) [number] = (text),
    LLMGR_MODEL_KIND_MAP(KIND_NAME)
#undef KIND_NAME
};
enum { KIND_COUNT = sizeof NAMES / sizeof NAMES[0] };

const char *llmgr_model_kind_name(llmgr_model_kind kind)
{
    return (unsigned)kind < KIND_COUNT ? NAMES[kind] : NULL;
}

bool lc_model_kind_parse(struct lb_str name, llmgr_model_kind *kind)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (lb_str_eq_c(name, NAMES[i])) {
            *kind = (llmgr_model_kind)i;
            return true;
        }
    }
    return false;
}

bool llmgr_model_kind_parse(const char *name, llmgr_model_kind *kind)
{
    return lc_model_kind_parse(lb_cstr(name), kind);
}
