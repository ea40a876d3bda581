/* SPDX-License-Identifier: MIT */
/*
 * Which platform is which provider of a catalogue: as the caller says, or, where the caller says
 * nothing, as the documented address of the provider tells (providers.def).
 */
#ifndef LQ_IMPORT_BIND_H
#define LQ_IMPORT_BIND_H

#include "base/arena.h"
#include "budget/import.h"
#include "manager/catalogue.h"

struct lq_binding {
    const struct lm_platform *platform;
    struct lb_str provider;
    bool said; /* by the caller */
    bool met;  /* the catalogue has a model of that provider */
};

struct lq_bindings {
    const struct lm_catalogue *catalogue; /* borrowed; platforms point into it */
    struct lq_binding *items;
    size_t count;
};

/*
 * Binds the platforms of `catalogue` for a text of this form. ERR_NOT_FOUND: a map's platform is
 * none; ERR_INVALID: a map without provider. Memory is the arena's, the providers are borrowed.
 */
LLMGR_MUST_CHECK llmgr_status lq_bind(const struct lm_catalogue *catalogue, lq_form form,
                                      const struct llmgr_price_map *maps, size_t map_count,
                                      struct lb_arena *arena, struct lq_bindings *bindings,
                                      struct llmgr_error *err);
/* Does the platform have a model that it is asked for by this name? */
bool lq_binding_has(const struct lq_bindings *bindings, const struct lq_binding *binding,
                    struct lb_str model);

#endif
