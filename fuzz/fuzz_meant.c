/* SPDX-License-Identifier: MIT */
/* What is surely meant otherwise: any bytes; a name lies in its text, a base is a beginning of it.
 */
#include <stdlib.h>

#include "config/meant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_inside(struct lb_str text, struct lb_str name)
{
    if (name.size != 0 && (name.p < text.p || name.p + name.size > text.p + text.size))
        abort();
    for (size_t i = 0; i < name.size; i++) {
        char c = lb_ascii_lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i != 0 && c >= '0' && c <= '9')))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str text = lb_str((const char *)data, size);
    struct lb_str name = {0};

    if (lc_meant_variable(text, &name))
        expect_inside(text, name);
    if (lc_meant_placeholder(text, &name)) {
        expect_inside(text, name);
        if (name.size == 0)
            abort();
    }
    if (lc_meant_base_url(text) >= size && size != 0)
        abort();
    return 0;
}
