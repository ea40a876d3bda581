/* SPDX-License-Identifier: MIT */
/*
 * Content codings: two bytes say which and in what pieces, the coded text follows. Whatever the
 * pieces, the same comes out, and no more than this target asks for.
 */
#include "check.h"
#include "http/coding.h"

enum { OUT_MAX = 1 << 16 };

struct run {
    enum lh_result result;
    size_t size;
    bool ended;
    char out[OUT_MAX + 4096];
};

static void decode(enum lh_coding coding, struct lb_str in, size_t step, size_t room,
                   struct run *run)
{
    struct lb_host host;

    lb_host_init(&host);
    struct lh_decoder *decoder = lh_decoder_new(&host, coding, LH_WINDOW_ASKED);
    FUZZ_CHECK(decoder != NULL);
    run->result = LH_MORE;
    run->size = 0;
    for (size_t at = 0; at < in.size && run->size < OUT_MAX; at += step) {
        struct lb_str piece = lb_str_sub(in, at, at + step);
        size_t got = room;
        while ((piece.size > 0 || got == room) && run->size < OUT_MAX) {
            run->result = lh_decode(decoder, &piece, run->out + run->size, room, &got);
            FUZZ_CHECK(got <= room);
            if (run->result == LH_FAILED)
                break;
            run->size += got;
        }
        if (run->result == LH_FAILED)
            break;
    }
    run->ended = lh_decoder_ended(decoder);
    lh_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum lh_coding coding = (enum lh_coding)(LH_CODING_GZIP + data[0] % 4);
    struct lb_str in = {(const char *)data + 2, size - 2};
    struct run *whole = malloc(sizeof *whole), *pieces = malloc(sizeof *pieces);
    FUZZ_CHECK(whole != NULL && pieces != NULL);
    decode(coding, in, in.size + 1, 4096, whole);
    decode(coding, in, 1 + data[1] % 16, 1 + data[1], pieces);
    /* When libzstd notices what is malformed depends on how much it has at once. */
    const bool may_differ =
        coding == LH_CODING_ZSTD && (whole->result == LH_FAILED || !whole->ended);
    if (whole->size < OUT_MAX && pieces->size < OUT_MAX && !may_differ) {
        FUZZ_CHECK((whole->result == LH_FAILED) == (pieces->result == LH_FAILED));
        if (whole->result != LH_FAILED)
            FUZZ_CHECK(whole->size == pieces->size && whole->ended == pieces->ended);
    }
    size_t common = whole->size < pieces->size ? whole->size : pieces->size;
    FUZZ_CHECK(memcmp(whole->out, pieces->out, common) == 0);
    free(whole);
    free(pieces);
    return 0;
}
