/* SPDX-License-Identifier: MIT */
/*
 * Masked keys: the first byte says how long the key is, which follows, then the text. Nothing but
 * stars and nines is written, lengths stay, line ends stay, and what was masked is masked for good.
 */
#include "check.h"
#include "upstream/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;

    if (size < 1 || size - 1 < data[0])
        return 0;
    lb_host_init(&host);
    struct lb_str key = {(const char *)data + 1, data[0]};
    size_t text_size = size - 1 - key.size;
    const char *text = key.p + key.size;
    char *once = malloc(text_size + 1);
    FUZZ_CHECK(once != NULL);
    memcpy(once, text, text_size);
    lu_mask_key(&host, key, once, text_size);
    for (size_t i = 0; i < text_size; i++) {
        FUZZ_CHECK(once[i] == text[i] || once[i] == '*' || once[i] == '9');
        FUZZ_CHECK((text[i] != '\n' && text[i] != '\r') || once[i] == text[i]);
    }
    /* The key as it is stands there no more, unless it is of what is written. */
    bool odd = key.size == 0;
    for (size_t i = 0; i < key.size; i++)
        odd = odd || key.p[i] == '*' || key.p[i] == '9' || key.p[i] == '\n' || key.p[i] == '\r';
    for (size_t i = 0; !odd && i + key.size <= text_size; i++)
        FUZZ_CHECK(memcmp(once + i, key.p, key.size) != 0);
    free(once);
    return 0;
}
