/* SPDX-License-Identifier: MIT */
/*
 * bench_upstream PORT: a platform that costs next to nothing, so that a proxy's costs show: one
 * thread, one epoll, canned answers. (mockllm builds and frames JSON for each request; this does
 * not.) It prints a line when it listens and ends with SIGTERM.
 *
 *   POST with "stream":true   head, then 64 pieces, the finish and [DONE], one write each; and the
 *                             chunk with the usage if "include_usage" was sent
 *   any other request         one answer with usage
 *
 * "seed" is the pause between two frames in milliseconds: a member that every proxy lets through.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECES = 64,
    SLOTS = 4096, /* of the wheel, one millisecond each: the longest pause */
    HEAD_MAX = 16384,
    READ_SIZE = 1 << 18,
    EVENTS = 256,
};

#define USAGE "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":64,\"total_tokens\":88}"
#define CHUNK(delta, finish)                                                                       \
    "data: "                                                                                       \
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"      \
    "\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{" delta                              \
    "},\"finish_reason\":" finish "}]}\n\n"

static const char PIECE[] = CHUNK("\"content\":\"seven c\"", "null");
static const char FINISH[] = CHUNK("", "\"stop\"");
static const char USED[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"bench\",\"choices\":[]," USAGE "}\n\n";
static const char END[] = "data: [DONE]\n\n";
static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char WHOLE[] =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
    "\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
    "\"content\":\"Bench is up.\"},\"finish_reason\":\"stop\"}]," USAGE "}";

struct peer {
    int fd;
    bool in_body;
    bool stream;
    bool usage;
    unsigned pause_ms;
    unsigned sent; /* frames of the stream */
    uint64_t left; /* of the body */
    size_t head_size;
    struct peer *next;  /* in the wheel's slot */
    struct peer **link; /* what points here; NULL: not in the wheel */
    char *head;
};

static struct peer *wheel[SLOTS];
static size_t streaming;  /* peers in the wheel */
static int64_t turned_ms; /* slots before this are done */
static char input[READ_SIZE];

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void unlink_peer(struct peer *peer)
{
    if (peer->link == NULL)
        return;
    *peer->link = peer->next;
    if (peer->next != NULL)
        peer->next->link = peer->link;
    peer->link = NULL;
    streaming--;
}

static void link_peer(struct peer *peer, int64_t due_ms)
{
    struct peer **slot = &wheel[due_ms % SLOTS];

    peer->next = *slot;
    peer->link = slot;
    if (*slot != NULL)
        (*slot)->link = &peer->next;
    *slot = peer;
    streaming++;
}

static void drop(struct peer *peer)
{
    unlink_peer(peer);
    close(peer->fd);
    free(peer->head);
    free(peer);
}

/* What does not fit into the socket's buffer is the proxy's fault: it is dropped. */
static bool put(struct peer *peer, const char *bytes, size_t size)
{
    if (send(peer->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size)
        return true;
    drop(peer);
    return false;
}

static bool put_frame(struct peer *peer, const char *head, const char *text, size_t size,
                      const char *tail)
{
    char out[1024];
    int count = snprintf(out, sizeof out, "%s%zx\r\n%.*s\r\n%s", head, size, (int)size, text, tail);

    return put(peer, out, (size_t)count);
}

/* The next frame; false if the stream is over (or the peer gone). */
static bool stream_step(struct peer *peer)
{
    unsigned at = peer->sent++;
    unsigned last = PIECES + 1 + (peer->usage ? 1 : 0);

    if (at < PIECES)
        return put_frame(peer, at == 0 ? STREAM_HEAD : "", PIECE, sizeof PIECE - 1, "");
    if (at == PIECES)
        return put_frame(peer, "", FINISH, sizeof FINISH - 1, "");
    if (at < last)
        return put_frame(peer, "", USED, sizeof USED - 1, "");
    put_frame(peer, "", END, sizeof END - 1, "0\r\n\r\n");
    return false;
}

static bool answer(struct peer *peer)
{
    char out[1024];

    peer->in_body = false;
    peer->head_size = 0;
    if (peer->stream) {
        peer->sent = 0;
        if (!stream_step(peer)) /* the first is never the last: it is gone */
            return false;
        link_peer(peer, turned_ms + peer->pause_ms);
        return true;
    }
    int size = snprintf(out, sizeof out,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        sizeof WHOLE - 1, WHOLE);
    return put(peer, out, (size_t)size);
}

static bool has(const char *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

/* Looks at a piece of the body; a member cut by two reads would be missed, so they stand first. */
static void look(struct peer *peer, const char *bytes, size_t size)
{
    peer->stream = peer->stream || has(bytes, size, "\"stream\":true");
    peer->usage = peer->usage || has(bytes, size, "\"include_usage\":true");
    const char *seed = memmem(bytes, size, "\"seed\":", 7);
    if (seed != NULL && (size_t)(seed - bytes) + 12 < size)
        peer->pause_ms = (unsigned)strtoul(seed + 7, NULL, 10) % SLOTS;
}

/* Bytes of the head, up to its end; returns how many were taken, 0 if it is no request of ours. */
static size_t take_head(struct peer *peer, const char *bytes, size_t size)
{
    size_t from = peer->head_size, room = HEAD_MAX - 1 - from, count = size < room ? size : room;

    memcpy(peer->head + from, bytes, count);
    peer->head[from + count] = '\0';
    char *end = strstr(peer->head + (from > 3 ? from - 3 : 0), "\r\n\r\n");
    if (end == NULL) {
        peer->head_size += count;
        return count == room ? 0 : count;
    }
    *end = '\0';
    const char *length = strcasestr(peer->head, "\r\ncontent-length:");
    if (strcasestr(peer->head, "\r\ntransfer-encoding:") != NULL)
        return 0;
    peer->left = length != NULL ? strtoull(length + 17, NULL, 10) : 0;
    peer->in_body = true;
    peer->stream = peer->usage = false;
    peer->pause_ms = 1;
    return (size_t)(end - peer->head) + 4 - from;
}

/* False if the peer is gone. */
static bool take(struct peer *peer, const char *bytes, size_t size)
{
    while (size > 0 || (peer->in_body && peer->left == 0)) {
        size_t count = 0;
        if (!peer->in_body) {
            count = take_head(peer, bytes, size);
            if (count == 0) {
                fprintf(stderr, "bench_upstream: not a request that I know: %.200s\n", peer->head);
                drop(peer);
                return false;
            }
        } else {
            count = peer->left < size ? (size_t)peer->left : size;
            look(peer, bytes, count);
            peer->left -= count;
        }
        bytes += count;
        size -= count;
        if (peer->in_body && peer->left == 0 && !answer(peer))
            return false;
    }
    return true;
}

static void on_readable(struct peer *peer)
{
    ssize_t count = recv(peer->fd, input, sizeof input, 0);

    if (count > 0)
        take(peer, input, (size_t)count);
    else if (count == 0 || errno != EAGAIN)
        drop(peer);
}

static void accept_all(int listener, int epoll)
{
    for (;;) {
        int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = calloc(1, sizeof *peer);
        char *head = malloc(HEAD_MAX);
        if (peer == NULL || head == NULL)
            abort();
        peer->fd = fd;
        peer->head = head;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void turn_wheel(int64_t now)
{
    for (; turned_ms < now; turned_ms++) {
        struct peer **slot = &wheel[turned_ms % SLOTS];
        struct peer *peer = *slot;
        *slot = NULL; /* those that go on come into later slots */
        while (peer != NULL) {
            struct peer *next = peer->next;
            peer->link = NULL;
            streaming--;
            if (stream_step(peer))
                link_peer(peer, turned_ms + (peer->pause_ms > 0 ? peer->pause_ms : 1));
            peer = next;
        }
    }
}

static int listen_at(uint16_t port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 4096) != 0) {
        perror("bench_upstream");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_upstream PORT\n");
        return 2;
    }
    int listener = listen_at((uint16_t)atoi(argv[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    printf("bench_upstream listening on 127.0.0.1:%s\n", argv[1]);
    fflush(stdout);
    turned_ms = now_ms();
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, streaming > 0 ? 1 : -1);
        if (streaming == 0)
            turned_ms = now_ms();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(listener, epoll);
            else
                on_readable(events[i].data.ptr);
        }
        turn_wheel(now_ms()); /* behind the events: it may drop peers that they name */
    }
}
