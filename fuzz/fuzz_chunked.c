/* SPDX-License-Identifier: MIT */
/* The chunked coding: pieces give what the whole gives, and what was encoded comes back. */
#include "check.h"
#include "http/chunked.h"

struct outcome {
    enum lh_result result;
    enum lh_error error;
    size_t used;
    char *payload;
    size_t size;
};

static struct outcome decode(const char *data, size_t size, uint32_t seed, size_t step_max)
{
    struct lh_chunked chunked;
    struct outcome out = {.result = LH_MORE, .payload = malloc(size + 1)};

    FUZZ_CHECK(out.payload != NULL);
    lh_chunked_init(&chunked);
    while (out.result == LH_MORE && out.used < size) {
        size_t step = 1 + fuzz_next(&seed) % step_max;
        struct lb_str run;
        size_t used;
        if (step > size - out.used)
            step = size - out.used;
        out.result = lh_chunked_next(&chunked, data + out.used, step, &used, &run);
        FUZZ_CHECK(used <= step && (used != 0 || out.result == LH_FAILED));
        if (run.size != 0)
            memcpy(out.payload + out.size, run.p, run.size);
        out.size += run.size;
        out.used += used;
    }
    out.error = chunked.error;
    return out;
}

static void check_round_trip(const char *data, size_t size)
{
    size_t cap = size + LH_CHUNK_HEAD_MAX + sizeof(LH_CHUNK_TAIL) + sizeof(LH_CHUNK_END);
    char *coded = malloc(cap);

    FUZZ_CHECK(coded != NULL);
    size_t at = lh_chunk_head(coded, size);
    memcpy(coded + at, data, size);
    at += size;
    memcpy(coded + at, LH_CHUNK_TAIL LH_CHUNK_END, sizeof(LH_CHUNK_TAIL LH_CHUNK_END) - 1);
    at += sizeof(LH_CHUNK_TAIL LH_CHUNK_END) - 1;
    struct outcome back = decode(coded, at, 1, 64);
    FUZZ_CHECK(back.result == LH_DONE && back.used == at);
    FUZZ_CHECK(back.size == size && memcmp(back.payload, data, size) == 0);
    free(back.payload);
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct outcome whole = decode(text, size, 0, SIZE_MAX / 2);
    struct outcome bytes = decode(text, size, 0, 1);
    struct outcome pieces = decode(text, size, fuzz_seed(data, size), 9);

    FUZZ_CHECK(whole.result == bytes.result && whole.result == pieces.result);
    FUZZ_CHECK(whole.error == bytes.error && whole.error == pieces.error);
    FUZZ_CHECK(whole.used == bytes.used && whole.used == pieces.used);
    FUZZ_CHECK(whole.size == bytes.size && whole.size == pieces.size);
    FUZZ_CHECK(memcmp(whole.payload, bytes.payload, whole.size) == 0);
    FUZZ_CHECK(memcmp(whole.payload, pieces.payload, whole.size) == 0);
    free(whole.payload);
    free(bytes.payload);
    free(pieces.payload);
    if (size != 0)
        check_round_trip(text, size);
    return 0;
}
