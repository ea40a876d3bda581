/* SPDX-License-Identifier: MIT */
/* Reads tests/vectors/addresses.txt: lines of "verdict scheme port host". */
#ifndef TESTS_NET_VECTORS_H
#define TESTS_NET_VECTORS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "llmgr.h"

struct vectors {
    FILE *file;
    unsigned line, count;
};

struct vector {
    llmgr_status wanted;
    char scheme[16];
    unsigned port;
    struct lb_str host; /* NUL-terminated as well */
    unsigned line;
    char bytes[512];
};

/* The file lies beside the sources, whose path relative to the build folder __FILE__ tells. */
static inline void vectors_open(struct vectors *vectors)
{
    char path[1024];
    const char *end = strrchr(__FILE__, '/');
    (void)snprintf(path, sizeof(path), "%.*s/../../vectors/addresses.txt", (int)(end - __FILE__),
                   __FILE__);
    *vectors = (struct vectors){.file = fopen(path, "r")};
    if (vectors->file == NULL) /* run by hand from the root */
        vectors->file = fopen("tests/vectors/addresses.txt", "r");
    if (vectors->file == NULL)
        fail_msg("cannot read %s", path);
}

/* "<hex>" becomes that byte. */
static inline void vector_host(struct vector *v, const char *text)
{
    size_t size = 0;
    for (; *text != '\0'; text++) {
        char *end = NULL;
        if (*text == '<' && strchr(text, '>') == text + 3) {
            v->bytes[size++] = (char)strtol(text + 1, &end, 16);
            text += 3;
        } else {
            v->bytes[size++] = *text;
        }
    }
    v->bytes[size] = '\0';
    v->host = lb_str(v->bytes, size);
}

static inline bool vectors_next(struct vectors *vectors, struct vector *v)
{
    char line[600];
    char verdict[16];
    char text[512];
    while (fgets(line, sizeof(line), vectors->file) != NULL) {
        vectors->line++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        unsigned long port = 0;
        if (sscanf(line, "%15s %15s %lu %511s", verdict, v->scheme, &port, text) != 4)
            fail_msg("line %u is broken", vectors->line);
        v->port = port > 70000 ? 70000 : (unsigned)port;
        v->wanted = strcmp(verdict, "allow") == 0    ? LLMGR_OK
                    : strcmp(verdict, "refuse") == 0 ? LLMGR_ERR_ADDRESS
                                                     : LLMGR_ERR_INVALID;
        v->line = vectors->line;
        vector_host(v, text);
        vectors->count++;
        return true;
    }
    (void)fclose(vectors->file);
    return false;
}

#endif
