/* SPDX-License-Identifier: MIT */
/*
 * zlib, libzstd and libbrotli behind one face. Their memory is the host's. Bytes behind a gzip
 * member that begin no other one are padding, as in files, and mean nothing.
 */
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_customMem */
#include "http/coding.h"

#include <stdalign.h>
#include <stddef.h>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

enum {
    WINDOW_BITS = 15, /* the largest of deflate */
    GZIP_BITS = 16,   /* and a gzip frame around it */
};

enum state { BEGINNING, WITHIN, BEHIND, PADDING, BROKEN };

struct lh_decoder {
    const struct lb_host *host;
    enum lh_coding coding;
    enum state state;
    bool raw; /* deflate without a frame */
    z_stream z;
    ZSTD_DCtx *zstd;
    BrotliDecoderState *brotli;
    size_t brotli_piece_max;
};

/* ---- Which ----------------------------------------------------------------------------------- */

static enum lh_coding coding_named(struct lb_str name)
{
    static const struct {
        struct lb_str name;
        enum lh_coding coding;
    } ROWS[] = {
        {LB_STR("identity"), LH_CODING_NONE}, {LB_STR("gzip"), LH_CODING_GZIP},
        {LB_STR("x-gzip"), LH_CODING_GZIP},   {LB_STR("deflate"), LH_CODING_DEFLATE},
        {LB_STR("br"), LH_CODING_BROTLI},     {LB_STR("zstd"), LH_CODING_ZSTD},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (lb_str_eq_nocase(name, ROWS[i].name))
            return ROWS[i].coding;
    }
    return LH_CODING_OTHER;
}

enum lh_coding lh_coding_of(const struct lh_head *head)
{
    enum lh_coding coding = LH_CODING_NONE;

    if (lh_head_get(head, LH_HEADER_CONTENT_ENCODING).p == NULL)
        return coding;
    for (size_t i = 0; i < head->field_count; i++) {
        struct lb_str list = head->fields[i].value, member;
        if (head->fields[i].id != LH_HEADER_CONTENT_ENCODING)
            continue;
        while (lh_list_next(&list, &member)) {
            enum lh_coding one = coding_named(member);
            if (one != LH_CODING_NONE)
                coding = coding == LH_CODING_NONE ? one : LH_CODING_OTHER;
        }
    }
    return coding;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* In front of what the libraries are given, for a window may hold a key that a platform quotes. */
struct piece {
    alignas(max_align_t) size_t size;
};

static void *give(void *host, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct piece))
        return NULL;
    struct piece *piece = lb_calloc(host, 1, sizeof *piece + size);
    if (piece == NULL)
        return NULL;
    piece->size = size;
    return piece + 1;
}

static void take(void *host, void *memory)
{
    struct piece *piece = memory;

    if (piece != NULL)
        lb_free_secret(host, piece - 1, sizeof *piece + piece[-1].size);
}

static void *give_items(void *host, unsigned count, unsigned size)
{
    return give(host, (size_t)count * size);
}

static bool begin_zlib(struct lh_decoder *decoder, int bits)
{
    decoder->z =
        (z_stream){.zalloc = give_items, .zfree = take, .opaque = (void *)(uintptr_t)decoder->host};
    return inflateInit2(&decoder->z, bits) == Z_OK;
}

static bool begin_zstd(struct lh_decoder *decoder, int window_log)
{
    const ZSTD_customMem memory = {give, take, (void *)(uintptr_t)decoder->host};

    decoder->zstd = ZSTD_createDCtx_advanced(memory);
    return decoder->zstd != NULL &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, window_log));
}

/* libbrotli has no limit of its own, but all that grows is asked for in one piece. */
static void *give_brotli(void *context, size_t size)
{
    const struct lh_decoder *decoder = context;

    return size <= decoder->brotli_piece_max ? give((void *)(uintptr_t)decoder->host, size) : NULL;
}

static void take_brotli(void *context, void *memory)
{
    const struct lh_decoder *decoder = context;

    take((void *)(uintptr_t)decoder->host, memory);
}

static bool begin_brotli(struct lh_decoder *decoder, int window_log)
{
    /* The window and its margin, or a table of codes, of which the largest has 1.1 MiB. */
    decoder->brotli_piece_max = ((size_t)1 << window_log) / 2 * 3;
    decoder->brotli = BrotliDecoderCreateInstance(give_brotli, take_brotli, decoder);
    return decoder->brotli != NULL;
}

static bool begin(struct lh_decoder *decoder, int window_log)
{
    switch (decoder->coding) {
    case LH_CODING_ZSTD:
        return begin_zstd(decoder, window_log);
    case LH_CODING_BROTLI:
        return begin_brotli(decoder, window_log);
    case LH_CODING_GZIP:
        return begin_zlib(decoder, WINDOW_BITS + GZIP_BITS);
    default:
        return begin_zlib(decoder, WINDOW_BITS);
    }
}

struct lh_decoder *lh_decoder_new(const struct lb_host *host, enum lh_coding coding, int window_log)
{
    struct lh_decoder *decoder = lb_calloc(host, 1, sizeof *decoder);

    if (decoder == NULL)
        return NULL;
    decoder->host = host;
    decoder->coding = coding;
    if (begin(decoder, window_log))
        return decoder;
    lh_decoder_free(decoder);
    return NULL;
}

void lh_decoder_free(struct lh_decoder *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->coding == LH_CODING_ZSTD)
        ZSTD_freeDCtx(decoder->zstd);
    else if (decoder->coding == LH_CODING_BROTLI)
        BrotliDecoderDestroyInstance(decoder->brotli);
    else
        inflateEnd(&decoder->z);
    lb_free(decoder->host, decoder);
}

