/* SPDX-License-Identifier: MIT */
/*
 * As much of HTTP/1.1 as a load generator needs of an answer: where it ends, whether it is a 2xx,
 * and how many events of a stream have come. Each proxy frames anew, so nothing else is compared.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_HEAD_MAX = 4096 };

enum answer_state {
    ANSWER_HEAD,
    ANSWER_BODY,       /* `left` bytes of it to come */
    ANSWER_CHUNK_SIZE, /* in the line before a chunk */
    ANSWER_CHUNK,      /* `left` bytes of it to come, its line end included */
    ANSWER_TRAILER,    /* behind the last chunk, up to the empty line */
    ANSWER_DONE,
    ANSWER_BROKEN
};

struct answer {
    enum answer_state state;
    int status;
    uint64_t left;
    uint64_t events;    /* of a stream: blank lines in the body */
    bool after_newline; /* the last byte of the body was one */
    size_t line;        /* bytes of the present line, for the trailer */
    size_t head_size;
    char head[ANSWER_HEAD_MAX];
};

/* Takes bytes up to the end of the answer; returns how many. */
size_t answer_take(struct answer *answer, const char *bytes, size_t size);

#endif
