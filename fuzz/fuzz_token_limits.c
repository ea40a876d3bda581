/* SPDX-License-Identifier: MIT */
/*
 * The lists of what a token may: names and networks as somebody writes them. What is taken is
 * stored in a form that reads as itself, has room, and lies within itself; what lies within another
 * list holds nothing that the other does not.
 */
#include <stdint.h>
#include <string.h>

#include "accounts/limits.h"
#include "base/host.h"

#include "check.h"

static void check_names(struct lb_str list, struct lb_str outer)
{
    struct lb_str name;

    while (lr_names_next(&list, &name)) {
        FUZZ_CHECK(name.size != 0);
        FUZZ_CHECK(lr_names_hold(outer, name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lb_host host;
    const struct lb_str text = {(const char *)data, size};
    const size_t half = lb_str_find(text, '\0');
    const struct lb_str parts[] = {lb_str_sub(text, 0, half), lb_str_sub(text, half + 1, size)};
    struct lw_limits made[2], again;
    struct lb_arena arena;
    bool taken = true;

    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        const struct lw_limits names = {.allowed.models = parts[i]};
        const struct lw_limits networks = {.networks = parts[i]};
        struct lw_limits only;
        taken = lw_limits_make(&names, 0, &arena, &made[i], NULL) == LLMGR_OK && taken;
        if (lw_limits_make(&networks, 0, &arena, &only, NULL) == LLMGR_OK) {
            FUZZ_CHECK(lw_limits_within(&only, &only, NULL) == LLMGR_OK);
            FUZZ_CHECK(lw_limits_make(&only, 0, &arena, &again, NULL) == LLMGR_OK);
            FUZZ_CHECK(lb_str_eq(again.networks, only.networks));
        }
    }
    if (taken) {
        FUZZ_CHECK(lw_limits_make(&made[0], 0, &arena, &again, NULL) == LLMGR_OK);
        FUZZ_CHECK(lb_str_eq(again.allowed.models, made[0].allowed.models));
        FUZZ_CHECK(lw_limits_within(&made[0], &made[0], NULL) == LLMGR_OK);
        if (made[1].allowed.models.size != 0 &&
            lw_limits_within(&made[0], &made[1], NULL) == LLMGR_OK)
            check_names(made[0].allowed.models, made[1].allowed.models);
    }
    lb_arena_free(&arena);
    return 0;
}