/* ---- Decoding -------------------------------------------------------------------------------- */

static enum lh_result fail(struct lh_decoder *decoder)
{
    decoder->state = BROKEN;
    return LH_FAILED;
}

/* "deflate" is zlib's frame by the book; some send the bare thing, whose first byte is another. */
static bool settle_deflate(struct lh_decoder *decoder, unsigned char first)
{
    if (decoder->raw || (first & 0x0f) == Z_DEFLATED)
        return true;
    decoder->raw = true;
    return inflateReset2(&decoder->z, -WINDOW_BITS) == Z_OK;
}

/*
 * RFC 8878 section 3: a frame begins with 28 b5 2f fd, one to be skipped with 50 to 5f. What else
 * libzstd reads are forms before the first release, whose memory is not ours to bound.
 */
static bool is_zstd(unsigned char first)
{
    return first == 0x28 || (first & 0xf0) == 0x50;
}

static bool settle_frame(struct lh_decoder *decoder, unsigned char first)
{
    switch (decoder->coding) {
    case LH_CODING_DEFLATE:
        return settle_deflate(decoder, first);
    case LH_CODING_ZSTD:
        return is_zstd(first);
    default:
        return true;
    }
}

static enum lh_result inflate_some(struct lh_decoder *decoder, struct lb_str *in, char *out,
                                   size_t size, size_t *written)
{
    z_stream *z = &decoder->z;
    const unsigned most = 1u << 30;

    z->next_in = (Bytef *)(uintptr_t)in->p;
    z->avail_in = in->size < most ? (uInt)in->size : most;
    z->next_out = (Bytef *)out;
    z->avail_out = size < most ? (uInt)size : most;
    const uInt given = z->avail_in, room = z->avail_out;
    int result = inflate(z, Z_NO_FLUSH);
    *in = lb_str_sub(*in, given - z->avail_in, in->size);
    *written = room - z->avail_out;
    z->next_in = NULL;
    if (result == Z_STREAM_END) {
        decoder->state = BEHIND;
        return LH_DONE;
    }
    /* Z_BUF_ERROR: nothing could be done for want of input or room. */
    return result == Z_OK || result == Z_BUF_ERROR ? LH_MORE : fail(decoder);
}

static enum lh_result unzstd_some(struct lh_decoder *decoder, struct lb_str *in, char *out,
                                  size_t size, size_t *written)
{
    ZSTD_inBuffer from = {in->p, in->size, 0};
    ZSTD_outBuffer to = {out, size, 0};
    size_t left = ZSTD_decompressStream(decoder->zstd, &to, &from);

    *in = lb_str_sub(*in, from.pos, in->size);
    *written = to.pos;
    if (ZSTD_isError(left))
        return fail(decoder);
    if (left != 0)
        return LH_MORE;
    decoder->state = BEHIND;
    return LH_DONE;
}

static enum lh_result unbrotli_some(struct lh_decoder *decoder, struct lb_str *in, char *out,
                                    size_t size, size_t *written)
{
    const uint8_t *next_in = (const uint8_t *)in->p;
    uint8_t *next_out = (uint8_t *)out;
    size_t left = in->size, room = size;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(decoder->brotli, &left, &next_in, &room, &next_out, NULL);

    *in = lb_str_sub(*in, in->size - left, in->size);
    *written = size - room;
    if (result == BROTLI_DECODER_RESULT_ERROR)
        return fail(decoder);
    if (result != BROTLI_DECODER_RESULT_SUCCESS)
        return LH_MORE;
    decoder->state = BEHIND;
    return LH_DONE;
}

static enum lh_result decode_some(struct lh_decoder *decoder, struct lb_str *in, char *out,
                                  size_t size, size_t *written)
{
    switch (decoder->coding) {
    case LH_CODING_ZSTD:
        return unzstd_some(decoder, in, out, size, written);
    case LH_CODING_BROTLI:
        return unbrotli_some(decoder, in, out, size, written);
    default:
        return inflate_some(decoder, in, out, size, written);
    }
}

/* Behind one member another may begin; false: what follows is none. */
static bool begin_again(struct lh_decoder *decoder, struct lb_str in)
{
    if (decoder->coding == LH_CODING_DEFLATE || decoder->coding == LH_CODING_BROTLI)
        return false;
    if (decoder->coding == LH_CODING_ZSTD)
        return true;
    return (unsigned char)in.p[0] == 0x1f && inflateReset(&decoder->z) == Z_OK;
}

enum lh_result lh_decode(struct lh_decoder *decoder, struct lb_str *in, char *out, size_t size,
                         size_t *written)
{
    *written = 0;
    if (decoder->state == BROKEN)
        return LH_FAILED;
    if (decoder->state == BEHIND) {
        if (in->size == 0)
            return LH_DONE;
        decoder->state = begin_again(decoder, *in) ? BEGINNING : PADDING;
    }
    if (decoder->state == PADDING) { /* whatever follows, and in however many pieces */
        *in = lb_str(NULL, 0);
        return LH_DONE;
    }
    if (decoder->state == BEGINNING) {
        if (in->size == 0)
            return LH_MORE;
        if (!settle_frame(decoder, (unsigned char)in->p[0]))
            return fail(decoder);
        decoder->state = WITHIN;
    }
    return decode_some(decoder, in, out, size, written);
}

bool lh_decoder_ended(const struct lh_decoder *decoder)
{
    return decoder->state == BEGINNING || decoder->state == BEHIND || decoder->state == PADDING;
}
