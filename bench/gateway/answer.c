/* SPDX-License-Identifier: MIT */
/*
 * The end of an answer, by Content-Length or by chunks; see answer.h. The peers are ours to choose,
 * so this may be plain: what it does not understand counts as an error of the run.
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a field in the head, or NULL; the head ends with NUL. */
static const char *field(const char *head, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':')
            return line + 3 + size;
    }
    return NULL;
}

static void head_done(struct answer *answer)
{
    const char *length = field(answer->head, "content-length");
    const char *coding = field(answer->head, "transfer-encoding");

    answer->status = answer->head_size > 12 ? atoi(answer->head + 9) : 0;
    if (length != NULL) {
        answer->left = strtoull(length, NULL, 10);
        answer->state = answer->left > 0 ? ANSWER_BODY : ANSWER_DONE;
    } else {
        answer->state = coding != NULL ? ANSWER_CHUNK_SIZE : ANSWER_BROKEN;
    }
}

static size_t take_head(struct answer *answer, const char *bytes, size_t size)
{
    size_t room = ANSWER_HEAD_MAX - 1 - answer->head_size, from = answer->head_size;
    size_t count = size < room ? size : room;

    memcpy(answer->head + from, bytes, count);
    answer->head[from + count] = '\0';
    char *end = strstr(answer->head + (from > 3 ? from - 3 : 0), "\r\n\r\n");
    if (end == NULL) {
        answer->head_size += count;
        if (count == room)
            answer->state = ANSWER_BROKEN;
        return count;
    }
    answer->head_size = (size_t)(end - answer->head) + 4;
    end[2] = '\0';
    head_done(answer);
    return answer->head_size - from;
}

static void count_events(struct answer *answer, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        if (answer->after_newline && bytes[i] == '\n') {
            answer->events++;
            answer->after_newline = false;
            i++;
            continue;
        }
        const char *found = memchr(bytes + i, '\n', size - i);
        answer->after_newline = found != NULL;
        if (found == NULL)
            return;
        i = (size_t)(found - bytes) + 1;
    }
}

static size_t take_body(struct answer *answer, const char *bytes, size_t size)
{
    size_t count = answer->left < size ? (size_t)answer->left : size;
    size_t tail = answer->state == ANSWER_CHUNK ? 2 : 0; /* the chunk's own line end */
    size_t text = answer->left > tail ? (size_t)answer->left - tail : 0;

    count_events(answer, bytes, count < text ? count : text);
    answer->left -= count;
    if (answer->left == 0) {
        answer->state = answer->state == ANSWER_BODY ? ANSWER_DONE : ANSWER_CHUNK_SIZE;
        answer->line = 0;
    }
    return count;
}

static void take_size_byte(struct answer *answer, char byte)
{
    int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                             : -1;

    if (digit >= 0) {
        answer->left = answer->left * 16 + (uint64_t)digit;
    } else if (byte == '\n') {
        answer->state = answer->left > 0 ? ANSWER_CHUNK : ANSWER_TRAILER;
        answer->left += answer->left > 0 ? 2 : 0;
    } else if (byte != '\r') {
        answer->state = ANSWER_BROKEN;
    }
}

static void take_trailer_byte(struct answer *answer, char byte)
{
    if (byte == '\n') {
        if (answer->line == 0)
            answer->state = ANSWER_DONE;
        answer->line = 0;
    } else if (byte != '\r') {
        answer->line++;
    }
}

size_t answer_take(struct answer *answer, const char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size && answer->state != ANSWER_DONE && answer->state != ANSWER_BROKEN) {
        switch (answer->state) {
        case ANSWER_HEAD:
            at += take_head(answer, bytes + at, size - at);
            break;
        case ANSWER_BODY:
        case ANSWER_CHUNK:
            at += take_body(answer, bytes + at, size - at);
            break;
        case ANSWER_CHUNK_SIZE:
            take_size_byte(answer, bytes[at++]);
            break;
        default:
            take_trailer_byte(answer, bytes[at++]);
            break;
        }
    }
    return at;
}
