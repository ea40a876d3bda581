/* SPDX-License-Identifier: MIT */
/*
 * What a platform says: the first two bytes say where it is cut, the text follows. What is left of
 * an object can be read wherever it is cut, and whether the key is meant is told of anything.
 */
#include "check.h"
#include "dialect/said.h"
#include "json/scan.h"
#include "json/write.h"

/* More levels than are closed again are no refusal. */
static bool is_flat(struct lb_str text)
{
    size_t open = 0;

    for (size_t i = 0; i < text.size; i++)
        open += text.p[i] == '{' || text.p[i] == '[';
    return open <= LJ_DEPTH_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;

    if (size < 3)
        return 0;
    lb_host_init(&host);
    struct lb_str text = {(const char *)data + 2, size - 2};
    size_t cut = 1 + ((size_t)data[0] << 8 | data[1]) % text.size;
    json_t *whole = lj_json_read(text, NULL);
    bool readable = whole != NULL && (text.p[0] == '{' || text.p[0] == '[') && is_flat(text);
    json_decref(whole);
    char *copy = malloc(cut);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, text.p, cut);
    json_t *part = ld_said_json(&host, lb_str(copy, cut));
    FUZZ_CHECK(part != NULL || !readable);
    (void)ld_said_error(part);
    json_decref(part);
    (void)ld_said_of_key(&host, lb_str(copy, cut));
    free(copy);
    return 0;
}
